// About the server: the demo engine, and problems that keep it from making pictures.

import * as api from "./api.js";
import { copy } from "./clipboard.js";
import { h, uniqueId } from "./dom.js";
import { icon } from "./icons.js";

const ADDRESS = /(https:\/\/\S+[^\s.,;)])/;
const SETUP = "sdrest setup";

/** A text with its addresses as links. */
function linked(text) {
  return text.split(ADDRESS).map((part) =>
    part.startsWith("https://") ? h("a", { href: part, rel: "noreferrer", target: "_blank" }, part.replace("https://", "")) : part);
}

/** The chip of the demo engine, which opens what it is and how to get the real one. */
function demoChip() {
  const id = uniqueId("demo");
  return [
    h("button", { type: "button", class: "chip demo", popovertarget: id }, icon("info"), "Demo engine"),
    h("div", { id, popover: "auto", class: "popover demo-about", role: "note" },
      h("p", {}, "You are using the built-in demo engine: it draws simple scenes. For real Stable Diffusion (6 GB), run this in a terminal:"),
      h("div", { class: "row command" }, h("code", {}, SETUP),
        h("button", { type: "button", class: "quiet", onclick: () => copy(SETUP, "Command copied.") }, icon("copy"), "Copy"))),
  ];
}

/** Shows the engine's chip in `chips` and the server's problems in `root`. */
export async function showNotices(root, chips) {
  const answer = await api.readiness().catch(() => null);
  if (!answer) return;
  const { engine, problems = [] } = answer;
  root.replaceChildren(...problems.map(({ message }) => h("p", { class: "notice" }, linked(message))));
  chips.replaceChildren(...(engine?.kind === "bundled" ? demoChip() : []));
}
