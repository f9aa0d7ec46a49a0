// The jobs that this page knows, by their address. Listeners hear of every change.

/** Whether a job still goes on. */
export const isActive = (job) => job.status === "QUEUED" || job.status === "IN_PROGRESS";

/** How much of a whole job is done, from 0 to 1. */
export function doneFraction({ progress }) {
  if (!progress) return 0;
  const { currentImageIndex, currentImageProgress, totalImages } = progress;
  return Math.min(1, (currentImageIndex - 1 + currentImageProgress) / totalImages);
}

export class Store extends EventTarget {
  #jobs = new Map();
  nextCursor = null;

  /** Every job, newest first. */
  get all() {
    return [...this.#jobs.values()].sort((a, b) => b.createdAt.localeCompare(a.createdAt));
  }

  get(url) {
    return this.#jobs.get(url);
  }

  /** Takes what the server says now for everything there is. */
  replace({ jobs, nextCursor }) {
    const before = this.#jobs;
    this.#jobs = new Map(jobs.map((job) => [job.resultUrl, job]));
    this.nextCursor = nextCursor;
    for (const job of jobs) this.#tell(job, before.get(job.resultUrl));
    this.#changed();
  }

  /** Adds an older page of jobs. */
  append({ jobs, nextCursor }) {
    for (const job of jobs) this.#jobs.set(job.resultUrl, job);
    this.nextCursor = nextCursor;
    this.#changed();
  }

  /** Brings one job up to date; what `news` leaves out stays, except for what a state ends. */
  merge(news) {
    const before = this.#jobs.get(news.resultUrl);
    const { error, position, progress, ...kept } = before ?? {};
    const job = { createdAt: new Date().toISOString(), params: {}, ...kept, ...news };
    this.#jobs.set(job.resultUrl, job);
    this.#tell(job, before);
    this.#changed();
  }

  /** Forgets a job; returns it, if it was there. */
  remove(url) {
    const job = this.#jobs.get(url);
    if (this.#jobs.delete(url)) this.#changed();
    return job;
  }

  #tell(job, before) {
    this.dispatchEvent(new CustomEvent("job", { detail: { job, before } }));
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
