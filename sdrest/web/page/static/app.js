// The page: creates its parts and connects them.

import { jobActions } from "./actions.js";
import { announce } from "./announce.js";
import * as api from "./api.js";
import { Compose } from "./compose.js";
import { Deletion } from "./deletion.js";
import { askForToken, isSignedIn, signOut } from "./dialogs.js";
import { h, setText } from "./dom.js";
import { sentence } from "./errors.js";
import { record } from "./estimate.js";
import { Feed } from "./events.js";
import { icon } from "./icons.js";
import { title, total } from "./job.js";
import { Gallery } from "./gallery.js";
import { showNotices } from "./notices.js";
import { Stage } from "./stage.js";
import { isActive, Store } from "./store.js";
import { notify, offerNotifications, showTitle } from "./tab.js";
import { toast } from "./toasts.js";
import { Viewer } from "./viewer.js";
import { pictures, place } from "./words.js";
import { showWorkers } from "./workers.js";

const PAGE = 60;
const SETTLE = 300;
const RETRY = 2000;

const connection = document.getElementById("connection");
const CONNECTION = {
  live: "Connected",
  polling: "Connected (polling)",
  lost: "Reconnecting…",
  locked: "Locked",
};

const store = new Store();
let compose = null;

const deletion = new Deletion(store, forget);
const actions = jobActions(store, {
  compose: () => compose,
  forget,
  remove: (jobs) => deletion.start(jobs),
  submitted,
  view: (job, index) => viewer.open(job, index),
});
const stage = new Stage(document.getElementById("stage"), store, actions);
const gallery = new Gallery(document.getElementById("gallery"), store, actions, deletion);
const viewer = new Viewer(actions, () => gallery.jobs);

/** The element of a job, where it is shown. */
const elementOf = (url) => stage.element(url) ?? gallery.element(url);

/** Removes a deleted job from the page, wherever it was deleted. */
function forget({ resultUrl }) {
  viewer.forget({ resultUrl });
  const hadFocus = elementOf(resultUrl)?.contains(document.activeElement);
  gallery.forget({ resultUrl });
  const job = store.remove(resultUrl);
  if (job) announce(`Deleted: ${title(job)}`);
  if (hadFocus) document.getElementById("jobs").focus({ preventScroll: true });
}

/** Shows a job that this window has sent; `take` merges it. If it `wasKnown`, says so; `again()` makes the same with a new seed. */
function submitted(answer, values, take, wasKnown = false, again = null) {
  const type = answer.resultUrl.split("/").at(-2);
  const made = { type, params: values, seed: answer.seed ?? Number(values.seed), ...store.get(answer.resultUrl), ...answer };
  take(made);
  const job = store.get(answer.resultUrl) ?? made;
  stage.submitted(job);
  if (!wasKnown) {
    if (!isActive(job)) announceChange(job, {}); // it ended before its request was answered
    return;
  }
  toast(isActive(job) ? "This is being made already." : "You made this before.", { label: "Make with a new seed", action: again });
  const element = elementOf(job.resultUrl);
  element?.classList.add("flash");
  element?.addEventListener("animationend", () => element.classList.remove("flash"), { once: true });
}

let settling = null;

/** Reloads queue positions, which change with every job that leaves the queue; once per burst. */
function refreshQueue() {
  clearTimeout(settling);
  settling = setTimeout(async () => {
    const take = store.answers();
    try {
      const { jobs: waiting } = await api.list({ status: "QUEUED", limit: PAGE });
      waiting.forEach(take);
    } catch {
      // the feed handles a lost server, and reloads everything when it is back
    }
  }, SETTLE);
}

store.addEventListener("job", ({ detail: { job, before } }) => {
  record(job);
  if (before?.status === "QUEUED" && job.status !== "QUEUED") refreshQueue();
  if (before) announceChange(job, before);
  offerNotifications(job);
  viewer.update(job);
});

/** Announces a change to screen readers, and the end of a job to who is elsewhere. */
function announceChange(job, before) {
  if (job.status !== before.status) {
    const messages = {
      QUEUED: `${place(job.position)}.`,
      IN_PROGRESS: "Your picture is being made.",
      COMPLETE: `Done: ${pictures(job.imageUrls?.length ?? 0)}, ${title(job)}`,
      FAILED: `Failed. ${job.error?.message ?? ""}`,
      CANCELLED: "Cancelled.",
    };
    announce(messages[job.status]);
    if (job.status === "COMPLETE" || job.status === "FAILED") notify(job);
  } else if ((job.imageUrls?.length ?? 0) > (before.imageUrls?.length ?? 0)) {
    announce(`Picture ${job.imageUrls.length} of ${total(job)} is ready.`);
  }
}

store.addEventListener("change", () => showTitle(store.all));

async function load() {
  store.replace(await api.list({ limit: PAGE }));
  compose.offer(await api.models());
}

/** Updates a job; returns whether it is known. */
function update(changes) {
  const isKnown = Boolean(changes.params || store.get(changes.resultUrl));
  if (isKnown) store.merge(changes);
  return isKnown;
}

const feed = new Feed({
  load,
  update,
  forget,
  show: (state) => {
    connection.dataset.state = state;
    setText(connection, CONNECTION[state]);
    showLinks(state);
    if (state === "lost" || state === "locked") return;
    compose.online();
    document.dispatchEvent(new Event("connected"));
  },
});

/** The buttons of the header: one to enter the token, or one to sign out. */
function showLinks(state) {
  const button = (name, label, action) => h("button", { type: "button", class: "bare", id: "session", "aria-label": label, title: label, onclick: action }, icon(name), h("span", {}, label));
  document.getElementById("session")?.remove();
  if (state === "locked") document.getElementById("links").prepend(button("key", "Unlock", api.unlock));
  else if (isSignedIn()) document.getElementById("links").append(button("sign-out", "Sign out", signOut));
}

/** Loads the schemas, retrying until the server answers. */
async function schemas() {
  for (;;) {
    try {
      return await api.schemas();
    } catch (error) {
      setText(connection, sentence(error));
      await new Promise((resolve) => setTimeout(resolve, RETRY));
    }
  }
}

api.onLocked(async () => {
  const isUnlocked = await askForToken();
  if (isUnlocked && connection.dataset.state === "locked") feed.retry();
  return isUnlocked;
});
compose = new Compose(document.getElementById("compose"), await schemas(), submitted, store);
feed.start();
showNotices(document.getElementById("problems"), document.getElementById("notices"));
showWorkers(document.getElementById("workers"));
