// Notices about the server: the bundled engine, and problems that keep it from making pictures.

import * as api from "./api.js";
import { h } from "./dom.js";

const ADDRESS = /(https:\/\/\S+[^\s.,;)])/;

/** A text with its addresses as links. */
function linked(text) {
  return text.split(ADDRESS).map((part) =>
    part.startsWith("https://") ? h("a", { href: part, rel: "noreferrer", target: "_blank" }, part.replace("https://", "")) : part);
}

export async function showNotices(root) {
  const answer = await api.readiness().catch(() => null);
  if (!answer) return;
  const { engine, problems = [] } = answer;
  const notes = problems.map(({ message }) => h("p", { class: "notice problem" }, linked(message)));
  if (engine?.kind === "bundled") notes.push(h("p", { class: "notice" }, linked(engine.message)));
  root.replaceChildren(...notes);
}
