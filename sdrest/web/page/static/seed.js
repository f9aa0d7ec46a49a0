// The seed: by default the server draws one for each request, which is shown once it is known.

import { h, setText, uniqueId } from "./dom.js";
import { Field } from "./fields.js";
import { icon } from "./icons.js";

const RANDOM = "random";

export class SeedField extends Field {
  #isFresh = true;
  #dice;
  #lock;
  #remark = h("p", { class: "hint", id: uniqueId("seed-remark"), hidden: true });

  constructor(...given) {
    super(...given);
    this.#dice = h("button", {
      type: "button", class: "bare icon-button", "aria-label": "Random seed", title: "A new random seed for each picture you make",
      onclick: () => this.#change("", true),
    }, icon("dice"));
    this.#lock = h("button", {
      type: "button", class: "bare icon-button", "aria-label": "Keep this seed", title: "Keep this seed",
      onclick: () => this.#change(this.value || drawn(), !this.isFresh),
    });
    const row = h("div", { class: "seed" });
    this.control.replaceWith(row);
    row.append(this.#dice, this.control, this.#lock);
    row.after(this.#remark);
    this.control.setAttribute("aria-describedby", `${this.control.getAttribute("aria-describedby")} ${this.#remark.id}`);
    this.control.addEventListener("input", () => (this.isFresh = this.value === ""));
    this.set("");
    this.isFresh = true;
  }

  /** Whether the server draws the seed. The shown one is then that of the last request. */
  get isFresh() {
    return this.#isFresh;
  }

  set isFresh(fresh) {
    this.#isFresh = fresh;
    this.element.classList.toggle("fresh", fresh);
    this.#lock.setAttribute("aria-pressed", String(!fresh));
    this.#lock.replaceChildren(icon(fresh ? "unlock" : "lock"));
  }

  /** The value to send: the number, or `random`. */
  get request() {
    return this.isFresh ? RANDOM : this.value;
  }

  /** Takes a request's or a job's seed; without one, or with a random one, the server draws it. */
  take(seed) {
    this.isFresh = seed == null || seed === "" || seed === RANDOM || Number(seed) < 0;
    this.set(this.isFresh ? "" : seed);
  }

  /** Says what the seed will make; an empty text says nothing. */
  remark(text) {
    this.#remark.hidden = !text;
    setText(this.#remark, text);
  }

  #change(value, fresh) {
    this.fail(null);
    this.set(value);
    this.isFresh = fresh;
    this.element.dispatchEvent(new Event("input", { bubbles: true })); // as if it was typed
  }
}

const drawn = () => crypto.getRandomValues(new Uint32Array(1))[0];
