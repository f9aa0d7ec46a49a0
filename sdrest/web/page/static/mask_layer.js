// The mask itself: what is painted, in the picture's own resolution, and how it is sent.

import { h } from "./dom.js";
import { pixels, readMask } from "./mask_file.js";
import { paintPng } from "./picture.js";
import { Strokes } from "./strokes.js";

const SOFT = 4;
const FINE = 4;

export class MaskLayer extends EventTarget {
  #strokes = new Strokes();
  #context;
  #feather = SOFT;
  canvas = h("canvas");

  /** Dispatches "change" after each change but the pieces of a stroke. */
  constructor() {
    super();
    this.#context = this.canvas.getContext("2d");
  }

  /** Makes the mask as large as a picture, and empty. */
  fit({ width, height }) {
    Object.assign(this.canvas, { width, height });
    this.#strokes.reset(this.#context);
    this.#changed();
  }

  /** Begins a stroke at `[x, y, diameter]` in pixels of the picture. */
  begin(point, erase) {
    this.#strokes.begin(this.#context, point, erase);
    this.#changed();
  }

  extend(point) {
    this.#strokes.extend(this.#context, point);
  }

  /** Does `undo`, `redo`, `invert`, `clear`, or `discard`: takes back the last stroke for good. */
  change(name) {
    this.#strokes[name](this.#context);
    this.#changed();
  }

  get canUndo() {
    return this.#strokes.canUndo;
  }

  get canRedo() {
    return this.#strokes.canRedo;
  }

  /** Pixels in which the repainted part fades into the picture. */
  get feather() {
    return this.#feather;
  }

  set feather(value) {
    this.#feather = value;
    this.#changed();
  }

  get isEmpty() {
    const { data } = pixels(this.canvas);
    for (let at = 3; at < data.length; at += 4) if (data[at] >= 128) return false;
    return true;
  }

  /** Adds the repainted parts of a mask in a file; returns whether there are any.
   *
   * `picture` is the one that the mask is for, as a blob.
   */
  async load(file, picture) {
    const { width, height } = this.canvas;
    const bitmap = await createImageBitmap(picture);
    const parts = await readMask(file, pixels(bitmap, width, height));
    bitmap.close();
    if (parts) this.#strokes.stamp(this.#context, parts);
    this.#changed();
    return parts !== null;
  }

  /** The mask as the server takes it: white where the picture is to change, else black.
   *
   * The server fades inwards. What is painted grows by half of that, so that the middle of a soft
   * edge is where the edge was painted.
   */
  png() {
    const { canvas } = this;
    const { width, height } = canvas;
    const radius = this.feather / 2;
    return paintPng(width, height, (context) => {
      context.drawImage(canvas, 0, 0);
      const directions = radius > FINE ? 16 : 8; // each costs time: a sixth of a second for 16 million pixels
      for (let turn = 0; radius && turn < directions; turn += 1) {
        const angle = (2 * Math.PI * turn) / directions;
        context.drawImage(canvas, radius * Math.cos(angle), radius * Math.sin(angle));
      }
      context.fillStyle = "white";
      context.globalCompositeOperation = "source-in";
      context.fillRect(0, 0, width, height);
      context.fillStyle = "black";
      context.globalCompositeOperation = "destination-over";
      context.fillRect(0, 0, width, height);
    });
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
