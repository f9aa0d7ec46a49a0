// Short messages at the lower edge, with at most one action each.

import { h } from "./dom.js";
import { icon } from "./icons.js";

const SHOWN = 8000;
const MOST = 3;

const root = document.getElementById("toasts");

/** Moves the messages above the topmost dialog, outside of which nothing can be clicked. */
function raise() {
  const host = [...document.querySelectorAll("dialog:modal")].at(-1) ?? document.body;
  if (root.parentElement === host) return;
  host.append(root);
  if (host !== document.body) host.addEventListener("close", raise, { once: true });
}

/** Shows a message; `action()` runs when its button `label` is pressed. Returns a function that removes it.
 *
 * `role`: "status", or "alert" for an error. A message stays while it is pointed at or has the focus.
 */
export function toast(text, { label, action, role = "status" } = {}) {
  const before = document.activeElement;
  const close = () => {
    clearTimeout(timer);
    const hadFocus = note.contains(document.activeElement);
    note.remove();
    if (hadFocus && before?.isConnected) before.focus({ preventScroll: true });
  };
  const later = () => setTimeout(close, SHOWN);
  const act = () => {
    close();
    action();
  };
  const note = h("div", { class: "toast" },
    h("p", { role }, text),
    action ? h("button", { type: "button", class: "bare", onclick: act }, label) : null,
    h("button", { type: "button", class: "bare icon-button", "aria-label": "Dismiss", onclick: close }, icon("close")));
  let timer = later();
  for (const name of ["pointerenter", "focusin"]) note.addEventListener(name, () => clearTimeout(timer));
  for (const name of ["pointerleave", "focusout"]) {
    note.addEventListener(name, () => {
      clearTimeout(timer);
      timer = later();
    });
  }
  raise();
  root.append(note);
  while (root.children.length > MOST) root.firstElementChild.remove();
  return close;
}
