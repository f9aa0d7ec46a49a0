// The server's events. One tab of the browser has the stream and passes its events on, since
// browsers allow six connections to a server, for all tabs. Reconnects by itself; polls every
// second where EventSource does not work, for example behind some proxies.

import { at } from "./api.js";

const FIRST_WAIT = 500;
const MAX_WAIT = 5000;
const POLL_EVERY = 1000;
const POLLS_BEFORE_STREAM = 10;
const KINDS = ["status", "progress", "preview", "image", "deleted"];
const UNAUTHORIZED = 401;

export class Feed {
  #source = null;
  #timer = null;
  #wait = FIRST_WAIT;
  #breaks = 0;
  #held = null;
  #state = null;
  #isLocked = false;
  #leads = false;
  #tabs = new BroadcastChannel(at("events"));

  /**
   * `load` reloads everything and throws if the server does not answer; `update` gets the changes
   * of one job and returns whether it is known, `forget` gets the deleted job, `show` the state of
   * the connection: "live", "polling", "lost", or "locked" where the server wants a token.
   */
  constructor({ load, update, forget, show }) {
    Object.assign(this, { load, update, forget, show });
    this.#tabs.addEventListener("message", ({ data }) => this.#hear(data));
    addEventListener("online", () => this.#hurry());
    document.addEventListener("visibilitychange", () => document.hidden || this.#hurry());
  }

  /** Waits until no other tab has the stream, then opens it; meanwhile that tab passes its events on. */
  start() {
    const lead = () => {
      this.#leads = true;
      this.#connect();
      return new Promise(() => {}); // as long as the tab is there
    };
    if (!navigator.locks) return lead(); // on plain HTTP from elsewhere each tab has its own
    navigator.locks.request(at("events"), lead);
    return this.#tabs.postMessage({ hello: true });
  }

  /** Tries again at once, for example with a token. */
  retry() {
    if (this.#leads) this.#connect();
    else this.#tabs.postMessage({ retry: true });
  }

  #hear({ hello, retry, state, isNews, kind, data }) {
    if (this.#leads) {
      if (hello && this.#state) this.#tabs.postMessage({ state: this.#state });
      if (retry && this.#state !== "live") this.#connect();
    } else if (kind) this.#deliver(kind, data);
    else if (state) this.#follow(state, isNews);
  }

  /** Does as the tab with the stream: it loads the list when that one has connected or polled. */
  async #follow(state, isNews) {
    if (!isNews && state === this.#state) return; // another tab has asked
    this.#state = state;
    if (state === "lost" || state === "locked") this.show(state);
    else if (await this.#loads()) this.show(state);
    else this.show(this.#isLocked ? "locked" : "lost");
  }

  #report(state) {
    this.#state = state;
    this.show(state);
    this.#tabs.postMessage({ state, isNews: true });
  }

  /** Connects, and reconnects for ever. */
  #connect() {
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#source?.close();
    this.#source = new EventSource(at("events"));
    this.#source.addEventListener("open", () => this.#opened());
    this.#source.addEventListener("error", () => this.#broke());
    for (const kind of KINDS) {
      this.#source.addEventListener(kind, ({ data }) => {
        this.#tabs.postMessage({ kind, data });
        this.#deliver(kind, data);
      });
    }
  }

  /** Loads the list, which has what happened without a connection. */
  async #opened() {
    this.#wait = FIRST_WAIT;
    this.#breaks = 0;
    if (await this.#loads()) this.#report("live");
  }

  /** Checks whether the server is unreachable, or only the stream. */
  async #broke() {
    this.#source.close();
    this.#breaks += 1;
    if (!(await this.#loads())) this.#lost();
    else if (this.#breaks > 2) this.#poll(POLLS_BEFORE_STREAM);
    else this.#later(() => this.#connect(), this.#wait);
  }

  async #poll(times) {
    this.#report("polling");
    this.#later(async () => {
      if (times === 0) this.#connect();
      else if (await this.#loads()) this.#poll(times - 1);
      else this.#lost();
    }, POLL_EVERY);
  }

  #lost() {
    if (this.#isLocked) return this.#report("locked"); // until there is a token
    this.#report("lost");
    this.#later(() => this.#connect(), this.#wait);
    this.#wait = Math.min(MAX_WAIT, this.#wait * 2);
  }

  /** Loads the list. Events that come meanwhile are delivered after it, since it may be older. */
  async #loads() {
    const held = [];
    this.#held = held;
    try {
      await this.load();
      this.#isLocked = false;
      return true;
    } catch (error) {
      this.#isLocked = error.status === UNAUTHORIZED;
      return false;
    } finally {
      if (this.#held === held) this.#held = null;
      held.forEach(([kind, data]) => this.#deliver(kind, data, true));
    }
  }

  /** Passes an event on; loads the list for a job whose first events were missed, unless it is just `loaded`. */
  #deliver(kind, data, loaded = false) {
    if (this.#held) this.#held.push([kind, data]);
    else if (kind === "deleted") this.forget(JSON.parse(data));
    else if (!this.update(JSON.parse(data)) && !loaded) this.#loads();
  }

  #later(action, wait) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      action();
    }, wait);
  }

  #hurry() {
    if (this.#timer !== null) this.#connect();
  }
}
