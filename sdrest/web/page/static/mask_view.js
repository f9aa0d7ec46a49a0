// Where a picture lies in a window that shows it: its scale and its offset, in CSS pixels.

const LARGEST = 32;
const MARGIN = 16;
const KEPT = 48;

const clamp = (value, least, most) => Math.max(least, Math.min(most, value));

export class View {
  #window = [1, 1];
  #size = [1, 1];
  #moved;
  #isFitted = true;
  scale = 1;
  offset = [0, 0];

  /** `moved()` is called after each change. */
  constructor(moved) {
    this.#moved = moved;
  }

  /** Takes another picture, and shows all of it. */
  open(width, height) {
    this.#size = [width, height];
    this.fit();
  }

  /** Takes the window's size; what was in its middle stays there. */
  resize(width, height) {
    const [before, after] = [this.#window, [width, height]];
    this.#window = after;
    if (this.#isFitted) this.fit();
    else this.pan((after[0] - before[0]) / 2, (after[1] - before[1]) / 2);
  }

  /** Shows the whole picture as large as the window allows. */
  fit() {
    this.scale = this.#fitting;
    this.offset = [0, 1].map((axis) => (this.#window[axis] - this.#size[axis] * this.scale) / 2);
    this.#isFitted = true;
    this.#moved();
  }

  /** Changes the scale by a factor; the point `about` of the window keeps its place. */
  zoom(factor, about = this.#window.map((side) => side / 2)) {
    const scale = clamp(this.scale * factor, Math.min(this.#fitting / 2, 1), LARGEST);
    const change = scale / this.scale;
    this.scale = scale;
    this.offset = this.offset.map((value, axis) => about[axis] - (about[axis] - value) * change);
    this.#isFitted = false;
    this.pan(0, 0);
  }

  /** Moves the picture; a part of it always stays in the window. */
  pan(x, y) {
    this.offset = [x, y].map((by, axis) => clamp(
      this.offset[axis] + by, KEPT - this.#size[axis] * this.scale, this.#window[axis] - KEPT));
    if (x || y) this.#isFitted = false;
    this.#moved();
  }

  /** Moves the picture only as far as needed to have a point of it in the window. */
  reveal(point) {
    const by = this.toWindow(point).map((value, axis) =>
      clamp(value, MARGIN, this.#window[axis] - MARGIN) - value);
    if (by[0] || by[1]) this.pan(...by);
  }

  /** The point of the picture at a point of the window. */
  toPicture(point) {
    return point.map((value, axis) => (value - this.offset[axis]) / this.scale);
  }

  toWindow(point) {
    return point.map((value, axis) => value * this.scale + this.offset[axis]);
  }

  get #fitting() {
    const room = this.#window.map((side) => Math.max(side - 2 * MARGIN, 1));
    return clamp(Math.min(room[0] / this.#size[0], room[1] / this.#size[1]), 0.01, LARGEST);
  }
}
