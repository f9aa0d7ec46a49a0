// The gallery's bar: search, type, favourites, size of the pictures, selecting.

import { h } from "./dom.js";
import { icon } from "./icons.js";
import { typeName } from "./words.js";

const TYPES = ["text-to-image", "image-to-image", "inpaint-image"];
const HEIGHTS = { S: 130, M: 210, L: 340 };
const PAUSE = 250;
const KEPT = "sdrest.gallery.size";

export class FilterBar {
  #actions;
  #search;
  #type;
  #favourite;
  #sizes;
  #select;
  #size = localStorage.getItem(KEPT) in HEIGHTS ? localStorage.getItem(KEPT) : "M";
  #timer = null;

  /** `actions`: `filter({q, type, favourite})`, `size()`, `select(isOn)`. */
  constructor(actions) {
    this.#actions = actions;
    this.#search = h("input", { type: "search", placeholder: "Search prompts", "aria-label": "Search prompts", maxlength: 200, autocomplete: "off", oninput: () => this.#later() });
    this.#type = h("select", { "aria-label": "Type", onchange: () => this.#apply() },
      h("option", { value: "" }, "All types"), TYPES.map((type) => h("option", { value: type }, typeName(type))));
    this.#favourite = this.#button("heart", "Favourites only", () => this.#toggle(this.#favourite));
    this.#select = this.#button("select", "Select pictures", () => actions.select(!this.isSelecting));
    this.#sizes = Object.keys(HEIGHTS).map((size) =>
      h("button", { type: "button", class: "size", "aria-label": `${{ S: "Small", M: "Medium", L: "Large" }[size]} pictures`, onclick: () => this.#resize(size) }, size));
    this.#showSize();
    this.element = h("div", { class: "gallery-bar" },
      h("h2", { id: "gallery-title" }, "Gallery"),
      h("div", { class: "gallery-search" }, icon("search"), this.#search),
      this.#type, this.#favourite, this.#select,
      h("div", { class: "sizes", role: "group", "aria-label": "Size" }, this.#sizes));
  }

  #button(name, label, action) {
    return h("button", { type: "button", class: "bare icon-button", title: label, "aria-label": label, "aria-pressed": "false", onclick: action }, icon(name));
  }

  /** The height of rows in pixels; on a phone two pictures fit side by side. */
  get height() {
    return Math.min(HEIGHTS[this.#size], Math.max(90, innerWidth * { S: 0.25, M: 0.42, L: 0.8 }[this.#size]));
  }

  get isSelecting() {
    return this.#select.ariaPressed === "true";
  }

  set isSelecting(isOn) {
    this.#select.ariaPressed = String(isOn);
  }

  /** Shows all pictures again. */
  clear() {
    this.#search.value = "";
    this.#type.value = "";
    this.#favourite.ariaPressed = "false";
    this.#apply();
    this.#search.focus();
  }

  #toggle(button) {
    button.ariaPressed = String(button.ariaPressed !== "true");
    this.#apply();
  }

  #later() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#apply(), PAUSE);
  }

  #apply() {
    clearTimeout(this.#timer);
    this.#actions.filter({ q: this.#search.value.trim(), type: this.#type.value, favourite: this.#favourite.ariaPressed === "true" });
  }

  #resize(size) {
    this.#size = size;
    localStorage.setItem(KEPT, size);
    this.#showSize();
    this.#actions.size();
  }

  #showSize() {
    for (const button of this.#sizes) button.ariaPressed = String(button.textContent === this.#size);
  }
}
