// A job's pictures in a row; one of them is on the stage.

import * as api from "./api.js";
import { arrange, h } from "./dom.js";
import { isReplaced, REPLACED, title, total } from "./job.js";
import { isActive } from "./store.js";

const SIZE = 256;

export class Filmstrip {
  #choose;
  #frames = new Map();
  #job = null;
  element = h("div", { class: "filmstrip", role: "group", "aria-label": "Pictures of this job" });

  /** `choose(index)` shows a picture. */
  constructor(choose) {
    this.#choose = choose;
    this.element.addEventListener("keydown", (event) => this.#key(event));
  }

  show(job, index) {
    const urls = job.imageUrls ?? [];
    const count = isActive(job) ? total(job) : urls.length;
    if (this.#job !== job.resultUrl) this.#frames.clear();
    this.#job = job.resultUrl;
    this.element.hidden = count < 2;
    if (this.element.hidden) return arrange(this.element, []);
    const before = this.element.querySelector("[aria-current]");
    arrange(this.element, Array.from({ length: count }, (_, place) => this.#frame(job, place, urls[place])));
    for (const [place, frame] of [...this.element.children].entries()) {
      if (place === index) frame.setAttribute("aria-current", "true");
      else frame.removeAttribute("aria-current");
      if (place < urls.length) frame.tabIndex = place === Math.min(index, urls.length - 1) ? 0 : -1;
    }
    const current = this.element.children[index];
    if (current && current !== before) this.#reveal(current);
  }

  #frame(job, place, url) {
    const key = url ?? place;
    if (!this.#frames.has(key)) this.#frames.set(key, url ? this.#picture(job, place, url) : h("div", { class: "film" }));
    return this.#frames.get(key);
  }

  #picture(job, place, url) {
    const image = h("img", { alt: "", src: api.thumbnail(url, SIZE), loading: "lazy", decoding: "async" });
    image.addEventListener("error", () => (image.src = url), { once: true }); // none is smaller
    const name = `Picture ${place + 1} of ${total(job)}: ${title(job)}`;
    const label = isReplaced(job, url) ? `${name}. ${REPLACED}` : name;
    return h("button", { type: "button", class: "film", "aria-label": label, onclick: () => this.#choose(place) }, image);
  }

  /** Scrolls the strip alone, not the page. */
  #reveal(frame) {
    const { offsetLeft, offsetTop, offsetWidth, offsetHeight } = frame;
    const { clientWidth, clientHeight } = this.element;
    this.element.scrollTo({ left: offsetLeft + offsetWidth / 2 - clientWidth / 2, top: offsetTop + offsetHeight / 2 - clientHeight / 2 });
  }

  #key(event) {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const frames = [...this.element.querySelectorAll("button")];
    const next = frames[frames.indexOf(event.target) + step];
    if (!next) return;
    event.preventDefault();
    next.click();
    next.focus();
  }
}
