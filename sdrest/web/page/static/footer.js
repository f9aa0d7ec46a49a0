// The form's last line, always in view: the button, what comes of it, and what is wrong.

import { h, setText } from "./dom.js";
import { duration, pictures } from "./words.js";

const SEND = "Make picture";
const IS_MAC = /^(Mac|iPhone|iPad)/.test(navigator.platform);

export class Footer {
  #button;
  #label = h("span", {}, SEND);
  #count = h("span");
  #seconds = h("span");
  #message = h("p", { class: "form-error", role: "alert", hidden: true });
  #cause = null;

  constructor() {
    this.#button = h("button", { class: "primary make", type: "submit" }, this.#label,
      h("kbd", { "aria-hidden": "true" }, IS_MAC ? "⌘ ↵" : "Ctrl ↵"));
    this.element = h("div", { class: "compose-footer" }, this.#message, h("div", { class: "send" }, this.#button,
      h("p", { class: "outlook" }, this.#count, " ", this.#seconds)));
    new ResizeObserver(() => document.documentElement.style.setProperty("--footer", `${this.element.offsetHeight}px`)).observe(this.element);
  }

  /** The form that the button submits. */
  set form(form) {
    this.#button.setAttribute("form", form.id);
  }

  /** Shows a message of a kind of cause. */
  say(message, cause) {
    this.#cause = cause;
    this.#message.hidden = false;
    this.#message.textContent = message;
  }

  /** Removes the message, or only one of the given cause. */
  clear(cause = this.#cause) {
    if (cause !== this.#cause) return;
    this.#cause = null;
    this.#message.hidden = true;
    this.#message.textContent = "";
  }

  /** Shows how many pictures will be made; `seconds` is null while nothing like it was made. */
  foretell(count, seconds) {
    setText(this.#count, pictures(count));
    setText(this.#seconds, seconds === null ? "" : `about ${duration(seconds)}`);
  }

  get isBusy() {
    return this.#button.getAttribute("aria-disabled") === "true";
  }

  set isBusy(busy) {
    this.#button.setAttribute("aria-disabled", String(busy));
    this.#label.textContent = busy ? "Sending …" : SEND;
  }

  focus() {
    this.#button.focus();
  }
}
