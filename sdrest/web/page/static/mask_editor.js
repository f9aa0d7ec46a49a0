// The mask's editor over the whole window: brush, eraser, zoom. Mouse, pen, fingers and keyboard paint.

import { announce } from "./announce.js";
import { h, uniqueId } from "./dom.js";
import { BrushSize } from "./mask_brush.js";
import { icon } from "./icons.js";
import { Pointers } from "./mask_pointers.js";
import { Toolbar } from "./mask_toolbar.js";
import { View } from "./mask_view.js";

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const ZOOM = 1.25;
const SHARP = 3; // from this scale on pixels are shown as squares

const KEYS = "Wheel or pinch: zoom. Space and drag, or two fingers: move. [ and ]: brush size. E: eraser. Shift-click: a straight line. "
  + "By keyboard, the arrow keys move the brush, Space lowers and lifts it.";

export class MaskEditor {
  #layer;
  #picture = null;
  #dialog;
  #image = h("img", { alt: "" });
  #sheet = h("div", { class: "mask-sheet" });
  #window = h("div", { class: "mask-window" });
  #ring = h("div", { class: "brush", "aria-hidden": "true" });
  #scale = h("output", { "aria-label": "Zoom" });
  #purpose = h("p");
  #error = h("p", { class: "field-error", role: "alert", hidden: true });
  #status = h("p", { class: "unseen", role: "status" });
  #view = new View(() => this.#place());
  #size = new BrushSize(() => this.#place());
  #toolbar;
  #pointers;
  #point = [0, 0];
  #isDown = false;

