// Tabs as in the ARIA patterns: one in the tab order, arrow keys move between them.

import { h, uniqueId } from "./dom.js";

const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

export class Tabs {
  #items;
  #opened;
  current = null;

  /** `items` are `{name, title, label, panel}`, the label for screen readers; `opened(name)` is called on every change. */
  constructor(label, items, opened) {
    this.#opened = opened;
    this.#items = items.map(({ name, title, label: spoken, panel }) => {
      const tab = h("button", { type: "button", role: "tab", id: uniqueId("tab"), onclick: () => this.open(name) }, title);
      const id = uniqueId("panel");
      tab.setAttribute("aria-label", spoken);
      tab.setAttribute("aria-controls", id);
      return { name, tab, panel: h("div", { role: "tabpanel", id, "aria-labelledby": tab.id }, panel) };
    });
    this.bar = h("div", { class: "tabs", role: "tablist", "aria-label": label, onkeydown: (event) => this.#key(event) },
      this.#items.map(({ tab }) => tab));
    this.panels = h("div", { class: "tab-panels" }, this.#items.map(({ panel }) => panel));
  }

  open(name) {
    if (name === this.current) return;
    this.current = name;
    for (const item of this.#items) {
      const isOpen = item.name === name;
      item.tab.setAttribute("aria-selected", String(isOpen));
      item.tab.tabIndex = isOpen ? 0 : -1;
      item.panel.hidden = !isOpen;
    }
    this.#opened(name);
  }

  #key(event) {
    const place = this.#items.findIndex(({ name }) => name === this.current);
    const count = this.#items.length;
    let next;
    if (event.key in STEPS) next = (place + STEPS[event.key] + count) % count;
    else if (event.key === "Home") next = 0;
    else if (event.key === "End") next = count - 1;
    else return;
    event.preventDefault();
    this.open(this.#items[next].name);
    this.#items[next].tab.focus();
  }
}
