// One input for one property of a request's schema: label, control, hint and error belong together.

import { h, uniqueId } from "./dom.js";
import { label } from "./words.js";

const WIDEST_SLIDER = 1;

/** Returns the schema without "or null" and without references. */
function plain(schema, definitions) {
  const { $ref, anyOf, ...rest } = schema;
  const inner = anyOf?.find(({ type }) => type !== "null");
  const referred = $ref && definitions[$ref.split("/").at(-1)];
  return { ...inner, ...referred, ...rest };
}

function control(name, schema, id) {
  const common = { id, name };
  const { minimum, maximum } = schema;
  if (schema.enum) return h("select", common, schema.enum.map((value) => h("option", {}, value)));
  if (schema.type === "string") return h("textarea", { ...common, rows: name === "prompt" ? 4 : 2 });
  const whole = schema.type === "integer";
  const range = { min: minimum, max: maximum, step: schema.multipleOf ?? (whole ? 1 : "any") };
  if (!whole && maximum - minimum <= WIDEST_SLIDER) {
    return h("input", { ...common, ...range, type: "range", step: 0.05 });
  }
  const inputmode = whole ? "numeric" : "decimal";
  return h("input", { ...common, ...range, type: "number", inputmode });
}

/** A slider with its value beside it. */
function slider(input) {
  const output = h("output", { for: input.id });
  for (const name of ["input", "set"]) {
    input.addEventListener(name, () => (output.textContent = input.value));
  }
  return h("div", { class: "slider" }, input, output);
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
    const hint = h("p", { class: "hint", id: `${id}-hint` }, schema.description ?? "");
    this.control.setAttribute("aria-describedby", `${id}-error ${id}-hint`);
    this.element = h(
      "div",
      { class: `field field-${name}` },
      h("label", { for: id, title: schema.description }, label(name)),
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

  set(value) {
    this.control.value = value ?? "";
    this.control.dispatchEvent(new Event("set"));
  }

  /** Shows an error of the value; null removes it. */
  fail(message) {
    this.#error.hidden = !message;
    this.#error.textContent = message ?? "";
    if (message) this.control.setAttribute("aria-invalid", "true");
    else this.control.removeAttribute("aria-invalid");
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

  /** A model that is not offered becomes a choice, too: the server says what is wrong with it. */
  set(value) {
    if (value && ![...this.control.options].some((option) => option.value === value)) {
      this.control.append(h("option", { value }, value));
      this.element.hidden = false;
    }
    super.set(value);
  }
}

const RANDOM = "random";

/** The seed: by default the server chooses a random one for each request. */
export class SeedField extends Field {
  #fresh = h("input", { type: "checkbox", checked: true });

  constructor(...given) {
    super(...given);
    this.#fresh.id = `${this.control.id}-fresh`;
    const text = h("label", { for: this.#fresh.id, class: "check" }, this.#fresh, "New each time");
    this.control.after(text);
    this.control.addEventListener("input", () => (this.isFresh = false));
  }

  get isFresh() {
    return this.#fresh.checked;
  }

  set isFresh(fresh) {
    this.#fresh.checked = fresh;
  }

  /** The value to send: the number, or `random`. */
  get request() {
    return this.isFresh ? RANDOM : this.value;
  }
}
