// The jobs of the gallery: those of the store, or those that the server finds for a search.

import * as api from "./api.js";
import { isActive } from "./store.js";

const PAGE = 200;

const isEmpty = ({ q, type, favourite }) => !q && !type && !favourite;

/** Whether a job is among what a filter finds, as the server decides it. */
function matches({ q, type, favourite }, job) {
  if (type && job.type !== type) return false;
  if (favourite && !job.favourites?.length) return false;
  const prompt = (job.params.prompt ?? "").toLowerCase();
  return q.toLowerCase().split(/\s+/).every((word) => prompt.includes(word));
}

/** Dispatches `change` when the jobs or the filter have changed. */
export class Results extends EventTarget {
  #store;
  #found = null;
  #cursor = null;
  #loading = null;
  filter = { q: "", type: "", favourite: false };

  constructor(store) {
    super();
    this.#store = store;
    store.addEventListener("job", ({ detail: { job } }) => this.#update(job));
    store.addEventListener("change", () => this.#changed());
  }

  /** The jobs that have ended, newest first. */
  get jobs() {
    if (!this.#found) return this.#store.all.filter((job) => !isActive(job));
    return [...this.#found.values()].filter((job) => !isActive(job) && !this.#store.isHidden(job.resultUrl))
      .sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1));
  }

  get isFiltered() {
    return !isEmpty(this.filter);
  }

  /** Whether the server may have more. */
  get hasMore() {
    return this.#found ? this.#cursor !== null : Boolean(this.#store.nextCursor);
  }

  /** Finds other jobs; the former ones stay until these are there. */
  async search(filter) {
    this.filter = filter;
    if (isEmpty(filter)) {
      this.#found = null;
      return this.#changed();
    }
    const answer = await this.#list(null);
    if (this.filter !== filter) return; // another search has begun
    this.#found = new Map(answer.jobs.map((job) => [job.resultUrl, job]));
    this.#cursor = answer.nextCursor;
    this.#changed();
  }

  /** Loads the next page; a second call while it loads does nothing. */
  more() {
    this.#loading ??= this.#more().finally(() => (this.#loading = null));
    return this.#loading;
  }

  async #more() {
    if (!this.hasMore) return;
    const { filter } = this;
    if (!this.#found) {
      this.#store.append(await api.list({ limit: PAGE, cursor: this.#store.nextCursor }));
      return;
    }
    const answer = await this.#list(this.#cursor);
    if (this.filter !== filter) return;
    for (const job of answer.jobs) this.#found.set(job.resultUrl, job);
    this.#cursor = answer.nextCursor;
    this.#changed();
  }

  #list(cursor) {
    const { q, type, favourite } = this.filter;
    return api.list({ limit: PAGE, cursor, q: q || null, type: type || null, favourite: favourite || null });
  }

  #update(job) {
    if (this.#found?.has(job.resultUrl) || (this.#found && matches(this.filter, job))) this.#found.set(job.resultUrl, job);
    if (this.#found && !matches(this.filter, job)) this.#found.delete(job.resultUrl);
  }

  /** Forgets a deleted job. */
  remove(url) {
    if (this.#found?.delete(url)) this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
