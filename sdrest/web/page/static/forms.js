// A form from a request's JSON schema. All that this file knows about parameters is which come first.

import { h } from "./dom.js";
import { Field, isFixed, ModelField, SeedField } from "./fields.js";

const FIRST = ["prompt", "negativePrompt", "model", "strength", "iterations", "steps", "width", "height", "seed"];

const CLASSES = { model: ModelField, seed: SeedField };

function byImportance(a, b) {
  return FIRST.indexOf(a.name) - FIRST.indexOf(b.name);
}

export class ParameterForm {
  #fields;
  #details;

  constructor(schema) {
    this.#fields = Object.entries(schema.properties)
      .filter(([, property]) => !isFixed(property))
      .map(([name, property]) => new (CLASSES[name] ?? Field)(name, property, schema.$defs));
    const first = this.#fields.filter(({ name }) => FIRST.includes(name)).sort(byImportance);
    const more = this.#fields.filter(({ name }) => !FIRST.includes(name));
    this.#details = more.length
      ? h("details", { class: "more" }, h("summary", {}, "More settings"),
          h("div", { class: "fields" }, more.map(({ element }) => element)))
      : null;
    this.elements = [
      h("div", { class: "fields first" }, first.map(({ element }) => element)),
      this.#details,
    ].filter(Boolean);
  }

  get seed() {
    return this.field("seed");
  }

  field(name) {
    return this.#fields.find((field) => field.name === name);
  }

  /** What is entered, by name; empty fields are left out. */
  get values() {
    const entered = this.#fields.map(({ name, value }) => [name, value]);
    return Object.fromEntries(entered.filter(([name, value]) => value !== "" || name === "prompt"));
  }

  /** What to send, by name. */
  get request() {
    const { request } = this.seed;
    const { seed, ...others } = this.values;
    return request === "" ? others : { ...others, seed: request };
  }

  /** Fills in values; fields without one get their default. */
  fill(values) {
    for (const field of this.#fields) {
      field.fail(null);
      field.set(values[field.name] ?? field.default);
    }
  }

  /** Shows errors beside their fields; returns those that have no field here. */
  fail(errors) {
    for (const field of this.#fields) field.fail(null);
    const others = errors.filter(({ field, message }) => {
      this.field(field)?.fail(message);
      return !this.field(field);
    });
    const first = this.#fields.find(({ name }) => errors.some(({ field }) => field === name));
    if (first) {
      if (this.#details?.contains(first.element)) this.#details.open = true;
      first.focus();
    }
    return others;
  }
}
