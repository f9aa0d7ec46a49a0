// The server's events. Reconnects by itself; polls every second where EventSource does not work,
// for example behind some proxies.

import { at } from "./api.js";

const FIRST_WAIT = 500;
const MAX_WAIT = 5000;
const POLL_EVERY = 1000;
const POLLS_BEFORE_STREAM = 10;
const KINDS = ["status", "progress", "preview", "image"];

export class Feed {
  #source = null;
  #timer = null;
  #wait = FIRST_WAIT;
  #breaks = 0;
  #held = null;

  /**
   * `load` reloads everything and throws if the server does not answer; `update` gets the changes
   * of one job, `forget` the deleted job, `show` the state of the connection: "live", "polling" or
   * "lost".
   */
  constructor({ load, update, forget, show }) {
    Object.assign(this, { load, update, forget, show });
    addEventListener("online", () => this.#hurry());
    document.addEventListener("visibilitychange", () => document.hidden || this.#hurry());
  }

  /** Connects, and reconnects for ever. */
  start() {
    this.#source?.close();
    this.#source = new EventSource(at("events"));
    this.#source.addEventListener("open", () => this.#opened());
    this.#source.addEventListener("error", () => this.#broke());
    for (const kind of KINDS) {
      this.#source.addEventListener(kind, ({ data }) => this.#deliver(() => this.update(JSON.parse(data))));
    }
    this.#source.addEventListener("deleted", ({ data }) => this.#deliver(() => this.forget(JSON.parse(data))));
  }

  /** Loads the list, which has what happened without a connection. */
  async #opened() {
    this.#wait = FIRST_WAIT;
    this.#breaks = 0;
    if (await this.#loads()) this.show("live");
  }

  /** Checks whether the server is unreachable, or only the stream. */
  async #broke() {
    this.#source.close();
    this.#breaks += 1;
    if (!(await this.#loads())) this.#lost();
    else if (this.#breaks > 2) this.#poll(POLLS_BEFORE_STREAM);
    else this.#later(() => this.start(), this.#wait);
  }

  async #poll(times) {
    this.show("polling");
    this.#later(async () => {
      if (times === 0) this.start();
      else if (await this.#loads()) this.#poll(times - 1);
      else this.#lost();
    }, POLL_EVERY);
  }

  #lost() {
    this.show("lost");
    this.#later(() => this.start(), this.#wait);
    this.#wait = Math.min(MAX_WAIT, this.#wait * 2);
  }

  /** Loads the list. Events that come meanwhile are delivered after it, since it may be older. */
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
      held.forEach((deliver) => deliver());
    }
  }

  #deliver(deliver) {
    if (this.#held) this.#held.push(deliver);
    else deliver();
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
