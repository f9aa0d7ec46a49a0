// The gallery: every job that has ended. Cards keep their elements.

import { arrange, h } from "./dom.js";
import { Card } from "./card.js";
import { isActive } from "./store.js";

const MINUTE = 60_000;

export class Jobs {
  #store;
  #actions;
  #cards = new Map();
  #list = h("div", { class: "gallery" });
  #root;
  #more;

  /** `actions` are those of cards, and `more()`. */
  constructor(root, store, actions) {
    this.#root = root;
    this.#store = store;
    this.#actions = actions;
    this.#more = h("button", { type: "button", class: "quiet more-jobs", onclick: actions.more }, "Load more");
    root.append(h("h2", { id: "gallery-title" }, "Gallery"), this.#list, this.#more);
    root.hidden = true;
    store.addEventListener("change", () => this.show());
    setInterval(() => this.#cards.forEach((card) => card.age()), MINUTE);
  }

  show() {
    const { all, nextCursor } = this.#store;
    const done = all.filter((job) => !isActive(job));
    this.#forget(new Set(done.map((job) => job.resultUrl)));
    this.#root.hidden = done.length === 0;
    this.#more.hidden = !nextCursor;
    arrange(this.#list, done.map((job) => this.#card(job)));
  }

  /** The element of a job, if it is shown. */
  element(url) {
    return this.#cards.get(url)?.element;
  }

  #card(job) {
    let card = this.#cards.get(job.resultUrl);
    if (!card) {
      card = new Card(this.#actions);
      this.#cards.set(job.resultUrl, card);
    }
    if (card.job !== job) card.update(job);
    return card.element;
  }

  #forget(known) {
    for (const url of this.#cards.keys()) if (!known.has(url)) this.#cards.delete(url);
  }
}
