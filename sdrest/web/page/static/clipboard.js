// Copies texts.

import { h } from "./dom.js";
import { toast } from "./toasts.js";

/** Copies a text, also on pages without a certificate, where browsers have no clipboard API. */
async function write(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = h("textarea", { class: "unseen", "aria-hidden": "true" });
    const focused = document.activeElement;
    field.value = text;
    (focused?.closest("dialog") ?? document.body).append(field);
    field.select();
    const copied = document.execCommand("copy");
    field.remove();
    focused?.focus({ preventScroll: true });
    return copied;
  }
}

/** Copies a text and says `done`. */
export async function copy(text, done) {
  if (await write(text)) toast(done);
  else toast("This browser does not let pages copy. Select the text instead.", { role: "alert" });
}
