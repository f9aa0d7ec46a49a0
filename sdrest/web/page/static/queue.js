// The jobs that wait, and those that run beside the one on the stage: a row each.

import { arrange, h, setText, uniqueId } from "./dom.js";
import { secondsLeft } from "./estimate.js";
import { icon } from "./icons.js";
import { stateText, title } from "./job.js";
import { doneFraction } from "./store.js";

class Row {
  #title = h("h3", { id: uniqueId("waiting"), dir: "auto" });
  #state = h("p", { class: "state" });
  #bar = h("progress", { max: 1, "aria-labelledby": this.#title.id });
  #cancel;
  job = null;

  constructor(actions) {
    this.#cancel = h("button", { type: "button", class: "bare icon-button", title: "Cancel", "aria-label": "Cancel", onclick: () => actions.cancel(this.job) }, icon("close"));
    this.element = h("article", { class: "queue-row", "aria-labelledby": this.#title.id },
      h("div", { class: "queue-about" }, this.#title, this.#state, this.#bar), this.#cancel);
  }

  update(job) {
    this.job = job;
    this.element.dataset.status = job.status;
    setText(this.#title, title(job));
    setText(this.#state, job.waiting?.message ?? stateText(job, secondsLeft(job)));
    this.#bar.hidden = job.status !== "IN_PROGRESS";
    this.#bar.value = doneFraction(job);
  }
}

export class Queue {
  #rows = new Map();
  #actions;
  #list = h("div", { class: "queue-rows" });
  #count = h("p", { class: "hint" });
  #all;

  constructor(actions) {
    this.#actions = actions;
    this.#all = h("button", { type: "button", class: "bare", onclick: actions.cancelAll }, "Cancel all");
    this.element = h("div", { class: "queue" }, h("div", { class: "row" }, this.#count, this.#all), this.#list);
  }

  /** Shows `jobs` in their order; `active` counts them and the one on the stage. */
  show(jobs, active) {
    this.element.hidden = jobs.length === 0;
    this.#all.hidden = active < 2;
    setText(this.#count, `${jobs.length} more in the queue`);
    const known = new Set(jobs.map(({ resultUrl }) => resultUrl));
    for (const url of this.#rows.keys()) if (!known.has(url)) this.#rows.delete(url);
    arrange(this.#list, jobs.map((job) => this.#row(job)));
  }

  /** The element of a job, if it is shown. */
  row(url) {
    return this.#rows.get(url)?.element;
  }

  #row(job) {
    if (!this.#rows.has(job.resultUrl)) this.#rows.set(job.resultUrl, new Row(this.#actions));
    const row = this.#rows.get(job.resultUrl);
    if (row.job !== job) row.update(job);
    return row.element;
  }
}
