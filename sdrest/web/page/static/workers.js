// The machines of the cluster: a chip in the header that opens what each one has and does.

import * as api from "./api.js";
import { h, setText, uniqueId } from "./dom.js";
import { ago, count } from "./words.js";

const EVERY = 15_000;
const EVERY_WHILE_OPEN = 2_000;

const STATES = {
  ready: "Idle",
  connecting: "Connecting…",
  draining: "Stopping",
  lost: "Does not answer",
  refused: "Refused",
};

const size = (bytes) => `${Math.round(bytes / 2 ** 30)} GiB`;

function stateOf({ state, jobs, capacity }) {
  return state === "ready" && jobs.length ? `Running ${jobs.length} of ${capacity}` : STATES[state];
}

function modelsOf({ models, bundled }) {
  if (bundled) return "Demo engine";
  const names = models.map(({ name, loaded }) => (loaded ? `${name} (loaded)` : name));
  return names.length ? `Models: ${names.join(", ")}` : "No models";
}

/** A worker as an entry of the list. */
function entry(worker) {
  const { name, accelerator, memory, version, address, since, lastSeen, reason, problems, warnings } = worker;
  const facts = [accelerator?.toUpperCase(), memory && size(memory), version && `sdrest ${version}`, address];
  const times = `Connected ${ago(since)}, seen ${ago(lastSeen)}`;
  const notes = [reason, ...problems.map(({ message }) => message), ...warnings].filter(Boolean);
  return h("li", { class: "worker", data: { state: worker.state } },
    h("div", { class: "row" }, h("strong", {}, name), h("span", { class: "worker-state" }, stateOf(worker))),
    h("p", { class: "hint" }, facts.filter(Boolean).join(" · ")),
    reason ? null : h("p", { class: "hint" }, modelsOf(worker)),
    h("p", { class: "hint" }, times),
    notes.map((note) => h("p", { class: "worker-note" }, note)));
}

/** Shows the chip in `root` where the server has a cluster, and keeps it up to date. */
export async function showWorkers(root) {
  const first = await api.workers().catch(() => null);
  if (!first?.cluster) return;
  const id = uniqueId("workers");
  const chip = h("button", { type: "button", class: "chip workers", popovertarget: id });
  const list = h("ul", { class: "worker-list" });
  const hint = h("p", { class: "hint" });
  const panel = h("div", { id, popover: "auto", class: "popover", role: "group", "aria-label": "Workers" }, list, hint);
  const isOpen = () => panel.matches(":popover-open");

  function show({ cluster, workers }) {
    const silent = workers.filter(({ state }) => state === "lost" || state === "refused").length;
    const usable = count(workers.length - silent, "worker");
    setText(chip, silent ? `${usable}, ${silent} unavailable` : usable);
    chip.classList.toggle("unavailable", silent > 0 || !workers.length);
    setText(hint, workers.length ? "" : `No machine runs jobs now. Start workers that connect to ${cluster} with: sdrest worker ADDRESS`);
    if (isOpen() || !list.children.length) list.replaceChildren(...workers.map(entry));
  }

  let timer = null;
  async function refresh() {
    clearTimeout(timer);
    if (!document.hidden) await api.workers().then(show, () => {}); // the feed says that a server is lost
    timer = setTimeout(refresh, isOpen() ? EVERY_WHILE_OPEN : EVERY);
  }

  root.replaceChildren(chip, panel);
  show(first);
  timer = setTimeout(refresh, EVERY);
  panel.addEventListener("toggle", () => isOpen() && refresh());
  document.addEventListener("visibilitychange", refresh);
}