  /** `closed()` is called when the editor closes. */
  constructor(layer, closed) {
    this.#layer = layer;
    this.#toolbar = new Toolbar(layer, this.#size, { load: (file) => this.#load(file), say: (text) => this.#say(text) });
    this.#build();
    this.#pointers = new Pointers(this.#window, this.#view, {
      lower: (point, pressure, event) => this.#lower(point, pressure, event.shiftKey),
      move: (point, pressure, type) => this.#move(point, pressure, type),
      lift: () => this.#lift(),
      cancel: () => this.#cancel(),
      leave: () => this.#ring.classList.remove("over"),
    });
    this.#listen(closed);
  }

  /** Opens for a picture: a URL of it, its bytes, and the sentence that says what the mask is for. */
  open(url, picture, purpose) {
    this.#picture = picture;
    this.#image.src = url;
    this.#purpose.textContent = purpose;
    this.#fail(null);
    if (!this.#dialog.isConnected) document.body.append(this.#dialog);
    const { width, height } = this.#layer.canvas;
    this.#sheet.style.width = `${width}px`;
    this.#sheet.style.height = `${height}px`;
    this.#point = [width / 2, height / 2];
    this.#size.fit(Math.min(width, height));
    if (!this.#dialog.open) this.#dialog.showModal();
    this.#view.resize(this.#window.clientWidth, this.#window.clientHeight);
    this.#view.open(width, height);
    this.#toolbar.show();
    this.#layer.canvas.focus();
  }

  close() {
    this.#dialog.close();
  }

  #build() {
    const id = uniqueId("mask");
    const { canvas } = this.#layer;
    const button = (name, title, action) =>
      h("button", { type: "button", class: "bare icon-button", title, "aria-label": title, onclick: action }, icon(name));
    for (const [name, value] of Object.entries({
      tabindex: 0, role: "application", "aria-label": "Mask over the picture", "aria-describedby": `${id}-keys`,
    })) canvas.setAttribute(name, value);
    canvas.classList.add("mask");
    this.#sheet.append(this.#image, canvas);
    this.#window.append(this.#sheet, this.#ring);
    this.#dialog = h("dialog", { class: "mask-editor", "aria-labelledby": `${id}-title` },
      h("div", { class: "mask-title" }, h("h2", { id: `${id}-title` }, "Mask"), this.#purpose),
      this.#toolbar.element,
      h("button", { type: "button", class: "primary mask-done", title: "Ctrl+Enter or Esc", onclick: () => this.close() }, "Done"),
      h("div", { class: "mask-area" }, this.#window,
        h("div", { class: "mask-zoom", role: "group", "aria-label": "Zoom" },
          button("minus", "Zoom out (−)", () => this.#view.zoom(1 / ZOOM)), this.#scale,
          button("plus", "Zoom in (+)", () => this.#view.zoom(ZOOM)),
          button("expand", "Fit to the window (0)", () => this.#view.fit()))),
      this.#error,
      h("p", { class: "hint mask-keys", id: `${id}-keys` }, KEYS),
      this.#status);
  }

  #listen(closed) {
    const dialog = this.#dialog;
    dialog.addEventListener("close", () => {
      this.#lift();
      closed();
    });
    dialog.addEventListener("cancel", (event) => {
      if (!this.#isDown) return;
      event.preventDefault();
      this.#lift();
    });
    dialog.addEventListener("keydown", (event) => this.#press(event));
    dialog.addEventListener("keyup", (event) => event.key === " " && this.#releaseSpace());
    dialog.addEventListener("click", (event) => {
      if (event.detail && event.target.closest("button, label")) this.#layer.canvas.focus(); // keys go on there
    });
    dialog.addEventListener("dragover", (event) => event.preventDefault());
    dialog.addEventListener("drop", (event) => {
      event.preventDefault();
      if (event.dataTransfer.files[0]) this.#load(event.dataTransfer.files[0]);
    });
    this.#layer.canvas.addEventListener("blur", () => this.#lift());
    this.#layer.addEventListener("change", () => this.#show());
    new ResizeObserver(() => {
      if (dialog.open) this.#view.resize(this.#window.clientWidth, this.#window.clientHeight);
    }).observe(this.#window);
  }

  #press(event) {
    const isCanvas = event.target === this.#layer.canvas;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (event.ctrlKey || event.metaKey) {
      this.#lift();
      if (key === "z" || key === "y") this.#toolbar.do(key === "y" || event.shiftKey ? "redo" : "undo");
      else if (key === "Enter") this.close();
      else return;
    } else if (event.altKey) return;
    else if (isCanvas && key in ARROWS) this.#step(ARROWS[key], event.shiftKey);
    else if (isCanvas && key === " ") this.#holdSpace();
    else if (key === "[" || key === "]") this.#size.change(key === "]" ? 1 : -1);
    else if (key === "+" || key === "=") this.#view.zoom(ZOOM);
    else if (key === "-") this.#view.zoom(1 / ZOOM);
    else if (key === "0") this.#view.fit();
    else if (key === "b" || key === "e") this.#toolbar.choose(key === "e");
    else return;
    event.preventDefault();
  }

  /** Held with a drag, Space moves the picture; pressed alone it lowers or lifts the brush. */
  #holdSpace() {
    if (this.#pointers.spaceIsHeld) return;
    this.#pointers.spaceIsHeld = true;
    this.#pointers.movedWithSpace = false;
    this.#window.classList.add("moving");
  }

  #releaseSpace() {
    if (!this.#pointers.spaceIsHeld) return;
    this.#pointers.spaceIsHeld = false;
    this.#window.classList.remove("moving");
    if (this.#pointers.movedWithSpace) return;
    if (this.#isDown) this.#lift();
    else this.#lower(this.#point, 1, false);
    this.#say(this.#isDown ? "Brush down" : "Brush up");
  }

  #step([x, y], far) {
    const length = this.#size.diameter / (far ? 1 : 3);
    const { width, height } = this.#layer.canvas;
    const clamp = (value, most) => Math.max(0, Math.min(most, value));
    this.#move([clamp(this.#point[0] + x * length, width), clamp(this.#point[1] + y * length, height)], 1, "keyboard");
    this.#view.reveal(this.#point);
  }

  #lower(point, pressure, straight) {
    const { canvas, canUndo } = this.#layer;
    const diameter = this.#size.diameter * pressure;
    const start = straight && canUndo ? this.#point : point;
    canvas.focus({ preventScroll: true });
    this.#layer.begin([...start, diameter], this.#toolbar.isErasing);
    this.#isDown = true;
    this.#move(point, pressure);
  }

  /** Moves the brush; `type` is that of the pointer. */
  #move(point, pressure, type) {
    if (this.#isDown) this.#layer.extend([...point, this.#size.diameter * pressure]);
    this.#point = point;
    this.#window.classList.toggle("with-ring", type !== "touch");
    this.#place();
  }

  #lift() {
    this.#isDown = false;
    this.#place();
  }

  #cancel() {
    this.#isDown = false;
    this.#layer.change("discard");
  }

  /** Puts the picture and the ring that stands for the brush where they are. */
  #place() {
    const { scale, offset } = this.#view;
    this.#sheet.style.transform = `translate(${offset[0]}px, ${offset[1]}px) scale(${scale})`;
    this.#sheet.classList.toggle("sharp", scale >= SHARP);
    const [x, y] = this.#view.toWindow(this.#point);
    this.#ring.style.transform = `translate(${x}px, ${y}px) translate(-50%, -50%)`;
    this.#ring.style.width = `${this.#size.diameter * scale}px`;
    this.#ring.classList.toggle("down", this.#isDown);
    this.#scale.value = `${Math.round(scale * 100)} %`;
  }

  /** Shows the mask's state beside what is painted. */
  #show() {
    const { canvas, feather } = this.#layer;
    canvas.style.setProperty("--softness", `${feather / 3.5}px`);
    this.#toolbar.show();
    this.#fail(null);
  }

  async #load(file) {
    try {
      if (await this.#layer.load(file, this.#picture)) this.#say("The mask is loaded.");
      else this.#fail(`${file.name} has no white parts. White parts of a mask are repainted.`);
    } catch {
      this.#fail(`${file.name} cannot be read as a picture.`);
    }
  }

  #fail(message) {
    this.#error.hidden = !message;
    this.#error.textContent = message ?? "";
  }

  /** Announces a sentence within the dialog too: what lies below it is silent. */
  #say(text) {
    announce(text);
    this.#status.textContent = text;
  }
}
