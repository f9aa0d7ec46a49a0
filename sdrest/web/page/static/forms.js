// A form from a request's JSON schema: the prompt, a strip of choices, the rest under "Advanced".

import { Chips } from "./chips.js";
import { h } from "./dom.js";
import { Field, isFixed, ModelField } from "./fields.js";
import { COUNTS, PROPORTIONS, QUALITIES, startOf } from "./presets.js";
import { SeedField } from "./seed.js";

const PROMPTS = ["prompt", "negativePrompt"];
const STRIP = ["strength", "model", "seed"];
const ADVANCED = ["width", "height", "steps", "iterations", "batchSize", "guidanceScale"];
const CLASSES = { model: ModelField, seed: SeedField };

export class ParameterForm {
  #fields;
  #start;

  constructor(type, schema) {
    this.#start = startOf(type);
    this.#fields = Object.entries(schema.properties)
      .filter(([name, property]) => !isFixed(property) && name !== "feather") // the mask's editor has it
      .map(([name, property]) => new (CLASSES[name] ?? Field)(name, property, schema.$defs));
    const others = this.#fields.map(({ name }) => name).filter((name) => ![...PROMPTS, ...STRIP, ...ADVANCED].includes(name));
    this.prompts = this.#elements(PROMPTS);
    this.strip = h("div", { class: "strip" },
      this.#chips("Proportions", PROPORTIONS, ([width, height]) => `${width} × ${height}`, "proportions"),
      h("div", { class: "strip-row" },
        this.#chips("Pictures", COUNTS, ([count]) => count, "pictures"),
        this.#chips("Quality", QUALITIES[type] ?? [], ([steps]) => `${steps} steps`, "quality")),
      this.#elements(STRIP));
    this.advanced = h("details", { class: "more" }, h("summary", {}, "Advanced"),
      h("div", { class: "fields" }, this.#elements([...ADVANCED, ...others])));
    this.reset();
  }

  get seed() {
    return this.field("seed");
  }

  field(name) {
    return this.#fields.find((field) => field.name === name);
  }

  get isInvalid() {
    return this.#fields.some((field) => field.isInvalid);
  }

  /** What is entered, by name; empty fields are left out. */
  get values() {
    const entered = this.#fields.map(({ name, value }) => [name, value]);
    return Object.fromEntries(entered.filter(([name, value]) => value !== "" || name === "prompt"));
  }

  /** What to send, by name. */
  get request() {
    return { ...this.values, seed: this.seed.request };
  }

  /** What differs from a new form, by name. */
  get changes() {
    const { seed, ...others } = this.values;
    const changed = Object.entries(others).filter(([name, value]) => value !== this.#initial(name));
    return Object.fromEntries(this.seed.isFresh ? changed : [...changed, ["seed", seed]]);
  }

  /** Whether a job was made with these values. */
  isOf({ params, seed }) {
    const made = { ...params, seed: seed ?? params.seed, keepAlive: this.values.keepAlive };
    return this.#fields.every((field) => String(made[field.name] ?? field.default ?? "") === (field.value || String(field.default ?? "")));
  }

  /** Fills in a job's values; fields without one get the server's default. */
  fill(values) {
    for (const field of this.#fields) {
      field.fail(null);
      if (field === this.seed) field.take(values.seed);
      else field.set(values[field.name] ?? field.default);
    }
  }

  /** Fills in what a new form has. */
  reset() {
    this.fill(this.#start);
  }

  /** Fills in values, and for the rest what a new form has. */
  start(values) {
    this.fill({ ...this.#start, ...values });
  }

  /** What `restore` takes: also a random seed that is known. */
  get draft() {
    return { values: this.values, isFresh: this.seed.isFresh };
  }

  restore({ values, isFresh }) {
    this.start(values);
    this.seed.isFresh = isFresh;
  }

  /** Shows errors beside their fields; returns those that have no field here. */
  fail(errors) {
    for (const field of this.#fields) field.fail(null);
    const others = errors.filter(({ field, message }) => {
      this.field(field)?.fail(message);
      return !this.field(field);
    });
    const first = this.#fields.find((field) => field.isInvalid);
    if (first) {
      if (this.advanced.contains(first.element)) this.advanced.open = true;
      first.focus();
    }
    return others;
  }

  #initial(name) {
    return String(this.#start[name] ?? this.field(name).default ?? "");
  }

  #elements(names) {
    return names.map((name) => this.field(name)?.element).filter(Boolean);
  }

  /** Chips for the fields that the choices have; none where a field is missing. */
  #chips(legend, choices, describe, kind) {
    const names = Object.keys(choices[0]?.values ?? {});
    const fields = names.map((name) => [name, this.field(name)]);
    if (fields.length === 0 || fields.some(([, field]) => !field)) return null;
    return new Chips(legend, choices, Object.fromEntries(fields), describe, kind).element;
  }
}
