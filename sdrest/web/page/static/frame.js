// The large picture: a placeholder, then what it looks like so far, then the picture, all in one place.

import * as api from "./api.js";
import { h, setText } from "./dom.js";
import { icon } from "./icons.js";
import { isReplaced, REPLACED, sizeOf, title, total } from "./job.js";
import { Preview } from "./preview.js";
import { sourceOf } from "./sources.js";
import { doneFraction, isActive } from "./store.js";
import { percent } from "./words.js";

const SIZES = [256, 512, 1024];

export class Frame {
  #view;
  #index = 0;
  #shown = null;
  #source = h("img", { class: "frame-source", alt: "", hidden: true });
  #mask = h("div", { class: "frame-mask", hidden: true });
  #text = h("p", { "aria-hidden": "true" });
  #sign = h("div", { class: "frame-sign" });
  #blank;
  #preview = new Preview();
  #image = h("img", { alt: "", decoding: "async" });
  #note = h("span", { class: "replaced", hidden: true }, REPLACED);
  #open;
  #picture;

  /** `view(index)` opens the picture that is shown. */
  constructor(view) {
    this.#view = view;
    this.#blank = h("div", { class: "frame-blank" }, this.#source, this.#mask, h("div", { class: "frame-state" }, this.#sign, this.#text));
    this.#open = h("button", { type: "button", class: "frame-open", hidden: true, onclick: () => this.#view(this.#index) }, this.#image, this.#note);
    this.#picture = h("div", { class: "frame-picture" }, this.#blank, this.#open, this.#preview.element);
    this.element = h("div", { class: "frame" }, this.#picture);
    this.#image.addEventListener("load", () => this.#fit(this.#image));
    this.#preview.element.addEventListener("load", () => this.#image.src || this.#fit(this.#preview.element));
    this.#source.addEventListener("load", () => this.#open.hidden && this.#fit(this.#source));
  }

  /** Shows a job's picture of that index; below 0, its placeholder. `preview` is the address of what the next one looks like. */
  show(job, index, preview) {
    const url = job.imageUrls?.[index];
    const source = sourceOf(job.resultUrl); // which comes with the answer, after the first events
    const isOther = this.#shown?.job !== job.resultUrl || this.#shown.source !== source;
    this.#index = index;
    if (isOther) this.#reset(job, source);
    this.#showImage(job, url, index);
    this.#preview.show(preview);
    this.#showBlank(job, !url);
    this.#shown = { job: job.resultUrl, url, source };
  }

  #reset(job, source) {
    const { width, height } = sizeOf(job);
    if (width && height) this.#ratio(width / height);
    this.#source.hidden = !source;
    this.#mask.hidden = !source?.mask;
    if (source) this.#source.src = source.image;
    if (source?.mask) this.#mask.style.maskImage = `url("${source.mask}")`;
  }

  #showImage(job, url, index) {
    this.#open.hidden = !url;
    if (!url) {
      this.#image.removeAttribute("src");
      return;
    }
    this.#open.setAttribute("aria-label", `Enlarge picture ${index + 1} of ${total(job)}: ${title(job)}`);
    this.#note.hidden = !isReplaced(job, url);
    if (this.#shown?.url === url) return;
    this.#load(url);
  }

  /** Replaces the picture once the other one can be drawn, so that nothing blinks. */
  async #load(url) {
    const needed = Math.max(this.element.clientWidth, this.element.clientHeight) * window.devicePixelRatio;
    const size = SIZES.find((side) => side >= needed) ?? SIZES.at(-1);
    const next = new Image();
    next.src = api.thumbnail(url, size);
    const source = await next.decode().then(() => next.src, () => url); // none is smaller
    if (this.#shown?.url === url) this.#image.src = source;
  }

  #showBlank(job, isBlank) {
    this.#blank.hidden = !isBlank;
    if (!isBlank) return;
    this.#blank.classList.toggle("busy", job.status === "IN_PROGRESS");
    const [name, text] = sign(job);
    if (this.#sign.dataset.name !== name) this.#sign.replaceChildren(icon(name));
    this.#sign.dataset.name = name;
    setText(this.#text, text);
  }

  #fit({ naturalWidth, naturalHeight }) {
    if (naturalWidth && naturalHeight) this.#ratio(naturalWidth / naturalHeight);
  }

  #ratio(ratio) {
    this.element.closest("article").style.setProperty("--ratio", ratio.toFixed(4)); // the filmstrip's, too
  }
}

/** The icon and the few words of a placeholder. */
function sign(job) {
  if (job.status === "IN_PROGRESS") return ["image", percent(doneFraction(job))];
  if (isActive(job)) return ["clock", ""];
  return ["warning", ""];
}
