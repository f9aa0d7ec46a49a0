// The stage: what is in progress or waits; before the first picture, what one could make.

import { arrange, h } from "./dom.js";
import { Card } from "./card.js";
import { isActive } from "./store.js";

const EXAMPLES = [
  "a red house and a white boat on a lake at sunset, snowy mountains",
  "three green trees on a hill under a starry night sky",
  "a yellow circle on a blue background",
];

/** Running jobs come first, then the queue in its order. */
function byTurn(a, b) {
  const turn = (job) => (job.status === "IN_PROGRESS" ? 0 : (job.position ?? Infinity));
  return turn(a) - turn(b) || a.createdAt.localeCompare(b.createdAt);
}

export class Stage {
  #root;
  #store;
  #actions;
  #cards = new Map();
  #list = h("div", { class: "now" });
  #empty;

  /** `actions` are those of cards, and `suggest(prompt)`. */
  constructor(root, store, actions) {
    this.#root = root;
    this.#store = store;
    this.#actions = actions;
    this.#empty = h("div", { class: "empty" },
      h("h2", {}, "No pictures yet"),
      h("p", {}, "Describe what you would like to see, or start with one of these:"),
      h("ul", {}, EXAMPLES.map((prompt) => h("li", {}, h("button", { type: "button", class: "quiet", onclick: () => actions.suggest(prompt) }, prompt)))));
    root.append(this.#list, this.#empty);
    root.hidden = true;
    store.addEventListener("change", () => this.show());
  }

  show() {
    const { all } = this.#store;
    const active = all.filter(isActive).sort(byTurn);
    this.#root.hidden = active.length === 0 && all.length > 0;
    this.#empty.hidden = all.length > 0;
    arrange(this.#list, active.map((job) => this.#card(job)));
    for (const url of this.#cards.keys()) if (!active.some((job) => job.resultUrl === url)) this.#cards.delete(url);
  }

  /** The element of a job, if it is shown. */
  element(url) {
    return this.#cards.get(url)?.element;
  }

  #card(job) {
    if (!this.#cards.has(job.resultUrl)) this.#cards.set(job.resultUrl, new Card(this.#actions));
    const card = this.#cards.get(job.resultUrl);
    if (card.job !== job) card.update(job);
    return card.element;
  }
}
