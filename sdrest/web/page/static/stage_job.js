// The job on the stage: its picture, the filmstrip of all its pictures, what it is, what to do with it.

import { h, setText, uniqueId } from "./dom.js";
import { secondsLeft } from "./estimate.js";
import { Filmstrip } from "./filmstrip.js";
import { Frame } from "./frame.js";
import { icon } from "./icons.js";
import { canRepeat } from "./repeat.js";
import { fileName, replaced, stateText, summary, title } from "./job.js";
import { sourceOf } from "./sources.js";
import { doneFraction, isActive } from "./store.js";

const MINUTE = 60_000;

export class StageJob {
  #frame;
  #strip;
  #parts;
  #job = null;
  #source;
  #chosen = null;

  constructor(actions) {
    const id = uniqueId("stage");
    const button = (name, label, action) =>
      h("button", { type: "button", class: "bare icon-button", title: label, "aria-label": label, onclick: () => action(this.#job) }, icon(name));
    const labelled = (name, label, action, kind = "quiet") =>
      h("button", { type: "button", class: kind, onclick: () => action(this.#job) }, icon(name), h("span", {}, label));
    this.#frame = new Frame((index) => actions.view(this.#job, index));
    this.#strip = new Filmstrip((index) => this.#choose(index));
    this.#parts = {
      heading: h("h2", { id, class: "stage-title", dir: "auto" }),
      state: h("p", { class: "state" }),
      bar: h("progress", { max: 1, value: 0, "aria-labelledby": id }),
      facts: h("p", { class: "facts" }),
      log: h("pre", {}),
      cancel: labelled("stop", "Cancel", actions.cancel),
      retry: labelled("redo", "Try again", actions.retry, "quiet short"),
      download: h("a", { class: "quiet short", download: "" }, icon("download"), h("span", {}, "Download")),
      edit: button("edit", "Edit with a prompt", () => actions.begin("image-to-image", this.#job, this.#index)),
      repaint: button("brush", "Erase or repaint", () => actions.begin("inpaint-image", this.#job, this.#index)),
      use: button("reuse", "Reuse settings", actions.use),
      again: button("dice", "Make with a new seed", actions.again),
      remove: button("trash", "Delete", actions.remove),
    };
    const p = this.#parts;
    p.details = h("details", { class: "script" }, h("summary", {}, "Show log"), p.log);
    this.element = h("article", { class: "stage-job", "aria-labelledby": id },
      h("div", { class: "stage-pictures" }, this.#frame.element, this.#strip.element),
      p.bar,
      h("div", { class: "stage-about" },
        h("div", { class: "stage-words" }, p.heading, p.state, p.facts, p.details),
        h("div", { class: "stage-actions" }, p.cancel, p.retry, p.download, p.edit, p.repaint, p.use, p.again, p.remove)));
    setInterval(() => this.#job && setText(p.facts, summary(this.#job)), MINUTE);
  }

  update(job) {
    if (this.#job?.resultUrl !== job.resultUrl) this.#chosen = null;
    const source = sourceOf(job.resultUrl);
    if (job === this.#job && source === this.#source) return;
    this.#job = job;
    this.#source = source;
    this.element.dataset.status = job.status;
    this.element.classList.toggle("without-picture", !isActive(job) && !job.imageUrls?.length);
    this.#showWords(job);
    this.#showActions(job);
    this.#showPictures();
  }

  /** The picture that is shown: the chosen one; else the latest. */
  get #index() {
    const last = (this.#job.imageUrls?.length ?? 0) - 1;
    return Math.min(this.#chosen ?? last, last);
  }

  #choose(index) {
    this.#chosen = index;
    this.#showPictures();
  }

  #showPictures() {
    const job = this.#job;
    const preview = this.#chosen === null && isActive(job) ? job.preview : null;
    this.#frame.show(job, this.#index, preview);
    this.#strip.show(job, preview ? this.#index + 1 : this.#index);
    const url = job.imageUrls?.[this.#index];
    if (url) Object.assign(this.#parts.download, { href: url, download: fileName(job, url) });
  }

  #showWords(job) {
    const p = this.#parts;
    setText(p.heading, title(job));
    const text = [stateText(job, secondsLeft(job)), job.error?.message ?? job.waiting?.message, replaced(job)].filter(Boolean).join(" · ");
    setText(p.state, text);
    p.state.hidden = !text;
    p.state.toggleAttribute("data-calm", isActive(job) && !job.waiting);
    p.bar.value = doneFraction(job);
    p.bar.classList.toggle("idle", job.status !== "IN_PROGRESS"); // it keeps its place
    setText(p.facts, summary(job));
    p.facts.hidden = isActive(job); // the state stands there
    setText(p.log, job.error?.details?.stderr ?? "");
    p.details.hidden = !job.error?.details?.stderr;
  }

  #showActions(job) {
    const active = isActive(job);
    const hasPicture = job.imageUrls?.length > 0;
    const stopped = job.status === "FAILED" || job.status === "CANCELLED";
    const shown = {
      cancel: active, retry: stopped, download: hasPicture, edit: hasPicture, repaint: hasPicture, use: true, again: !active && canRepeat(job), remove: !active,
    };
    const focused = document.activeElement;
    for (const [name, isShown] of Object.entries(shown)) this.#parts[name].hidden = !isShown;
    if (focused?.hidden && this.element.contains(focused)) this.#parts.use.focus();
  }
}
