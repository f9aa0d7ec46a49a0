// What was painted, as a list of strokes: undo is leaving the last one out.

export class Strokes {
  #list = [];

  get isEmpty() {
    return this.#list.length === 0;
  }

  /** Begins a stroke at a point in pixels of the picture. */
  begin({ erase, size }, point) {
    this.#list.push({ erase, size, points: [point] });
  }

  /** Goes on with the last stroke, and returns it. */
  extend(point) {
    const stroke = this.#list.at(-1);
    stroke.points.push(point);
    return stroke;
  }

  /** Adds a picture's white parts as if they had been painted. */
  stamp(bitmap) {
    this.#list.push({ bitmap });
  }

  undo() {
    this.#list.pop();
  }

  clear() {
    this.#list.length = 0;
  }

  /** Clears the canvas and paints all strokes. */
  draw(context) {
    context.clearRect(0, 0, context.canvas.width, context.canvas.height);
    for (const stroke of this.#list) drawStroke(context, stroke);
  }
}

/** Paints one stroke from its point `from` on. */
export function drawStroke(context, { bitmap, erase, size, points }, from = 0) {
  context.globalCompositeOperation = erase ? "destination-out" : "source-over";
  if (bitmap) {
    context.drawImage(bitmap, 0, 0, context.canvas.width, context.canvas.height);
    return;
  }
  context.lineWidth = size;
  context.lineCap = context.lineJoin = "round";
  context.beginPath();
  context.moveTo(...points[from]);
  for (const point of points.slice(from)) context.lineTo(...point);
  context.stroke();
}
