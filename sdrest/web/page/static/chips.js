// A row of choices, each of which sets one or more fields. The fields stay the truth: where they
// have other values, a last chip says so.

import { h, setText, uniqueId } from "./dom.js";

export class Chips {
  #choices;
  #fields;
  #describe;
  #inputs = [];
  #other;
  #otherText = h("span");

  /**
   * `choices` are `{text, title, values}` with values by the names of fields, `fields` these fields
   * by name; `describe(values)` is the text of values that no choice has.
   */
  constructor(legend, choices, fields, describe, kind) {
    this.#choices = choices;
    this.#fields = fields;
    this.#describe = describe;
    const group = uniqueId("chips");
    const chip = (oninput, ...content) => {
      const input = h("input", { type: "radio", class: "unseen", name: group, oninput });
      this.#inputs.push(input);
      return h("label", { class: "chip" }, input, ...content);
    };
    const chips = choices.map((choice) => {
      const element = chip(() => this.#choose(choice), shape(choice.values), choice.text);
      element.title = choice.title ?? "";
      return element;
    });
    this.#other = chip(() => {}, this.#otherText);
    this.element = h("fieldset", { class: `choice choice-${kind}` },
      h("legend", {}, legend),
      h("div", { class: "chips" }, chips, this.#other));
    for (const field of Object.values(fields)) {
      for (const name of ["input", "set"]) field.control.addEventListener(name, () => this.show());
    }
    this.show();
  }

  /** Marks the choice that the fields have. */
  show() {
    const found = this.#choices.findIndex(({ values }) =>
      Object.entries(values).every(([name, value]) => Number(this.#fields[name].value) === value));
    this.#inputs.at(found).checked = true; // at(-1) is the other one
    this.#other.hidden = found >= 0;
    setText(this.#otherText, found >= 0 ? "" : this.#describe(Object.values(this.#fields).map(({ value }) => value)));
  }

  #choose({ values }) {
    for (const [name, value] of Object.entries(values)) {
      this.#fields[name].fail(null);
      this.#fields[name].set(value);
    }
  }
}

const SHAPE = 16;

/** A small outline of a picture's proportions. */
function shape({ width, height }) {
  if (!width) return null;
  const element = h("i", { class: "shape", "aria-hidden": "true" });
  const most = Math.max(width, height);
  element.style.width = `${(width / most) * SHAPE}px`;
  element.style.height = `${(height / most) * SHAPE}px`;
  return element;
}
