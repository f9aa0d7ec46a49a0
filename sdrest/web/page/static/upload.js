// The input picture: dropped, pasted, chosen, or taken from the gallery.

import { announce } from "./announce.js";
import * as api from "./api.js";
import { carriesPicture, droppedPicture, pastedPicture } from "./drag.js";
import { h, uniqueId } from "./dom.js";
import { sentence } from "./errors.js";
import { icon } from "./icons.js";
import { maxBytes, openPicture } from "./picture.js";

export class Upload extends EventTarget {
  #input;
  #preview = h("img", { alt: "The picture to start from" });
  #note = h("p", { class: "hint" });
  #error = h("p", { class: "field-error", role: "alert", hidden: true });
  #limits = null;
  #file = null;
  #isOurs = false;
  /** What is sent: `{blob, width, height}`, or null. */
  picture = null;

  /** Dispatches "picture" when there is another picture, or none. */
  constructor() {
    super();
    const id = uniqueId("image");
    this.#error.id = `${id}-error`;
    this.#input = h("input", {
      type: "file",
      class: "unseen",
      id,
      accept: "image/*",
      "aria-describedby": `${id}-error`,
      onchange: () => this.#input.files[0] && this.take(this.#input.files[0]),
    });
    const button = (title, image, action) =>
      h("button", { type: "button", class: "quiet icon-button", title, "aria-label": title, onclick: action }, icon(image));
    this.actions = h("div", { class: "row input-facts shown-with-picture" }, this.#note);
    this.stage = h("div", { class: "input-picture" }, this.#preview,
      h("div", { class: "input-corner" },
        button("Another picture", "image", () => this.#input.click()),
        button("Remove", "close", () => this.clear())));
    this.element = h(
      "div",
      { class: "upload" },
      this.#input,
      h("label", { class: "drop", for: id },
        icon("image"), h("span", {}, h("strong", {}, "Choose a picture"), ", drop or paste one, or drag one from the gallery")),
      this.stage,
      this.actions,
      this.#error,
    );
    this.clear();
  }

  /** The file that was given, before it was made smaller or became a PNG; null if it is of the gallery, or too large to send. */
  get file() {
    return this.#file && !this.#isOurs && this.#file.size <= maxBytes(this.#limits) ? this.#file : null;
  }

  /** What the picture shows, as a URL for `img`. */
  get url() {
    return this.#preview.src;
  }

  /** Takes pictures that are dropped on `area` or pasted; calls `open()` before to show the form. */
  listen(area, open) {
    area.addEventListener("dragover", (event) => {
      if (!carriesPicture(event.dataTransfer)) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = "copy";
      area.classList.add("dragging");
    });
    area.addEventListener("dragleave", (event) => event.relatedTarget || area.classList.remove("dragging"));
    area.addEventListener("drop", (event) => {
      area.classList.remove("dragging");
      if (event.defaultPrevented || !carriesPicture(event.dataTransfer)) return;
      event.preventDefault();
      const { url, file } = droppedPicture(event) ?? {};
      if (!url && !file) return;
      open();
      if (url) this.takeUrl(url);
      else this.take(file);
    });
    document.addEventListener("paste", (event) => {
      const file = event.defaultPrevented ? null : pastedPicture(event);
      if (!file) return;
      event.preventDefault();
      open();
      this.take(file);
    });
  }

  /** Shows a file's picture, or an error below if it is not one. */
  async take(file, options) {
    try {
      this.#limits ??= await api.limits().catch(() => null);
      const picture = await openPicture(file, { ...options, limits: this.#limits });
      this.#show(file, picture, options?.isOurs);
    } catch (error) {
      this.fail(error.message);
      this.#error.scrollIntoView({ block: "nearest" });
    }
  }

  /** Takes a picture of this server. */
  async takeUrl(url) {
    try {
      const blob = await api.image(url);
      await this.take(new File([blob], url.split("/").at(-1), { type: blob.type }), { isOurs: true });
    } catch (error) {
      this.fail(sentence(error));
    }
  }

  clear() {
    URL.revokeObjectURL(this.#preview.src);
    this.#preview.removeAttribute("src");
    this.#input.value = "";
    this.#file = null;
    this.#set(null);
  }

  fail(message) {
    this.#error.hidden = !message;
    this.#error.textContent = message ?? "";
  }

  focus() {
    this.#input.focus();
  }

  #show(file, picture, isOurs = file === this.#file && this.#isOurs) {
    this.#file = file;
    this.#isOurs = isOurs;
    URL.revokeObjectURL(this.#preview.src);
    this.#preview.src = URL.createObjectURL(picture.blob);
    this.#input.value = "";
    this.#describe(picture);
    this.#set(picture);
    announce(`Picture taken, ${picture.width} by ${picture.height} pixels.`);
  }

  /** Says the size, and offers the full one if the picture was made smaller. */
  #describe({ width, height, shrunkFrom, excess }) {
    const size = `${width} × ${height}`;
    if (!shrunkFrom) this.#note.replaceChildren(size);
    else if (excess) this.#note.replaceChildren(`${size}, made smaller from ${shrunkFrom.join(" × ")}. ${excess}`);
    else {
      this.#note.replaceChildren(`${size}, made smaller from ${shrunkFrom.join(" × ")} to save memory. `,
        h("button", { type: "button", class: "link", onclick: () => this.take(this.#file, { whole: true }) }, "Use its full size"));
    }
  }

  #set(picture) {
    this.picture = picture;
    this.fail(null);
    this.element.classList.toggle("has-picture", picture !== null);
    this.dispatchEvent(new Event("picture"));
  }
}
