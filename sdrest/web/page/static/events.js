// The server's events as they come. A broken connection is mended without anybody's help:
// EventSource first; where it cannot be had (some proxies), asking every second.

import { at } from "./api.js";

const FIRST_WAIT = 500;
const LONGEST_WAIT = 5000;
const POLL_EVERY = 1000;
const POLLS_BEFORE_STREAM = 10;
const KINDS = ["status", "progress", "image"];

export class Feed {
  #source = null;
  #timer = null;
  #wait = FIRST_WAIT;
  #breaks = 0;
  #held = null;

  /**
   * `load` gets everything anew and throws where the server does not answer; `hear` gets the news
   * of one job, `forget` the job that was deleted; `tell` gets the state of the connection:
   * "live", "polling" or "lost".
   */
  constructor({ load, hear, forget, tell }) {
    Object.assign(this, { load, hear, forget, tell });
    addEventListener("online", () => this.#hurry());
    document.addEventListener("visibilitychange", () => document.hidden || this.#hurry());
  }

  /** Connects, and goes on connecting for ever. */
  start() {
    this.#source?.close();
    this.#source = new EventSource(at("events"));
    this.#source.addEventListener("open", () => this.#opened());
    this.#source.addEventListener("error", () => this.#broke());
    for (const kind of KINDS) {
      this.#source.addEventListener(kind, ({ data }) => this.#heard(() => this.hear(JSON.parse(data))));
    }
    this.#source.addEventListener("deleted", ({ data }) => this.#heard(() => this.forget(JSON.parse(data))));
  }

  /** Whatever happened while there was no connection is in the list. */
  async #opened() {
    this.#wait = FIRST_WAIT;
    this.#breaks = 0;
    if (await this.#loads()) this.tell("live");
  }

  /** Finds out whether the server is away, or only the stream. */
  async #broke() {
    this.#source.close();
    this.#breaks += 1;
    if (!(await this.#loads())) this.#lost();
    else if (this.#breaks > 2) this.#poll(POLLS_BEFORE_STREAM);
    else this.#later(() => this.start(), this.#wait);
  }

  async #poll(times) {
    this.tell("polling");
    this.#later(async () => {
      if (times === 0) this.start();
      else if (await this.#loads()) this.#poll(times - 1);
      else this.#lost();
    }, POLL_EVERY);
  }

  #lost() {
    this.tell("lost");
    this.#later(() => this.start(), this.#wait);
    this.#wait = Math.min(LONGEST_WAIT, this.#wait * 2);
  }

  /** Loads the list. Events that come meanwhile are told after it, since it may be older. */
  async #loads() {
    const held = [];
    this.#held = held;
    try {
      await this.load();
      return true;
    } catch {
      return false;
    } finally {
      if (this.#held === held) this.#held = null;
      held.forEach((tell) => tell());
    }
  }

  #heard(tell) {
    if (this.#held) this.#held.push(tell);
    else tell();
  }

  #later(action, wait) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      action();
    }, wait);
  }

  #hurry() {
    if (this.#timer === null) return;
    clearTimeout(this.#timer);
    this.#timer = null;
    this.start();
  }
}
