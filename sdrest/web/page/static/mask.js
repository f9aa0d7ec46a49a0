// The mask: a brush over the picture. The scripts repaint what is painted.
// Mouse, pen and finger draw; with the keyboard the arrow keys move the brush and Space lowers it.

import { announce } from "./announce.js";
import { h, uniqueId } from "./dom.js";
import { paintPng } from "./picture.js";
import { drawStroke, Strokes } from "./strokes.js";

const PAINT = "#ff5a1f";
const FIRST_SIZE = 12;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** A mask's white parts in our paint, the rest clear; null if nothing is white. */
async function whiteParts(file) {
  const bitmap = await createImageBitmap(file);
  let painted = false;
  const canvas = h("canvas", { width: bitmap.width, height: bitmap.height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  const image = context.getImageData(0, 0, canvas.width, canvas.height);
  for (let at = 0; at < image.data.length; at += 4) {
    const [red, green, blue, alpha] = image.data.subarray(at, at + 4);
    const white = (red + green + blue) / 3 >= 128 && alpha >= 128;
    image.data[at + 3] = white ? 255 : 0;
    painted ||= white;
  }
  if (!painted) return null;
  context.putImageData(image, 0, 0);
  context.globalCompositeOperation = "source-in";
  context.fillStyle = PAINT;
  context.fillRect(0, 0, canvas.width, canvas.height);
  return canvas;
}

export class Mask {
  #strokes = new Strokes();
  #context;
  #brush = h("div", { class: "brush", "aria-hidden": "true" });
  #size;
  #eraser;
  #error = h("p", { class: "field-error", hidden: true });
  #point = [0, 0];
  #down = false;

  /** `stage` is the element over whose picture the brush goes. */
  constructor(stage) {
    const id = uniqueId("mask");
    this.#error.id = `${id}-error`;
    this.canvas = h("canvas", {
      class: "mask",
      tabindex: 0,
      role: "application",
      "aria-label": "Mask over the picture",
      "aria-describedby": `${id}-hint ${id}-error`,
    });
    this.#context = this.canvas.getContext("2d");
    this.#size = h("input", { type: "range", id: `${id}-size`, min: 2, max: 50, value: FIRST_SIZE, oninput: () => this.#place() });
    this.#eraser = h("input", { type: "checkbox", id: `${id}-eraser` });
    const load = h("input", { type: "file", id: `${id}-file`, class: "unseen", accept: "image/*", onchange: () => this.#load(load) });
    stage.append(this.canvas, this.#brush);
    this.tools = h(
      "div",
      { class: "mask-tools shown-with-picture" },
      h("p", { class: "hint", id: `${id}-hint` },
        "Paint over what to repaint. By keyboard: arrow keys move the brush, Space lowers and lifts it, + and − change its size."),
      h("div", { class: "row" },
        h("label", { for: this.#size.id }, "Brush"), this.#size,
        h("label", { class: "check", for: this.#eraser.id }, this.#eraser, "Eraser"),
        h("button", { type: "button", class: "quiet", onclick: () => this.undo() }, "Undo"),
        h("button", { type: "button", class: "quiet", onclick: () => this.clear() }, "Clear"),
        load, h("label", { class: "quiet", for: load.id }, "Load a mask")),
      this.#error,
    );
    this.#listen();
  }

  /** Makes the mask as large as a picture, and empty. */
  fit({ width, height }) {
    Object.assign(this.canvas, { width, height });
    this.#point = [width / 2, height / 2];
    this.clear();
  }

  undo() {
    this.#lift();
    this.#strokes.undo();
    this.#redraw();
  }

  clear() {
    this.#lift();
    this.#strokes.clear();
    this.#redraw();
  }

  fail(message) {
    this.#error.hidden = !message;
    this.#error.textContent = message ?? "";
  }

  focus() {
    this.canvas.focus();
  }

  get isEmpty() {
    return this.#strokes.isEmpty;
  }

  /** The mask as the scripts want it: white where the picture is to change, else black. */
  png() {
    const { width, height } = this.canvas;
    return paintPng(width, height, (context) => {
      context.fillStyle = "white";
      context.fillRect(0, 0, width, height);
      context.globalCompositeOperation = "destination-in";
      context.drawImage(this.canvas, 0, 0);
      context.globalCompositeOperation = "destination-over";
      context.fillStyle = "black";
      context.fillRect(0, 0, width, height);
    });
  }

  /** The brush's diameter in pixels of the picture. */
  get #diameter() {
    return (Math.min(this.canvas.width, this.canvas.height) * this.#size.valueAsNumber) / 100;
  }

  #listen() {
    const { canvas } = this;
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      event.preventDefault();
      canvas.focus({ preventScroll: true });
      canvas.setPointerCapture(event.pointerId);
      this.#point = this.#at(event);
      this.#lower();
    });
    canvas.addEventListener("pointermove", (event) => {
      const events = event.getCoalescedEvents?.() ?? [];
      for (const each of events.length ? events : [event]) this.#move(this.#at(each));
    });
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => this.#lift());
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("blur", () => this.#lift());
  }

  #at({ clientX, clientY }) {
    const { left, top, width, height } = this.canvas.getBoundingClientRect();
    return [
      ((clientX - left) / width) * this.canvas.width,
      ((clientY - top) / height) * this.canvas.height,
    ];
  }

  #key(event) {
    if (event.key === "z" && (event.ctrlKey || event.metaKey)) this.undo();
    else if (event.ctrlKey || event.metaKey || event.altKey) return;
    else if (event.key in ARROWS) this.#step(ARROWS[event.key], event.shiftKey);
    else if (event.key === " ") this.#toggle();
    else if (event.key === "+" || event.key === "-") this.#resize(event.key === "+" ? 1 : -1);
    else if (event.key === "Escape") this.#lift();
    else return;
    event.preventDefault();
  }

  #step([x, y], far) {
    const length = this.#diameter / (far ? 1 : 3);
    const clamp = (value, most) => Math.max(0, Math.min(most, value));
    this.#move([
      clamp(this.#point[0] + x * length, this.canvas.width),
      clamp(this.#point[1] + y * length, this.canvas.height),
    ]);
  }

  #toggle() {
    if (this.#down) this.#lift();
    else this.#lower();
    announce(this.#down ? "Brush down" : "Brush up");
  }

  #resize(steps) {
    this.#size.valueAsNumber += steps * 2;
    this.#place();
  }

  #lower() {
    this.#down = true;
    this.fail(null);
    this.#strokes.begin({ erase: this.#eraser.checked, size: this.#diameter }, this.#point);
    this.#draw(this.#strokes.extend(this.#point));
    this.#place();
  }

  #lift() {
    this.#down = false;
    this.#place();
  }

  #move(point) {
    this.#point = point;
    if (this.#down) this.#draw(this.#strokes.extend(point));
    this.#place();
  }

  /** Paints the last piece of a stroke. */
  #draw(stroke) {
    this.#context.strokeStyle = PAINT;
    drawStroke(this.#context, stroke, stroke.points.length - 2);
  }

  #redraw() {
    this.#context.strokeStyle = PAINT;
    this.#strokes.draw(this.#context);
    this.fail(null);
  }

  /** Puts the ring that stands for the brush where the brush is. */
  #place() {
    const { width, height } = this.canvas;
    const [x, y] = this.#point;
    this.#brush.style.left = `${(x / width) * 100}%`;
    this.#brush.style.top = `${(y / height) * 100}%`;
    this.#brush.style.width = `${(this.#diameter / width) * 100}%`;
    this.#brush.classList.toggle("down", this.#down);
  }

  async #load(input) {
    const [file] = input.files;
    input.value = "";
    if (!file) return;
    try {
      const parts = await whiteParts(file);
      if (!parts) {
        this.fail(`${file.name} has no white parts. White parts of a mask are repainted.`);
        return;
      }
      this.#strokes.stamp(parts);
      this.#redraw();
    } catch {
      this.fail(`${file.name} cannot be read as a picture.`);
    }
  }
}
