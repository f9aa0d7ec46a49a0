// Dialogs: a confirmation, and the token.

import { h, uniqueId } from "./dom.js";
import { closeSession, openSession } from "./api.js";
import { sentence } from "./errors.js";
import { keep, recall } from "./storage.js";

function ask(attributes, ...children) {
  const dialog = h("dialog", { class: "question", ...attributes }, ...children);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
  });
}

/** Asks for a confirmation; resolves to whether the answer was `yes`. */
export function confirm(question, yes, no = "Cancel") {
  const id = uniqueId("question");
  return ask({ "aria-labelledby": id }, h("form", { method: "dialog" },
    h("p", { id }, question),
    h("div", { class: "row end" },
      h("button", { class: "quiet", value: "no" }, no),
      h("button", { class: "primary", value: "yes" }, yes))));
}

const SIGNED_IN = "sdrest.signedIn";

/** Whether this browser has a token's cookie, which no script can read. */
export const isSignedIn = () => recall(SIGNED_IN) !== null;

/** Removes the token's cookie, then loads the page again, which has nothing then. */
export async function signOut() {
  await closeSession();
  keep(SIGNED_IN, null);
  location.reload();
}

let asking = null;

/** Asks for the token until it is right or the dialog is closed; one dialog at a time. */
export function askForToken() {
  asking ??= askOnce().finally(() => (asking = null));
  return asking;
}

function askOnce() {
  const id = uniqueId("token");
  const input = h("input", { type: "password", id, autocomplete: "current-password", required: true, "aria-describedby": `${id}-error` });
  const error = h("p", { class: "field-error", id: `${id}-error`, role: "alert" });
  const form = h("form", {
    onsubmit: async (event) => {
      event.preventDefault();
      try {
        await openSession(input.value);
        keep(SIGNED_IN, "yes");
        form.closest("dialog").close("yes");
      } catch (thrown) {
        error.textContent = sentence(thrown);
        input.focus();
      }
    },
  },
    h("label", { for: id }, "Enter the access token"),
    h("p", { class: "hint" }, "The token is the value of --token that the server was started with. This browser stores it."),
    input, error,
    h("div", { class: "row end" }, h("button", { class: "primary" }, "Unlock")));
  return ask({ "aria-label": "Token" }, form);
}
