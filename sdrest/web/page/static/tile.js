// A picture of the gallery: its actions appear when it is pointed at or has the focus.

import * as api from "./api.js";
import { dragsPicture } from "./drag.js";
import { h, setText } from "./dom.js";
import { icon } from "./icons.js";
import { fileName, isReplaced, REPLACED, stateText, title, total } from "./job.js";

const SIZES = [256, 512, 1024];

/** The smallest thumbnail that looks sharp in a box of that size. */
function thumbnailSize({ width, height }) {
  const needed = Math.max(width, height) * window.devicePixelRatio;
  return SIZES.find((size) => size >= needed) ?? SIZES.at(-1);
}

export class Tile {
  #box = null;
  #size = 0;
  #parts;
  #actions;
  picture = null;

  /**
   * `actions`: `open(tile, event)`, `select(tile, event)`, `favourite(tile)`, `use(tile)`, `remove(tile)`,
   * `menu(tile, button)`, `measured(tile, ratio)`, `gone(tile)`: its file is not there.
   */
  constructor(actions) {
    this.#actions = actions;
    const tool = (name, label, action, key) =>
      h("button", { type: "button", class: "tile-tool", tabindex: -1, title: key ? `${label} (${key})` : label, "aria-label": label, onclick: action }, icon(name));
    const image = h("img", { alt: "", decoding: "async", draggable: "false" });
    this.#parts = {
      image,
      open: h("button", { type: "button", class: "tile-open", tabindex: -1, "aria-keyshortcuts": "F X Delete", onclick: (event) => actions.open(this, event) }, image),
      check: h("button", { type: "button", class: "tile-check", role: "checkbox", tabindex: -1, title: "Select (X)", onclick: (event) => actions.select(this, event) }, icon("check")),
      state: h("span", { class: "tile-state" }),
      prompt: h("p", { class: "tile-prompt", dir: "auto" }),
      favourite: tool("heart", "Favourite", () => actions.favourite(this), "F"),
      download: h("a", { class: "tile-tool", tabindex: -1, title: "Download", "aria-label": "Download" }, icon("download")),
      menu: tool("more", "More actions", () => actions.menu(this, this.#parts.menu)),
    };
    const p = this.#parts;
    p.menu.setAttribute("aria-haspopup", "menu");
    p.menu.classList.add("tile-menu");
    p.favourite.classList.add("tile-favourite");
    this.element = h("article", { class: "tile" }, p.open, p.check, p.state,
      h("div", { class: "tile-about" }, p.prompt,
        h("div", { class: "tile-tools" }, tool("reuse", "Reuse settings", () => actions.use(this)), p.download,
          tool("trash", "Delete", () => actions.remove(this), "Del"))),
      p.favourite, p.menu);
    image.addEventListener("load", () => {
      image.classList.add("loaded");
      actions.measured(this, image.naturalWidth / image.naturalHeight);
    });
    image.addEventListener("error", () => this.#size && this.#fallBack());
    dragsPicture(p.open, () => this.picture.url);
  }

  /** Shows `picture`: `{key, job, index, url, isFavourite}` with the whole job. */
  update(picture) {
    const before = this.picture;
    this.picture = picture;
    if (before && before.key !== picture.key) this.unload();
    if (before?.key === picture.key && before.job === picture.job && before.isFavourite === picture.isFavourite) return;
    const { job, index, url, isFavourite } = picture;
    const p = this.#parts;
    const note = isReplaced(job, url) ? REPLACED : "";
    const name = `${index + 1} of ${total(job)}: ${title(job)}`;
    p.open.setAttribute("aria-label", [`Picture ${name}`, note, isFavourite ? "Favourite" : ""].filter(Boolean).join(". "));
    p.check.setAttribute("aria-label", `Select picture ${name}`);
    setText(p.state, note || stateText(job));
    p.state.hidden = !p.state.textContent;
    setText(p.prompt, title(job));
    p.favourite.setAttribute("aria-pressed", String(isFavourite));
    p.favourite.replaceChildren(icon(isFavourite ? "heart-filled" : "heart"));
    p.download.href = url;
    p.download.download = fileName(job, url);
  }

  /** Moves to a box, `{left, top, width, height}` in pixels. */
  place(box) {
    const now = this.#box;
    if (now && now.left === box.left && now.top === box.top && now.width === box.width && now.height === box.height) return;
    this.#box = box;
    const { style } = this.element;
    style.transform = `translate(${box.left}px, ${box.top}px)`;
    style.width = `${box.width}px`;
    style.height = `${box.height}px`;
    this.element.classList.toggle("narrow", box.width < 150);
  }

  get box() {
    return this.#box;
  }

  /** Loads the thumbnail, in the size that is needed. */
  load() {
    const size = thumbnailSize(this.#box);
    if (this.#size >= size) return;
    this.#size = size;
    this.#parts.image.src = api.thumbnail(this.picture.url, size);
  }

  #fallBack() {
    this.#size = Infinity; // what cannot be shown is not loaded again
    if (this.#parts.image.src.includes("size=")) this.#parts.image.src = this.picture.url; // none is smaller
    else this.#actions.gone(this);
  }

  /** Ends the loading of a picture that is not seen any more. */
  unload() {
    this.#size = 0;
    this.#parts.image.removeAttribute("src");
    this.#parts.image.classList.remove("loaded");
  }

  /** Whether it is the gallery's tab stop. */
  set isStop(isStop) {
    this.#parts.open.tabIndex = isStop ? 0 : -1;
  }

  set isSelected(isSelected) {
    this.#parts.check.setAttribute("aria-checked", String(isSelected));
    this.element.classList.toggle("selected", isSelected);
  }

  focus(options) {
    this.#parts.open.focus(options);
  }
}
