// The box of the prompt: the prompt, the negative one, the earlier ones, and the form's menu.

import { forgetPrompts, prompts } from "./draft.js";
import { h } from "./dom.js";
import { Menu } from "./menu.js";

const SHOWN = 20;

/** Moves through earlier prompts with the arrow keys, from the prompt's beginning, as shells do. */
function recall(field) {
  let place = -1;
  let begun = "";
  field.control.addEventListener("input", () => (place = -1));
  field.control.addEventListener("keydown", (event) => {
    const step = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    const { selectionStart: at, selectionEnd: end, value } = field.control;
    const inside = at !== end || (step === 1 && at > 0) || (step === -1 && place < 0);
    if (!step || inside || event.altKey || event.ctrlKey || event.metaKey) return;
    const earlier = prompts();
    const next = place + step;
    if (next >= earlier.length) return;
    if (place < 0) begun = value;
    event.preventDefault();
    field.set(next < 0 ? begun : earlier[next]);
    field.control.dispatchEvent(new Event("input", { bubbles: true }));
    place = next;
    field.control.setSelectionRange(0, 0);
  });
}

/** The menu of earlier prompts. */
function earlier(field) {
  return new Menu("Earlier prompts", "history", () => {
    const items = prompts().slice(0, SHOWN).map((text) => ({
      text,
      action: () => {
        field.set(text);
        field.control.dispatchEvent(new Event("input", { bubbles: true }));
        field.focus();
      },
    }));
    return items.length ? [...items, { text: "Clear this list", action: forgetPrompts }] : [{ text: "The prompts of the pictures you make come here." }];
  });
}

/** Returns the box with the elements of the prompts, or with an introduction where there is no prompt. */
export function promptBox(elements, field, introduction, actions) {
  if (field) recall(field);
  return h("div", { class: field ? "prompt-box" : "prompt-box without-prompt" },
    introduction ? h("p", { class: "introduction" }, introduction) : null,
    elements,
    h("div", { class: "prompt-tools" },
      field ? earlier(field).element : null, new Menu("More actions", "more", actions).element));
}
