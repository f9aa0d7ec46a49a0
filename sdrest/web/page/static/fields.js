// One input for one property of a request's schema: label, control, hint and error belong together.

import { h, uniqueId } from "./dom.js";
import { icon } from "./icons.js";
import { CHOICES, hintOf, labelOf, placeholderOf } from "./labels.js";

const WIDEST_SLIDER = 1;
const OBVIOUS = new Set(["prompt", "negativePrompt"]);

/** Returns the schema without "or null" and without references. */
function plain(schema, definitions) {
  const { $ref, anyOf, ...rest } = schema;
  const inner = anyOf?.find(({ type }) => type !== "null");
  const referred = $ref && definitions[$ref.split("/").at(-1)];
  return { ...inner, ...referred, ...rest };
}

function control(name, schema, id) {
  const common = { id, name, placeholder: placeholderOf(name) };
  const { minimum, maximum } = schema;
  const texts = CHOICES[name] ?? {};
  if (CHOICES[name] || schema.enum) {
    return h("select", { id, name }, (schema.enum ?? choices(texts)).map((value) => h("option", { value }, texts[value] ?? value)));
  }
  if (schema.type === "string") return h("textarea", { ...common, dir: "auto", rows: name === "prompt" ? 4 : 1 });
  const whole = schema.type === "integer";
  const range = { min: minimum, max: maximum, step: schema.multipleOf ?? (whole ? 1 : "any") };
  if (!whole && maximum - minimum <= WIDEST_SLIDER) {
    return h("input", { ...common, ...range, type: "range", step: 0.05 });
  }
  const inputmode = whole ? "numeric" : "decimal";
  return h("input", { ...common, ...range, type: "number", inputmode });
}

/** The values of choices; a missing one comes first. */
const choices = (texts) => Object.keys(texts).sort((a, b) => (a === "" ? -1 : b === "" ? 1 : 0));

/** A slider with its value beside it. */
function slider(input) {
  const output = h("output", { for: input.id });
  for (const name of ["input", "set"]) {
    input.addEventListener(name, () => (output.textContent = input.value));
  }
  return h("div", { class: "slider" }, input, output);
}

/** A button that shows and hides a hint. */
function info(name, hint) {
  const button = h("button", {
    type: "button", class: "info", "aria-label": `About ${labelOf(name).toLowerCase()}`, "aria-controls": hint.id, "aria-expanded": "false", title: hint.textContent,
    onclick: () => {
      hint.hidden = !hint.hidden;
      button.setAttribute("aria-expanded", String(!hint.hidden));
    },
  }, icon("info"));
  return button;
}

/** Whether a property has only one possible value. */
export const isFixed = ({ minimum, maximum }) => minimum != null && minimum === maximum;

export class Field {
  control;
  #error;

  constructor(name, declared, definitions) {
    const schema = plain(declared, definitions);
    const id = uniqueId(name);
    this.name = name;
    this.default = schema.default;
    this.control = control(name, schema, id);
    this.#error = h("p", { class: "field-error", id: `${id}-error`, hidden: true });
    const hint = h("p", { class: "hint", id: `${id}-hint`, hidden: true }, hintOf(name, schema.description));
    this.control.setAttribute("aria-describedby", `${id}-error ${id}-hint`);
    this.element = h(
      "div",
      { class: `field field-${name}` },
      h("div", { class: "field-head" }, h("label", { for: id }, labelOf(name)), OBVIOUS.has(name) ? null : info(name, hint)),
      this.control.type === "range" ? slider(this.control) : this.control,
      this.#error,
      hint,
    );
    this.set(schema.default);
    this.control.addEventListener("input", () => this.fail(null));
  }

  /** The entered text; an empty one stands for the server's default. */
  get value() {
    return this.control.value;
  }

  /** Sets the value; one that a choice does not have becomes a choice. */
  set(value) {
    const text = String(value ?? "");
    const { options } = this.control;
    if (options && ![...options].some((option) => option.value === text)) {
      this.control.append(h("option", { value: text }, text));
    }
    this.control.value = text;
    this.control.dispatchEvent(new Event("set"));
  }

  /** Shows an error of the value; null removes it. */
  fail(message) {
    this.#error.hidden = !message;
    this.#error.textContent = message ?? "";
    if (message) this.control.setAttribute("aria-invalid", "true");
    else this.control.removeAttribute("aria-invalid");
  }

  get isInvalid() {
    return !this.#error.hidden;
  }

  focus() {
    this.control.focus();
  }
}

/** The model: a choice, shown where the server has more than one that fits. */
export class ModelField extends Field {
  #offered = null;

  constructor(name, declared, definitions) {
    super(name, { ...declared, enum: [""] }, definitions);
    this.element.hidden = true;
  }

  /** Offers the models that fit a type of jobs; a chosen one that is not there gives way to the default. */
  offer(models, type, { refused = false } = {}) {
    const fitting = models.filter(({ types }) => types.includes(type));
    const names = fitting.map(({ name }) => name).join("\n");
    if (names === this.#offered && !refused) return; // the list may be open
    this.#offered = names;
    const { value } = this;
    const standard = fitting.find((model) => model.default.includes(type));
    this.control.replaceChildren(
      h("option", { value: "" }, standard ? `${standard.name} (default)` : "Default"),
      ...fitting.filter((model) => model !== standard)
        .map(({ file, name }) => h("option", { value: file }, name)),
    );
    this.element.hidden = fitting.length < 2 && !this.control.hasAttribute("aria-invalid");
    const isThere = [...this.control.options].some((option) => option.value === value);
    this.set(isThere ? value : "");
  }

  /** The value of the choice with a name, if there is one. */
  named(name) {
    return [...this.control.options].find((option) => option.textContent === name)?.value;
  }

  /** A model that is not offered becomes a choice, too: the server says what is wrong with it. */
  set(value) {
    const count = this.control.options.length;
    super.set(value);
    if (this.control.options.length > count) this.element.hidden = false;
  }
}
