// One picture, as large as the window allows, beside what it is and what to do with it.

import { copy } from "./clipboard.js";
import { compare } from "./compare.js";
import { h, setText } from "./dom.js";
import { icon } from "./icons.js";
import { facts, fileName, isFavourite, isReplaced, REPLACED, seedOf, title, total } from "./job.js";
import { markAll } from "./picture_actions.js";
import { canRepeat } from "./repeat.js";

const STEPS = { ArrowLeft: -1, ArrowRight: 1 };
const JOBS = { ArrowUp: -1, ArrowDown: 1 };

export class Viewer {
  #actions;
  #jobs;
  #parts;
  #dialog;
  #job;
  #index = 0;

  /** `actions` are those of jobs; `jobs()` are the jobs to turn over, in the order of the gallery. */
  constructor(actions, jobs) {
    this.#actions = actions;
    this.#jobs = () => jobs().filter(({ imageUrls }) => imageUrls?.length);
    const round = (name, label, action) =>
      h("button", { type: "button", class: `viewer-button ${name}`, "aria-label": label, title: label, onclick: action }, icon(name));
    const act = (name, label, action) =>
      h("button", { type: "button", class: "quiet", onclick: action }, icon(name), label);
    const leave = (name, label, action) => act(name, label, () => { this.#dialog.close(); action(this.#job, this.#index); });
    const begin = (type) => (job, index) => actions.begin(type, job, index);
    this.#parts = {
      image: h("img", {}),
      previous: round("left", "Previous", () => this.#turn(-1)),
      next: round("right", "Next", () => this.#turn(1)),
      place: h("p", { class: "viewer-place", role: "status" }),
      text: h("p", { class: "viewer-prompt clamped", dir: "auto" }),
      all: h("button", { type: "button", class: "link", "aria-expanded": "false", onclick: () => this.#clamp(this.#parts.all.ariaExpanded === "true") }, "Show all"),
      replaced: h("p", { class: "hint" }, REPLACED),
      facts: h("dl", {}),
      download: h("a", { class: "primary", download: "" }, icon("download"), "Download"),
      copyPrompt: act("copy", "Copy prompt", () => copy(this.#job.params.prompt, "Prompt copied.")),
      again: leave("dice", "Make with a new seed", actions.again),
      compare: act("compare", "Compare with next", () => this.#compare()),
      favourite: act("heart", "Favourite", () => this.#mark()),
      remove: act("trash", "Delete", () => this.#remove()),
    };
    const p = this.#parts;
    this.#dialog = h("dialog", { class: "viewer", "aria-label": "Picture" },
      h("div", { class: "viewer-image" }, p.image, p.previous, p.next, p.place,
        round("close", "Close", () => this.#dialog.close())),
      h("div", { class: "viewer-about" },
        h("div", { class: "viewer-words" }, p.text, p.all), p.replaced,
        h("div", { class: "viewer-use" },
          p.download,
          leave("edit", "Edit with a prompt", begin("image-to-image")),
          leave("brush", "Erase or repaint", begin("inpaint-image")),
          leave("reuse", "Reuse settings", actions.use),
          p.again, p.copyPrompt,
          p.compare,
          p.favourite,
          p.remove),
        p.facts));
    p.image.addEventListener("click", () => this.#dialog.close());
    document.body.append(this.#dialog);
    document.addEventListener("keydown", (event) => this.#key(event)); // the focus may be nowhere
  }

  open(job, index) {
    this.#job = job;
    this.#index = index;
    this.#dialog.showModal();
    this.#show();
  }

  /** Updates the job, which may have more pictures now. */
  update(job) {
    if (!this.#shows(job)) return;
    if (!job.imageUrls?.length) return this.#dialog.close(); // they were deleted, or are made again
    const url = this.#url;
    this.#job = job;
    this.#index = Math.min(this.#index, job.imageUrls.length - 1);
    if (this.#url === url) this.#showPlace();
    else this.#show();
  }

  /** Closes if its job was deleted. */
  forget(job) {
    if (this.#shows(job)) this.#dialog.close();
  }

  #shows({ resultUrl }) {
    return this.#dialog.open && this.#job.resultUrl === resultUrl;
  }

  get #url() {
    return this.#job.imageUrls[this.#index];
  }

  #go(job, index) {
    this.#job = job;
    this.#index = index;
    this.#show();
  }

  /** Turns to the next picture, which may be another job's. */
  #turn(step) {
    const { job, index } = this.#at(step);
    this.#go(job, index);
  }

  #at(step) {
    const index = this.#index + step;
    if (this.#job.imageUrls[index]) return { job: this.#job, index };
    const job = this.#neighbour(step);
    return { job, index: step > 0 ? 0 : job.imageUrls.length - 1 };
  }

  #compare() {
    const next = this.#at(1);
    const side = ({ job, index }) => ({ url: job.imageUrls[index], name: `${title(job)} (${index + 1})` });
    compare(side({ job: this.#job, index: this.#index }), side(next));
  }

  #neighbour(step) {
    const jobs = this.#jobs();
    const place = jobs.findIndex(({ resultUrl }) => resultUrl === this.#job.resultUrl);
    return place < 0 ? this.#job : jobs.at((place + step) % jobs.length);
  }

  #key(event) {
    const isOnTop = [...document.querySelectorAll("dialog:modal")].at(-1) === this.#dialog;
    if (!isOnTop || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in STEPS) this.#turn(STEPS[event.key]);
    else if (event.key in JOBS) this.#go(this.#neighbour(JOBS[event.key]), 0);
    else if (event.key === "f") this.#mark();
    else if (event.key === "Delete") this.#remove();
    else return;
    event.preventDefault();
  }

  #mark() {
    markAll([{ url: this.#url, isFavourite: isFavourite(this.#job, this.#url) }]);
  }

  /** Deletes the job and turns to the next one. */
  async #remove() {
    const job = this.#job;
    const next = this.#neighbour(1);
    if (!(await this.#actions.remove(job))) return;
    if (next.resultUrl === job.resultUrl) this.#dialog.close();
    else this.#go(next, 0);
  }

  #show() {
    const p = this.#parts;
    p.image.src = this.#url;
    p.image.alt = title(this.#job);
    setText(p.text, title(this.#job));
    this.#clamp(true);
    p.replaced.hidden = !isReplaced(this.#job, this.#url);
    p.download.href = this.#url;
    p.download.download = fileName(this.#job, this.#url);
    p.copyPrompt.hidden = !this.#job.params.prompt;
    p.again.hidden = !canRepeat(this.#job);
    this.#showPlace();
    p.facts.replaceChildren(...facts(this.#job, this.#index).map(([name, value]) => this.#fact(name, value)));
  }

  #fact(name, value) {
    const copySeed = h("button", { type: "button", class: "bare icon-button", title: "Copy seed", "aria-label": "Copy seed", onclick: () => copy(String(seedOf(this.#job, this.#index)), "Seed copied.") }, icon("copy"));
    return h("div", {}, h("dt", {}, name), h("dd", { dir: "auto" }, value, name === "Seed" ? copySeed : null));
  }

  /** Shows the prompt's first lines, or all of it. */
  #clamp(isClamped) {
    const { text, all } = this.#parts;
    text.classList.toggle("clamped", isClamped);
    all.hidden = isClamped && text.scrollHeight <= text.clientHeight;
    all.setAttribute("aria-expanded", String(!isClamped));
    setText(all, isClamped ? "Show all" : "Show less");
  }

  #showPlace() {
    const count = total(this.#job);
    const isMarked = isFavourite(this.#job, this.#url);
    this.#parts.favourite.setAttribute("aria-pressed", String(isMarked));
    this.#parts.favourite.firstChild.replaceWith(icon(isMarked ? "heart-filled" : "heart"));
    setText(this.#parts.place, `${this.#index + 1} of ${count}`);
    this.#parts.place.hidden = count < 2;
    const alone = this.#job.imageUrls.length < 2 && this.#neighbour(1).resultUrl === this.#job.resultUrl;
    for (const name of ["previous", "next", "compare"]) this.#parts[name].hidden = alone;
  }
}
