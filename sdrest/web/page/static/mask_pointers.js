// Mouse, pen and fingers over the mask: one of them paints, two fingers zoom and move.
// The middle button, and the main one with Space held, move.

const MIDDLE = 1;
const WHEEL = 0.0018;
const PINCH_WHEEL = 0.01;
const LINE = 16; // pixels of a wheel's line

const distance = ([a, b]) => Math.hypot(a[0] - b[0], a[1] - b[1]);
const middle = ([a, b]) => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];

/** The brush's share of its diameter: a pen's pressure. */
const pressure = ({ pointerType, pressure: value }) => (pointerType === "pen" && value > 0 ? value : 1);

export class Pointers {
  #area;
  #view;
  #brush;
  #down = new Map();
  #mode = null;
  spaceIsHeld = false;
  movedWithSpace = false;

  /** `brush` has the functions `lower`, `move`, `lift`, `cancel` and `leave`; points are the picture's. */
  constructor(area, view, brush) {
    this.#area = area;
    this.#view = view;
    this.#brush = brush;
    area.addEventListener("pointerdown", (event) => this.#press(event));
    area.addEventListener("pointermove", (event) => this.#drag(event));
    for (const name of ["pointerup", "pointercancel"]) area.addEventListener(name, (event) => this.#release(event));
    area.addEventListener("pointerleave", () => this.#brush.leave());
    area.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    area.addEventListener("auxclick", (event) => event.preventDefault()); // no paste by the middle button
  }

  #at({ clientX, clientY }) {
    const { left, top } = this.#area.getBoundingClientRect();
    return [clientX - left, clientY - top];
  }

  #press(event) {
    if (event.button !== 0 && event.button !== MIDDLE) return;
    event.preventDefault();
    this.#area.setPointerCapture(event.pointerId);
    this.#down.set(event.pointerId, this.#at(event));
    if (this.#down.size === 2) {
      if (this.#mode === "paint") this.#brush.cancel();
      this.#mode = "pinch";
    } else if (this.#down.size === 1) {
      const moves = event.button === MIDDLE || this.spaceIsHeld;
      this.#mode = moves ? "pan" : "paint";
      if (this.spaceIsHeld) this.movedWithSpace = true;
      if (!moves) this.#brush.lower(this.#view.toPicture(this.#at(event)), pressure(event), event);
    }
    this.#area.classList.toggle("moving", this.#mode !== "paint");
  }

  #drag(event) {
    const before = this.#down.get(event.pointerId);
    const point = this.#at(event);
    if (!before || this.#mode === "paint") {
      const events = event.getCoalescedEvents?.() ?? [];
      for (const each of events.length ? events : [event]) {
        this.#brush.move(this.#view.toPicture(this.#at(each)), pressure(each), event.pointerType);
      }
    }
    if (!before) return;
    const pair = [...this.#down.values()];
    this.#down.set(event.pointerId, point);
    if (this.#mode === "pan") this.#view.pan(point[0] - before[0], point[1] - before[1]);
    else if (this.#mode === "pinch" && pair.length === 2) this.#pinch(pair, [...this.#down.values()]);
  }

  #pinch(before, after) {
    const [from, to] = [middle(before), middle(after)];
    this.#view.pan(to[0] - from[0], to[1] - from[1]);
    this.#view.zoom(distance(after) / Math.max(distance(before), 1), to);
  }

  #release(event) {
    if (!this.#down.delete(event.pointerId)) return;
    if (this.#mode === "paint") this.#brush.lift();
    if (this.#down.size === 0) this.#mode = null;
    this.#area.classList.toggle("moving", this.#mode !== null || this.spaceIsHeld);
  }

  /** The wheel zooms, with Shift it moves sideways; a touchpad's pinch is a wheel with Ctrl. */
  #wheel(event) {
    event.preventDefault();
    const unit = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? LINE : 1;
    if (event.shiftKey) this.#view.pan(-(event.deltaX || event.deltaY) * unit, 0);
    else this.#view.zoom(Math.exp(-event.deltaY * unit * (event.ctrlKey ? PINCH_WHEEL : WHEEL)), this.#at(event));
  }
}
