// The jobs that this page knows, by URL. Dispatches `job` and `change` events.

/** Whether a job waits or runs. */
export const isActive = (job) => job.status === "QUEUED" || job.status === "IN_PROGRESS";

/** How much of a job its run has made, from 0 to 1. */
export function madeFraction({ progress }) {
  if (!progress) return 0;
  const { currentImageIndex, currentImageProgress, totalImages } = progress;
  return Math.min(1, (currentImageIndex - 1 + currentImageProgress) / totalImages);
}

/** How much of a job is done, from 0 to 1; after a restart its run makes listed pictures again, which count. */
export function doneFraction(job) {
  const listed = job.progress ? (job.imageUrls?.length ?? 0) / job.progress.totalImages : 0;
  return Math.max(madeFraction(job), Math.min(1, listed));
}

export class Store extends EventTarget {
  #jobs = new Map();
  #order = null;
  #hidden = new Set();
  nextCursor = null;

  /** Every job but the hidden ones, newest first. */
  get all() {
    this.#order ??= [...this.#jobs.values()].filter(({ resultUrl }) => !this.#hidden.has(resultUrl))
      .sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1)).map(({ resultUrl }) => resultUrl);
    return this.#order.map((url) => this.#jobs.get(url));
  }

  /** Whether a job is about to be deleted. */
  isHidden(url) {
    return this.#hidden.has(url);
  }

  /** Hides jobs that are about to be deleted, or shows them again. */
  hide(urls, isHidden = true) {
    for (const url of urls) {
      if (isHidden) this.#hidden.add(url);
      else this.#hidden.delete(url);
    }
    this.#order = null;
    this.#changed();
  }

  /** Whether a job is older than all that are loaded, so that its page is still to come. */
  #isBeyond(job) {
    return Boolean(this.nextCursor) && ![...this.#jobs.values()].some(({ createdAt }) => createdAt <= job.createdAt);
  }

  get(url) {
    return this.#jobs.get(url);
  }

  /**
   * A function that says of the answer to a request whether its job was there when this was called.
   * A job that has ended and is not loaded is taken for an old one, unless all are loaded.
   */
  knowledge() {
    const before = new Map(this.all.map((job) => [job.resultUrl, isActive(job)]));
    const isWhole = !this.nextCursor;
    return (job) => (isActive(job) ? before.get(job.resultUrl) === true : before.has(job.resultUrl) || !isWhole);
  }

  /**
   * A function that merges the answer to a request that is sent now, unless there has been news of
   * its job since: news may be later than the answer, and is followed by what comes after it.
   */
  answers() {
    const before = new Map(this.#jobs);
    return (job) => this.#jobs.get(job.resultUrl) === before.get(job.resultUrl) && this.merge(job);
  }

  /** Replaces jobs by the server's first page; older ones that were loaded stay, unless others came between. */
  replace({ jobs, nextCursor }) {
    const before = this.#jobs;
    const oldest = jobs.at(-1)?.createdAt;
    const goesOn = nextCursor && jobs.some(({ resultUrl }) => before.has(resultUrl));
    const older = goesOn ? [...before.values()].filter(({ createdAt }) => createdAt < oldest) : [];
    this.#jobs = new Map([...older, ...jobs].map((job) => [job.resultUrl, job]));
    this.#order = null;
    if (!older.length) this.nextCursor = nextCursor;
    for (const job of jobs) this.#notify(job, before.get(job.resultUrl));
    this.#changed();
  }

  /** Adds an older page of jobs. */
  append({ jobs, nextCursor }) {
    for (const job of jobs) this.#jobs.set(job.resultUrl, job);
    this.#order = null;
    this.nextCursor = nextCursor;
    this.#changed();
  }

  /** Updates one job. Fields that `changes` leave out stay, except those of a former status. */
  merge(changes) {
    const before = this.#jobs.get(changes.resultUrl);
    if (!before && !changes.params) return; // too little to show
    const { error, position, preview, progress, ...kept } = before ?? {};
    const job = { createdAt: new Date().toISOString(), params: {}, ...kept, ...changes };
    if (before || !this.#isBeyond(job)) {
      this.#jobs.set(job.resultUrl, job);
      if (before?.createdAt !== job.createdAt) this.#order = null;
    }
    this.#notify(job, before);
    this.#changed();
  }

  /** Removes a job and returns it, if it was known. */
  remove(url) {
    const job = this.#jobs.get(url);
    this.#hidden.delete(url);
    this.#order = null;
    if (this.#jobs.delete(url)) this.#changed();
    return job;
  }

  #notify(job, before) {
    this.dispatchEvent(new CustomEvent("job", { detail: { job, before } }));
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
