// A job on the page: its pictures, its status, its actions.

import * as api from "./api.js";
import { arrange, h, setText, uniqueId } from "./dom.js";
import { Grain } from "./grain.js";
import { DurationEstimate } from "./estimate.js";
import { Preview } from "./preview.js";
import { facts, isReplaced, REPLACED, replaced, stateText, summary, title, total } from "./job.js";
import { doneFraction, isActive } from "./store.js";
import { pictures } from "./words.js";

export { facts, isReplaced, REPLACED, title, total };

const MAX_TILES = 9;
const THUMBNAILS = [256, 512, 1024];
const TILE = { one: 320, several: 160 };
/** Returns the thumbnail size that looks sharp; the first picture may span several tiles. */
function thumbnailSize(index, count) {
  const shown = (index > 0 && count > 2 ? TILE.several : TILE.one) * window.devicePixelRatio;
  return THUMBNAILS.find((size) => size >= shown) ?? THUMBNAILS.at(-1);
}

export class Card {
  #estimate = new DurationEstimate();
  #tiles = new Map();
  #grains = new Map();
  #actions;
  #parts;
  job = null;

  /** `actions` are the functions that the buttons call, each with the job. */
  constructor(actions) {
    this.#actions = actions;
    const id = uniqueId("job");
    const button = (text, action, kind = "quiet") =>
      h("button", { type: "button", class: kind, onclick: () => action(this.job) }, text);
    this.#parts = {
      tiles: h("div", { class: "tiles" }),
      heading: h("h3", { id }),
      state: h("p", { class: "state" }),
      bar: h("progress", { max: 1, value: 0, "aria-labelledby": id }),
      error: h("p", { class: "job-error" }),
      more: h("pre", {}),
      facts: h("p", { class: "facts" }),
      cancel: button("Cancel", actions.cancel),
      retry: button("Try again", actions.retry),
      use: button("Reuse settings", actions.use),
      download: h("a", { class: "quiet" , download: ""}, "Download"),
      remove: button("Delete", actions.remove),
    };
    this.#parts.details = h("details", { class: "script" }, h("summary", {}, "Show log"), this.#parts.more);
    const p = this.#parts;
    this.element = h("article", { class: "card", "aria-labelledby": id },
      p.tiles,
      h("div", { class: "about" }, p.heading, p.state, p.bar, p.error, p.details, p.facts,
        h("div", { class: "actions" }, p.cancel, p.retry, p.use, p.download, p.remove)));
  }

  update(job) {
    this.job = job;
    if (job.status === "IN_PROGRESS") this.#estimate.record(doneFraction(job));
    this.element.dataset.status = job.status;
    this.#showState(job);
    this.#showActions(job);
    this.#showTiles(job);
  }

  /** Updates how long ago the job was made. */
  age() {
    setText(this.#parts.facts, summary(this.job));
  }

  #showState(job) {
    const p = this.#parts;
    setText(p.heading, title(job));
    p.heading.title = title(job);
    const text = [stateText(job, this.#estimate.remaining()), replaced(job)].filter(Boolean).join(" · ");
    setText(p.state, text);
    p.state.hidden = !text;
    p.bar.hidden = job.status !== "IN_PROGRESS";
    p.bar.value = doneFraction(job);
    const problem = job.error ?? job.waiting;
    setText(p.error, problem?.message ?? "");
    p.error.hidden = !problem;
    setText(p.more, job.error?.details?.stderr ?? "");
    p.details.hidden = !job.error?.details?.stderr;
    this.age();
  }

  #showActions(job) {
    const p = this.#parts;
    const active = isActive(job);
    const shown = { cancel: active, retry: job.status === "FAILED" || job.status === "CANCELLED", use: true, remove: !active };
    for (const [name, isShown] of Object.entries(shown)) this.#toggle(p[name], isShown);
    const urls = job.imageUrls ?? [];
    p.download.hidden = active || urls.length !== 1;
    if (!p.download.hidden) p.download.href = urls[0];
  }

  /** Hides a button without losing the focus that may be on it. */
  #toggle(button, isShown) {
    const hadFocus = button === document.activeElement;
    button.hidden = !isShown;
    if (hadFocus && !isShown) this.#parts.use.focus();
  }

  #showTiles(job) {
    const urls = job.imageUrls ?? [];
    for (const url of this.#tiles.keys()) if (!urls.includes(url)) this.#tiles.delete(url); // it may be made again
    const count = isActive(job) ? total(job) : urls.length;
    const shown = Math.min(count, MAX_TILES);
    const first = isActive(job) ? Math.max(0, Math.min(urls.length - MAX_TILES + 1, count - MAX_TILES)) : 0;
    const tiles = Array.from({ length: shown }, (_, place) => this.#tile(job, first + place, urls));
    arrange(this.#parts.tiles, tiles);
    this.#parts.tiles.dataset.count = shown;
    this.#parts.tiles.hidden = shown === 0;
    const last = tiles.at(-1);
    const hidden = count - first - shown;
    for (const tile of tiles) delete tile.dataset.more;
    if (last && hidden > 0) last.dataset.more = `+${hidden}`;
  }

  #tile(job, index, urls) {
    const url = urls[index];
    if (url) return this.#image(job, index, url);
    const { currentImageIndex, currentImageProgress } = job.progress ?? {};
    const isCurrent = currentImageIndex === index + 1;
    const grain = this.#grain(job, index);
    grain.show(isCurrent ? currentImageProgress : 0);
    grain.preview.show(isCurrent ? job.preview : null);
    return grain.tile;
  }

  #grain(job, index) {
    if (!this.#grains.has(index)) {
      const grain = new Grain(Number.parseInt(job.resultUrl.slice(-8), 16) + index * 7919);
      grain.preview = new Preview();
      grain.tile = h("div", { class: "tile" }, grain.element, grain.preview.element);
      this.#grains.set(index, grain);
    }
    return this.#grains.get(index);
  }

  #image(job, index, url) {
    if (!this.#tiles.has(url)) {
      const image = h("img", { alt: "", loading: "lazy", decoding: "async" });
      image.addEventListener("error", () => (image.src = url), { once: true }); // none is smaller
      image.src = api.thumbnail(url, thumbnailSize(index, total(job)));
      const name = `Picture ${index + 1} of ${pictures(total(job))}: ${title(job)}`;
      const note = isReplaced(job, url) ? h("span", { class: "replaced" }, REPLACED) : null;
      const label = note ? `${name}. ${REPLACED}` : name;
      const tile = h("button", { type: "button", class: "tile", "aria-label": label, onclick: () => this.#actions.view(this.job, index) }, image, note);
      this.#tiles.set(url, tile);
    }
    return this.#tiles.get(url);
  }
}
