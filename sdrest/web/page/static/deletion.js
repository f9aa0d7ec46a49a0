// Deletes jobs some seconds later, so that it can be undone.

import { deleteJobs } from "./api.js";
import { announce } from "./announce.js";
import { confirm } from "./dialogs.js";
import { sentence } from "./errors.js";
import { toast } from "./toasts.js";
import { pictures } from "./words.js";

const PATIENCE = 6000;
const AGAIN = 1000;

const countOf = (jobs) => jobs.reduce((sum, { imageUrls = [] }) => sum + imageUrls.length, 0);

/** Asks where the deletion of jobs takes more than the `named` pictures; resolves to whether to go on. */
export async function confirmed(jobs, named) {
  const count = countOf(jobs);
  return count <= named || confirm(`The pictures of a job are deleted together. Delete all ${count}?`, `Delete ${pictures(count)}`);
}

export class Deletion {
  #store;
  #forget;
  #waiting = new Map();

  /** `forget(job)` removes a job from the page once it is deleted. */
  constructor(store, forget) {
    this.#store = store;
    this.#forget = forget;
    document.addEventListener("keydown", (event) => this.#key(event));
    addEventListener("pagehide", () => this.#sendAll());
    document.addEventListener("visibilitychange", () => document.hidden && this.#sendAll());
  }

  /** Hides jobs, and deletes them unless that is undone. */
  start(jobs) {
    const urls = jobs.map(({ resultUrl }) => resultUrl);
    const count = countOf(jobs);
    const text = count ? `${pictures(count)} deleted` : `${jobs.length === 1 ? "Job" : `${jobs.length} jobs`} deleted`;
    const close = toast(text, { label: "Undo", action: () => this.#undo(urls) });
    this.#waiting.set(urls, { jobs, close, timer: setTimeout(() => this.#due(urls), PATIENCE) });
    this.#store.hide(urls);
    announce(`${text}. Undo with Control Z.`);
  }

  /** Ctrl-Z takes the last deletion back, unless it is for a field or for the mask. */
  #key(event) {
    const isUndo = (event.ctrlKey || event.metaKey) && !event.shiftKey && event.key === "z";
    if (!isUndo || event.defaultPrevented || event.target.matches("input, textarea")) return;
    const last = [...this.#waiting.keys()].at(-1);
    if (last) this.#undo(last);
  }

  #undo(urls) {
    const { close, timer } = this.#waiting.get(urls) ?? {};
    if (!this.#waiting.delete(urls)) return;
    clearTimeout(timer);
    close();
    this.#store.hide(urls, false);
    announce("Deletion undone.");
  }

  /** Sends a deletion, unless somebody is about to undo it. */
  #due(urls) {
    if (document.querySelector(".toast:hover, .toast:focus-within")) {
      this.#waiting.get(urls).timer = setTimeout(() => this.#due(urls), AGAIN);
    } else this.#send(urls);
  }

  #sendAll() {
    for (const urls of [...this.#waiting.keys()]) this.#send(urls);
  }

  async #send(urls) {
    const { jobs, close, timer } = this.#waiting.get(urls);
    this.#waiting.delete(urls);
    clearTimeout(timer);
    close();
    try {
      await deleteJobs(urls);
    } catch (error) {
      this.#store.hide(urls, false);
      toast(sentence(error), { role: "alert" });
      return;
    }
    for (const job of jobs) this.#forget(job);
  }
}
