// The buttons of the mask's editor.

import { h, uniqueId } from "./dom.js";
import { icon } from "./icons.js";

const SOFTEST = 64;

/** What the buttons do with the mask, the sentence that says it, the icon and the keys. */
const CHANGES = {
  undo: ["Undo", "Undone.", "undo", "Ctrl+Z"],
  redo: ["Redo", "Done again.", "redo", "Ctrl+Shift+Z"],
  invert: ["Invert", "The mask is inverted.", "invert"],
  clear: ["Clear", "The mask is empty.", "trash"],
};

export class Toolbar {
  #layer;
  #say;
  #buttons = {};
  #brush;
  #eraser;
  #feather;
  #softness = h("output");
  isErasing = false;

  /** `size` is the brush's; `load(file)` takes a mask from a file, `say(text)` announces a sentence. */
  constructor(layer, size, { load, say }) {
    this.#layer = layer;
    this.#say = say;
    const id = uniqueId("mask");
    const tool = (name, title, key, erases) => h("button", {
      type: "button", class: "bare icon-button", title: `${title} (${key})`, "aria-label": title, "aria-pressed": String(!erases),
      onclick: () => this.choose(erases),
    }, icon(name));
    this.#brush = tool("brush", "Brush", "B", false);
    this.#eraser = tool("eraser", "Eraser", "E", true);
    for (const [name, [title, , image, keys]] of Object.entries(CHANGES)) {
      this.#buttons[name] = h("button", {
        type: "button", class: "bare icon-button", title: keys ? `${title} (${keys})` : title, "aria-label": title, onclick: () => this.do(name),
      }, icon(image));
    }
    this.#feather = h("input", { type: "range", id: `${id}-feather`, min: 0, max: SOFTEST, value: layer.feather,
      oninput: () => (layer.feather = this.#feather.valueAsNumber) });
    const file = h("input", { type: "file", class: "unseen", id: `${id}-file`, accept: "image/*", onchange: () => {
      const [chosen] = file.files;
      if (chosen) load(chosen);
      file.value = "";
    } });
    this.element = h("div", { class: "mask-bar", role: "group", "aria-label": "Tools" },
      h("div", { class: "mask-group" }, this.#brush, this.#eraser),
      size.element,
      h("div", { class: "mask-group" }, Object.values(this.#buttons)),
      h("div", { class: "mask-slider", title: "Pixels in which the new part fades into the picture" },
        h("label", { for: this.#feather.id }, "Soft edge"), this.#feather, this.#softness),
      h("div", { class: "mask-group" }, file, h("label", { class: "bare mask-file", for: file.id, title: "From a picture: its white, painted or transparent parts" },
        icon("upload"), h("span", {}, "Load a mask"))));
  }

  /** Chooses the brush or the eraser. */
  choose(isErasing) {
    this.isErasing = isErasing;
    this.#brush.setAttribute("aria-pressed", String(!isErasing));
    this.#eraser.setAttribute("aria-pressed", String(isErasing));
    this.#say(isErasing ? "Eraser" : "Brush");
  }

  /** Does what a button does: `undo`, `redo`, `invert`, `clear`. */
  do(name) {
    if (this.#buttons[name].getAttribute("aria-disabled") === "true") return;
    this.#layer.change(name);
    this.#say(CHANGES[name][1]);
  }

  /** Shows what can be undone, and how soft the edge is. */
  show() {
    const { canUndo, canRedo, feather } = this.#layer;
    this.#buttons.undo.setAttribute("aria-disabled", String(!canUndo));
    this.#buttons.redo.setAttribute("aria-disabled", String(!canRedo));
    this.#softness.value = feather ? `${feather} px` : "off";
    this.#feather.setAttribute("aria-valuetext", this.#softness.value);
  }
}
