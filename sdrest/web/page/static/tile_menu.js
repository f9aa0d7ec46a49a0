// A menu of actions beside what it belongs to.

import { h } from "./dom.js";
import { icon } from "./icons.js";

const MARGIN = 8;

/** Opens a menu at an element; `items` are `[icon, label, action]`, `closed()` gives the focus back. */
export function openMenu(at, items, closed) {
  const buttons = items.map(([name, label, action]) =>
    h("button", { type: "button", role: "menuitem", class: "bare", tabindex: -1, onclick: () => choose(action) }, icon(name), label));
  const menu = h("div", { class: "tile-actions", role: "menu", popover: "auto", "aria-label": "Actions" }, ...buttons);
  let chosen = null;
  const choose = (action) => {
    chosen = action;
    menu.hidePopover();
  };
  menu.addEventListener("keydown", (event) => {
    const place = buttons.indexOf(document.activeElement);
    const to = { ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: -1 }[event.key];
    if (event.key === "Tab") menu.hidePopover();
    if (to === undefined) return;
    event.preventDefault();
    buttons.at(to % buttons.length).focus();
  });
  menu.addEventListener("toggle", ({ newState }) => {
    if (newState !== "closed") return;
    menu.remove();
    closed();
    chosen?.();
  });
  document.body.append(menu);
  menu.showPopover();
  const box = at.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = menu;
  menu.style.left = `${Math.max(MARGIN, Math.min(box.right - width, innerWidth - width - MARGIN))}px`;
  menu.style.top = `${Math.max(MARGIN, Math.min(box.bottom + 4, innerHeight - height - MARGIN))}px`;
  buttons[0].focus();
}
