// Jobs without a picture: those that failed or were cancelled, as lines above the pictures.

import { arrange, h, setText, uniqueId } from "./dom.js";
import { icon } from "./icons.js";
import { stateText, title } from "./job.js";
import { ago } from "./words.js";

const SHOWN = 3;

class Line {
  #parts;
  job = null;

  constructor(actions) {
    const id = uniqueId("unfinished");
    const button = (name, label, action) =>
      h("button", { type: "button", class: "bare icon-button", title: label, "aria-label": label, onclick: () => action(this.job) }, icon(name));
    this.#parts = {
      title: h("p", { id, class: "line-title", dir: "auto" }),
      state: h("p", { class: "line-state" }),
      log: h("pre", {}),
    };
    const p = this.#parts;
    p.details = h("details", { class: "script" }, h("summary", {}, "Show log"), p.log);
    this.element = h("article", { class: "line", "aria-labelledby": id },
      icon("warning"), h("div", { class: "line-words" }, p.title, p.state, p.details),
      h("div", { class: "line-actions" }, button("redo", "Try again", actions.retry), button("reuse", "Reuse settings", actions.use), button("trash", "Delete", actions.remove)));
  }

  update(job) {
    this.job = job;
    const p = this.#parts;
    this.element.dataset.status = job.status;
    setText(p.title, title(job));
    setText(p.state, [stateText(job), job.error?.message, ago(job.createdAt)].filter(Boolean).join(" · "));
    setText(p.log, job.error?.details?.stderr ?? "");
    p.details.hidden = !p.log.textContent;
  }
}

export class Unfinished {
  #actions;
  #lines = new Map();
  #list = h("div", { class: "lines" });
  #all;
  #isOpen = false;
  #jobs = [];

  /** `actions`: `retry(job)`, `use(job)`, `remove(job)`. */
  constructor(actions) {
    this.#actions = actions;
    this.#all = h("button", { type: "button", class: "link", onclick: () => this.#toggle() });
    this.element = h("div", { class: "unfinished" }, this.#list, this.#all);
  }

  show(jobs) {
    this.#jobs = jobs;
    this.element.hidden = jobs.length === 0;
    const shown = this.#isOpen ? jobs : jobs.slice(0, SHOWN);
    const known = new Map();
    for (const job of shown) {
      const line = this.#lines.get(job.resultUrl) ?? new Line(this.#actions);
      if (line.job !== job) line.update(job);
      known.set(job.resultUrl, line);
    }
    this.#lines = known;
    arrange(this.#list, [...known.values()].map(({ element }) => element));
    this.#all.hidden = jobs.length <= SHOWN;
    setText(this.#all, this.#isOpen ? "Show fewer" : `Show all ${jobs.length} that failed or were cancelled`);
  }

  /** The line of a job, if it is shown. */
  line(url) {
    return this.#lines.get(url)?.element;
  }

  #toggle() {
    this.#isOpen = !this.#isOpen;
    this.show(this.#jobs);
  }
}
