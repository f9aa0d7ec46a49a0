// The settings that a picture's file carries: ours, or those of AUTOMATIC1111's web UI and its kin.

import * as api from "./api.js";
import { h } from "./dom.js";

const READABLE = new Set(["image/png", "image/jpeg", "image/webp"]);
const STEP = 64;

const side = (value) => (value ? String(Math.max(STEP, Math.round(Number(value) / STEP) * STEP)) : undefined);
const given = (values) => Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined && value !== ""));

/** The web UI's settings under our names. */
function translated(parameters) {
  const sampler = parameters.Sampler?.toLowerCase();
  return given({
    prompt: parameters.Prompt,
    negativePrompt: parameters["Negative prompt"],
    steps: parameters.Steps,
    guidanceScale: parameters["CFG scale"],
    seed: parameters.Seed,
    width: side(parameters["Size-1"]),
    height: side(parameters["Size-2"]),
    sampler: sampler === "plms" ? sampler : undefined,
  });
}

/** Resolves to `{type, values, model}` of a file: `model` is a model's name; null if it has no settings. */
async function settingsOf(file) {
  if (!READABLE.has(file.type)) return null;
  const { items, parameters } = await api.settingsOf(file);
  const ours = items.sdrest && JSON.parse(items.sdrest);
  if (ours?.params) return { type: ours.type, values: given({ ...ours.params, seed: ours.seed }) };
  if (!parameters.Steps && !parameters.Prompt) return null;
  return { type: "text-to-image", values: translated(parameters), model: parameters.Model };
}

/** Offers the settings that a picture's file carries. */
export class SettingsOffer {
  #use;
  #file = null;
  element = h("div", { class: "embedded row", hidden: true });

  /** `use({type, values, model})` takes the settings. */
  constructor(use) {
    this.#use = use;
  }

  /** Looks at another file, or at none. */
  async show(file) {
    this.#file = file;
    this.element.hidden = true;
    const found = file && (await settingsOf(file).catch(() => null)); // it is a picture all the same
    if (!found || file !== this.#file) return;
    this.element.replaceChildren(h("p", {}, "This file contains the settings it was made with."),
      h("button", { type: "button", class: "quiet", onclick: () => this.#take(found) }, "Reuse settings"));
    this.element.hidden = false;
    this.element.scrollIntoView({ block: "nearest" });
  }

  #take(found) {
    this.element.hidden = true;
    this.#use(found);
  }
}
