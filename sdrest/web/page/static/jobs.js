// The lists of jobs: running and waiting ones above, the gallery below. Cards keep their elements.

import { arrange, h, setText } from "./dom.js";
import { Card } from "./card.js";
import { isActive } from "./store.js";

const EXAMPLES = [
  "a red house and a white boat on a lake at sunset, snowy mountains",
  "three green trees on a hill under a starry night sky",
  "a yellow circle on a blue background",
];
const MINUTE = 60_000;

/** Running jobs come first, then the queue in its order. */
function byTurn(a, b) {
  const turn = (job) => (job.status === "IN_PROGRESS" ? 0 : (job.position ?? Infinity));
  return turn(a) - turn(b) || a.createdAt.localeCompare(b.createdAt);
}

export class Jobs {
  #store;
  #actions;
  #cards = new Map();
  #now = h("div", { class: "now" });
  #gallery = h("div", { class: "gallery" });
  #more;
  #nowSection;
  #gallerySection;
  #empty;
  #count = h("span", { class: "count" });

  /** `actions` are those of cards, and `more()`, `suggest(prompt)`. */
  constructor(root, store, actions) {
    this.#store = store;
    this.#actions = actions;
    this.#more = h("button", { type: "button", class: "quiet more-jobs", onclick: actions.more }, "Show older jobs");
    this.#nowSection = h("section", { "aria-labelledby": "now-title" }, h("h2", { id: "now-title" }, "Under way", this.#count), this.#now);
    this.#gallerySection = h("section", { "aria-labelledby": "gallery-title" }, h("h2", { id: "gallery-title" }, "Gallery"), this.#gallery, this.#more);
    this.#empty = h("section", { class: "empty", "aria-labelledby": "empty-title" },
      h("h2", { id: "empty-title" }, "No pictures yet"),
      h("p", {}, "Describe what you would like to see, or start with one of these:"),
      h("ul", {}, EXAMPLES.map((prompt) => h("li", {}, h("button", { type: "button", class: "example", onclick: () => actions.suggest(prompt) }, prompt)))));
    root.append(this.#nowSection, this.#gallerySection, this.#empty);
    for (const section of [this.#nowSection, this.#gallerySection, this.#empty]) section.hidden = true;
    store.addEventListener("change", () => this.show());
    setInterval(() => this.#cards.forEach((card) => card.age()), MINUTE);
  }

  show() {
    const { all, nextCursor } = this.#store;
    const active = all.filter(isActive).sort(byTurn);
    const done = all.filter((job) => !isActive(job));
    this.#forget(new Set(all.map((job) => job.resultUrl)));
    this.#nowSection.hidden = active.length === 0;
    this.#gallerySection.hidden = done.length === 0;
    this.#empty.hidden = all.length > 0;
    this.#more.hidden = !nextCursor;
    setText(this.#count, active.length > 1 ? String(active.length) : "");
    arrange(this.#now, active.map((job) => this.#card(job)));
    arrange(this.#gallery, done.map((job) => this.#card(job)));
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
