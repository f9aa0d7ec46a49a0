// What was done to a mask, as a list of operations. Undo leaves the last one out and draws the rest again.

export const PAINT = "#ff5a1f";

/** Paints one operation: a stroke from its point `from` on, a bitmap, an inversion, or a clearing. */
function paint(context, { kind, bitmap, erase, points }, from = 0) {
  const { width, height } = context.canvas;
  context.fillStyle = context.strokeStyle = PAINT;
  context.globalCompositeOperation = erase ? "destination-out" : "source-over";
  if (kind === "clear") context.clearRect(0, 0, width, height);
  else if (kind === "bitmap") context.drawImage(bitmap, 0, 0, width, height);
  else if (kind === "invert") {
    context.globalCompositeOperation = "source-out";
    context.fillRect(0, 0, width, height);
  } else drawLine(context, points.slice(from));
}

/** Draws through points `[x, y, diameter]`; each piece is as thick as its end. */
function drawLine(context, points) {
  context.lineCap = "round";
  let [before] = points;
  for (const [x, y, diameter] of points) {
    context.beginPath();
    if (x === before[0] && y === before[1]) { // lines without a length are not drawn
      context.arc(x, y, diameter / 2, 0, 2 * Math.PI);
      context.fill();
    } else {
      context.lineWidth = diameter;
      context.moveTo(before[0], before[1]);
      context.lineTo(x, y);
      context.stroke();
    }
    before = [x, y];
  }
}

export class Strokes {
  #done = [];
  #undone = [];

  get canUndo() {
    return this.#done.length > 0;
  }

  get canRedo() {
    return this.#undone.length > 0;
  }

  /** Begins a stroke at `[x, y, diameter]` in pixels of the picture, and paints it. */
  begin(context, point, erase) {
    this.#add(context, { kind: "stroke", erase, points: [point] });
  }

  /** Goes on with the stroke that was begun last. */
  extend(context, point) {
    const stroke = this.#done.at(-1);
    stroke.points.push(point);
    paint(context, stroke, stroke.points.length - 2);
  }

  /** Adds a bitmap's opaque parts, in the canvas's size. */
  stamp(context, bitmap) {
    this.#add(context, { kind: "bitmap", bitmap });
  }

  invert(context) {
    this.#add(context, { kind: "invert" });
  }

  clear(context) {
    this.#add(context, { kind: "clear" });
  }

  undo(context) {
    if (!this.canUndo) return;
    this.#undone.push(this.#done.pop());
    this.#draw(context);
  }

  redo(context) {
    if (!this.canRedo) return;
    const operation = this.#undone.pop();
    this.#done.push(operation);
    paint(context, operation);
  }

  /** Takes the last operation back for good. */
  discard(context) {
    this.#done.pop();
    this.#draw(context);
  }

  /** Forgets everything. */
  reset(context) {
    this.#done.length = this.#undone.length = 0;
    this.#draw(context);
  }

  #add(context, operation) {
    this.#undone.length = 0;
    this.#done.push(operation);
    paint(context, operation);
  }

  #draw(context) {
    paint(context, { kind: "clear" });
    const start = this.#done.findLastIndex(({ kind }) => kind === "clear");
    for (const operation of this.#done.slice(start + 1)) paint(context, operation);
  }
}
