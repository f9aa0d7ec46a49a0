// The stage: one job, large; the others that are in progress; examples while there is no picture.

import { h } from "./dom.js";
import { Examples } from "./examples.js";
import { Queue } from "./queue.js";
import { StageJob } from "./stage_job.js";
import { isActive } from "./store.js";

/** Running jobs come first, then the queue in its order. */
function byTurn(a, b) {
  const turn = (job) => (job.status === "IN_PROGRESS" ? 0 : (job.position ?? Infinity));
  return turn(a) - turn(b) || a.createdAt.localeCompare(b.createdAt);
}

/** Whether there is something to look at, or a failure to read. */
const isWorthShowing = (job) => job.imageUrls?.length > 0 || job.status === "FAILED";

export class Stage {
  #root;
  #store;
  #url = null;
  #job;
  #queue;
  #examples;

  /** `actions` are those of jobs, and `cancelAll()`, `example(prompt)`. */
  constructor(root, store, actions) {
    this.#root = root;
    this.#store = store;
    this.#job = new StageJob(actions);
    this.#queue = new Queue(actions);
    this.#examples = new Examples(actions.example);
    root.append(this.#job.element, this.#queue.element, this.#examples.element);
    root.hidden = true;
    store.addEventListener("change", () => this.#show());
  }

  /** Shows a job that this window has sent, unless another one is being made. */
  submitted({ resultUrl }) {
    const now = this.#store.get(this.#url);
    if (!now || !isActive(now)) this.#url = resultUrl;
    this.#show();
    this.#job.element.scrollIntoView({ block: "nearest" });
  }

  #show() {
    const { all } = this.#store;
    const active = all.filter(isActive).sort(byTurn);
    const job = this.#choose(all, active);
    this.#url = job?.resultUrl ?? null;
    this.#root.hidden = false;
    this.#examples.element.hidden = Boolean(job);
    this.#job.element.hidden = !job;
    if (job) this.#job.update(job);
    this.#queue.show(active.filter((other) => other !== job), active.length);
  }

  /**
   * The job to show. A result stays until the next job has something to show, so that it does not
   * vanish the moment it is done.
   */
  #choose(all, active) {
    const now = all.find(({ resultUrl }) => resultUrl === this.#url);
    const next = active.find((job) => job.imageUrls?.length || job.preview);
    if (now && isActive(now)) return now;
    if (next) return next;
    if (now && isWorthShowing(now)) return now;
    return active[0] ?? all.find(isWorthShowing);
  }

  /** The element of a job, if it is shown. */
  element(url) {
    return url === this.#url ? this.#job.element : this.#queue.row(url);
  }
}
