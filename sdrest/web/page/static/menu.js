// A button with a menu, as in the ARIA patterns: arrow keys move, Escape closes.

import { h, uniqueId } from "./dom.js";
import { icon } from "./icons.js";

const STEPS = { ArrowDown: 1, ArrowUp: -1 };

export class Menu {
  #button;
  #list;
  #items;

  /** `items()` gives `{text, action}` each time the menu opens; without an action it is a note. */
  constructor(label, symbol, items) {
    this.#items = items;
    const id = uniqueId("menu");
    this.#button = h("button", {
      type: "button", class: "bare icon-button", "aria-label": label, title: label, "aria-haspopup": "menu", "aria-expanded": "false", "aria-controls": id,
      onclick: () => (this.#list.hidden ? this.#open() : this.close()),
    }, icon(symbol));
    this.#list = h("div", { class: "menu", role: "menu", id, "aria-label": label, hidden: true });
    this.element = h("div", { class: "menu-place", onkeydown: (event) => this.#key(event) }, this.#button, this.#list);
    this.element.addEventListener("focusout", ({ relatedTarget }) => this.element.contains(relatedTarget) || this.close());
  }

  close() {
    this.#list.hidden = true;
    this.#button.setAttribute("aria-expanded", "false");
  }

  #open() {
    this.#list.replaceChildren(...this.#items().map(({ text, action }) =>
      h("button", {
        type: "button", role: "menuitem", tabindex: -1, dir: "auto", title: text, "aria-disabled": action ? null : "true",
        onclick: () => {
          if (!action) return;
          this.#button.focus();
          this.close();
          action();
        },
      }, text)));
    this.#list.hidden = false;
    this.#button.setAttribute("aria-expanded", "true");
    this.#list.firstElementChild?.focus();
  }

  #key(event) {
    if (this.#list.hidden) return;
    const items = [...this.#list.children];
    const place = items.indexOf(document.activeElement);
    if (event.key === "Escape") {
      this.#button.focus();
      this.close();
    } else if (event.key in STEPS) items[(place + STEPS[event.key] + items.length) % items.length].focus();
    else if (event.key === "Home") items[0].focus();
    else if (event.key === "End") items.at(-1).focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
