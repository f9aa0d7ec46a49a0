// The tiles near the part of the gallery that one sees; the others have no elements.

import { arrange, h } from "./dom.js";
import { GAP, layout, visibleRows } from "./rows.js";
import { Tile } from "./tile.js";

const MARGIN = 600;
const CALM = 120;

export class RowsView {
  #actions;
  #tiles = new Map();
  #rows = [];
  #placed = new Map();
  #starts = new Set();
  #shape = "";
  #drawn = "";
  #frame = 0;
  #timer = null;
  #isFast = false;
  #lastY = 0;
  #lastTime = 0;
  /** The key of the picture that is the tab stop, which always has an element. */
  stop = null;
  element = h("div", { class: "rows" });

  /** `actions` are those of tiles, and `near()` where the end is near. */
  constructor(actions) {
    this.#actions = actions;
    addEventListener("scroll", () => this.#scrolled(), { passive: true });
    addEventListener("resize", () => this.#later());
  }

  /** Shows `pictures` in rows of about `height` pixels: new ones from the beginning; else, what one looks at keeps its place. */
  show(pictures, height, { isNew = false } = {}) {
    const width = Math.floor(this.element.clientWidth);
    if (!width) return;
    const shape = `${width} ${height}`;
    if (shape !== this.#shape || isNew) this.#starts = new Set();
    const anchor = this.#anchor();
    this.#shape = shape;
    const { rows, height: total, starts } = layout(pictures, width, height, this.#starts);
    this.#rows = rows;
    this.#starts = starts;
    this.#placed = new Map();
    for (const [row, { top, height: size, tiles }] of rows.entries()) {
      for (const tile of tiles) this.#placed.set(tile.key, { picture: tile, row, box: { left: tile.left, top, width: tile.width, height: size } });
    }
    this.element.style.height = `${total}px`;
    if (isNew) this.#rewind();
    else this.#restore(anchor);
    this.draw(true);
  }

  /** The width of the rows in pixels. */
  get width() {
    return Math.floor(this.element.clientWidth);
  }

  /** The height in pixels that the header and the gallery's bar cover. */
  get #free() {
    return Number.parseFloat(getComputedStyle(this.element).scrollMarginTop) || 0;
  }

  /** The tile of a picture, if it has an element. */
  tile(key) {
    return this.#tiles.get(key);
  }

  get tiles() {
    return [...this.#tiles.values()];
  }

  /** Scrolls to a picture and returns its tile. */
  reveal(key) {
    const found = this.#placed.get(key);
    if (!found) return undefined;
    const top = this.element.getBoundingClientRect().top + found.box.top;
    const room = innerHeight - found.box.height - GAP;
    if (top < this.#free) scrollBy(0, top - this.#free);
    else if (top > room) scrollBy(0, top - Math.max(this.#free, room));
    this.draw();
    return this.#tiles.get(key);
  }

  /** The key of the picture `step` places away, or in the next row (`up`, `down`); undefined at an end. */
  neighbour(key, direction) {
    const found = this.#placed.get(key);
    if (!found) return undefined;
    const row = this.#rows[found.row];
    const index = row.tiles.findIndex((tile) => tile.key === key);
    switch (direction) {
      case "left": return row.tiles[index - 1]?.key ?? this.#rows[found.row - 1]?.tiles.at(-1).key;
      case "right": return row.tiles[index + 1]?.key ?? this.#rows[found.row + 1]?.tiles[0].key;
      case "first": return this.#rows[0].tiles[0].key;
      case "last": return this.#rows.at(-1).tiles.at(-1).key;
      default: {
        const middle = found.box.left + found.box.width / 2;
        const other = this.#rows[found.row + (direction === "up" ? -1 : 1)];
        return other?.tiles.toSorted((a, b) => Math.abs(a.left + a.width / 2 - middle) - Math.abs(b.left + b.width / 2 - middle))[0].key;
      }
    }
  }

  /** Makes the elements of what is near, and removes the others; `isForced`: pictures or places may have changed. */
  draw(isForced = false) {
    const { top } = this.element.getBoundingClientRect();
    const [first, end] = visibleRows(this.#rows, -top - MARGIN, -top + innerHeight + MARGIN);
    if (end >= this.#rows.length) this.#actions.near();
    const drawn = `${first} ${end} ${this.stop}`;
    if (!isForced && drawn === this.#drawn) return;
    this.#drawn = drawn;
    const kept = this.#placed.get(this.stop);
    const rows = this.#rows.slice(first, end);
    if (kept && kept.row < first) rows.unshift({ tiles: [kept.picture] });
    if (kept && kept.row >= end) rows.push({ tiles: [kept.picture] });
    const keys = new Set(rows.flatMap(({ tiles }) => tiles.map(({ key }) => key)));
    const free = [...this.#tiles].filter(([key]) => !keys.has(key)).map(([, tile]) => tile);
    const shown = new Map([...keys].map((key) => [key, this.#make(key, free)]));
    for (const tile of free) tile.unload();
    this.#tiles = shown;
    arrange(this.element, [...shown.values()].map(({ element }) => element));
    if (!this.#isFast) this.#load();
  }

  /** Returns the tile of a picture: its own, one of the `free` ones, or a new one. */
  #make(key, free) {
    const { picture, box } = this.#placed.get(key);
    const own = this.#tiles.get(key);
    const tile = own ?? free.pop() ?? new Tile(this.#actions);
    tile.update(picture);
    tile.place(box);
    if (!own) this.#actions.made(tile);
    return tile;
  }

  #load() {
    for (const tile of this.#tiles.values()) tile.load();
  }

  #scrolled() {
    const now = performance.now();
    const speed = Math.abs(scrollY - this.#lastY) / Math.max(1, now - this.#lastTime);
    this.#isFast = speed > 3; // pixels per millisecond: nobody sees these pictures
    this.#lastY = scrollY;
    this.#lastTime = now;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#isFast = false;
      this.#load();
    }, CALM);
    this.#later();
  }

  #later() {
    if (this.#frame) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      if (`${this.width} ` !== this.#shape.slice(0, this.#shape.indexOf(" ") + 1)) this.#actions.resized();
      else this.draw();
    });
  }

  /** The first picture in view and where it is; null while the gallery's beginning is in view. */
  #anchor() {
    const { top } = this.element.getBoundingClientRect();
    if (top >= this.#free) return null;
    const [first] = visibleRows(this.#rows, this.#free - top, this.#free - top);
    const row = this.#rows[first];
    return row ? { keys: row.tiles.map(({ key }) => key), offset: top + row.top } : null;
  }

  /** Scrolls back to the beginning, where that is above. */
  #rewind() {
    const { top } = this.element.getBoundingClientRect();
    if (top < this.#free) scrollBy({ top: top - this.#free, behavior: "instant" });
  }

  #restore(anchor) {
    const found = anchor?.keys.map((key) => this.#placed.get(key)).find(Boolean);
    if (!found) return;
    const moved = this.element.getBoundingClientRect().top + found.box.top - anchor.offset;
    if (moved) scrollBy({ top: moved, behavior: "instant" });
  }
}
