// The input picture: dropped, pasted, chosen, or taken from the gallery.

import { announce } from "./announce.js";
import { h, uniqueId } from "./dom.js";
import { openPicture } from "./picture.js";

const imageFile = ({ files }) => [...files].find(({ type }) => type.startsWith("image/"));

/** Whether a paste is text for a field; word processors add a picture of the text. */
const isText = ({ clipboardData, target }) =>
  clipboardData.types.includes("text/plain") && target.matches("textarea, input");

export class Upload extends EventTarget {
  #input;
  #preview = h("img", { alt: "The picture to start from" });
  #note = h("p", { class: "hint" });
  #error = h("p", { class: "field-error", role: "alert", hidden: true });
  #file = null;
  picture = null;

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
    this.stage = h("div", { class: "stage" }, this.#preview);
    this.element = h(
      "div",
      { class: "upload" },
      this.#input,
      h("label", { class: "drop", for: id }, h("strong", {}, "Choose a picture"), " or drop or paste one here"),
      this.stage,
      h("div", { class: "row shown-with-picture" }, this.#note,
        h("button", { type: "button", class: "quiet", onclick: () => this.#input.click() }, "Another picture"),
        h("button", { type: "button", class: "quiet", onclick: () => this.clear() }, "Remove")),
      this.#error,
    );
    this.clear();
  }

  /** The file that the picture was opened from. */
  get file() {
    return this.#file;
  }

  /** Takes pictures that are dropped on `area` or pasted; calls `open()` before to show the form. */
  listen(area, open) {
    area.addEventListener("dragover", (event) => {
      if (!event.dataTransfer.types.includes("Files")) return;
      event.preventDefault();
      area.classList.add("dragging");
    });
    area.addEventListener("dragleave", () => area.classList.remove("dragging"));
    area.addEventListener("drop", (event) => {
      event.preventDefault();
      area.classList.remove("dragging");
      const file = imageFile(event.dataTransfer) ?? event.dataTransfer.files[0]; // some have no type
      if (!file) return;
      open();
      this.take(file);
    });
    document.addEventListener("paste", (event) => {
      const file = imageFile(event.clipboardData);
      if (!file || isText(event)) return;
      event.preventDefault();
      open();
      this.take(file);
    });
  }

  /** Shows a file's picture, or an error below if it is not one. */
  async take(file, options) {
    try {
      const picture = await openPicture(file, options);
      this.#show(file, picture);
    } catch (error) {
      this.fail(error.message);
      this.#error.scrollIntoView({ block: "nearest" });
    }
  }

  clear() {
    URL.revokeObjectURL(this.#preview.src);
    this.#preview.removeAttribute("src");
    this.#input.value = "";
    this.#set(null);
  }

  fail(message) {
    this.#error.hidden = !message;
    this.#error.textContent = message ?? "";
  }

  focus() {
    this.#input.focus();
  }

  #show(file, picture) {
    this.#file = file;
    URL.revokeObjectURL(this.#preview.src);
    this.#preview.src = URL.createObjectURL(picture.blob);
    this.#input.value = "";
    const { width, height, shrunkFrom } = picture;
    this.#note.replaceChildren(`${width} × ${height} `);
    if (shrunkFrom) {
      this.#note.append(
        `, made smaller from ${shrunkFrom.join(" × ")} to save memory. `,
        h("button", { type: "button", class: "link", onclick: () => this.take(this.#file, { whole: true }) }, "Use its full size"),
      );
    }
    this.#set(picture);
    announce(`Picture taken, ${width} by ${height} pixels.`);
  }

  #set(picture) {
    this.picture = picture;
    this.fail(null);
    this.element.classList.toggle("has-picture", picture !== null);
    this.dispatchEvent(new Event("picture"));
  }
}
