// The mask in the form: what it is for, a small view of it, and the way into its editor.

import { h, uniqueId } from "./dom.js";
import { icon } from "./icons.js";
import { MaskEditor } from "./mask_editor.js";
import { pixels } from "./mask_file.js";
import { MaskLayer } from "./mask_layer.js";

/** What a mask is for, by the type of the job. */
const PURPOSES = {
  "inpaint-image": "Paint over what should go; the gap is filled. No prompt needed.",
  "image-to-image": "Paint over what should change; the prompt says what comes there.",
};

const THUMBNAIL = 640;

/** Whether a picture has about the colour of our paint. */
async function isWarm(blob) {
  const bitmap = await createImageBitmap(blob);
  const { data } = pixels(bitmap, 16, 16);
  bitmap.close();
  const sum = (channel) => data.reduce((all, value, at) => all + (at % 4 === channel ? value : 0), 0);
  return sum(0) > 1.25 * sum(2);
}

export class Mask {
  #upload;
  #layer = new MaskLayer();
  #editor = null;
  #thumbnail = h("canvas", { class: "mask-thumbnail", "aria-hidden": "true", onclick: () => this.edit() });
  #button;
  #purpose = "";
  #hint = h("p", { class: "hint" });
  #error = h("p", { class: "field-error", role: "alert", hidden: true });

  /** `upload` is the `Upload` whose picture the mask is for. */
  constructor(upload) {
    this.#upload = upload;
    this.#error.id = uniqueId("mask-error");
    this.#button = h("button", { type: "button", class: "quiet paint", "aria-describedby": this.#error.id, onclick: () => this.edit() },
      icon("brush"), "Paint the mask");
    this.tools = h("div", { class: "mask-tools shown-with-picture" }, this.#hint, this.#error);
    upload.actions.append(this.#button);
    upload.stage.firstChild.after(this.#thumbnail);
    upload.addEventListener("picture", () => this.#take(upload.picture));
    this.#layer.addEventListener("change", () => this.fail(null));
  }

  /** Says what the mask is for in a job of this type. */
  set type(type) {
    this.#purpose = PURPOSES[type] ?? "";
    this.#hint.textContent = type === "image-to-image" ? this.#purpose : ""; // inpainting's form says it
  }

  /** Opens the editor over the whole window. */
  edit() {
    if (!this.#upload.picture) return;
    this.#editor ??= new MaskEditor(this.#layer, () => this.#closed());
    this.#editor.open(this.#upload.url, this.#upload.picture.blob, this.#purpose);
  }

  fail(message) {
    this.#error.hidden = !message;
    this.#error.textContent = message ?? "";
  }

  focus() {
    this.#button.focus();
  }

  get isEmpty() {
    return this.#layer.isEmpty;
  }

  /** Pixels in which the repainted part fades into the picture: the request's `feather`. */
  get feather() {
    return this.#layer.feather;
  }

  /** The mask as a PNG of the picture's size: white where the picture is to change, else black. */
  png() {
    return this.#layer.png();
  }

  /** Begins again for another picture, in a colour that differs from the picture's. */
  #take(picture) {
    if (!picture) {
      this.#editor?.close();
      return;
    }
    this.#layer.fit(picture);
    this.#show();
    isWarm(picture.blob).then((warm) => {
      for (const canvas of [this.#thumbnail, this.#layer.canvas]) canvas.classList.toggle("on-warm", warm);
    });
  }

  /** Goes on in the form, wherever the editor was opened. */
  #closed() {
    this.#show();
    if (this.#upload.picture) this.focus();
  }

  /** Draws the small view, when the editor closes. */
  #show() {
    const { width, height } = this.#layer.canvas;
    const scale = Math.min(1, THUMBNAIL / Math.max(width, height));
    Object.assign(this.#thumbnail, { width: width * scale, height: height * scale });
    this.#thumbnail.getContext("2d").drawImage(this.#layer.canvas, 0, 0, this.#thumbnail.width, this.#thumbnail.height);
    this.#button.lastChild.data = this.#layer.canUndo ? "Change the mask" : "Paint the mask";
  }
}
