// The page: creates its parts and connects them.

import { announce } from "./announce.js";
import * as api from "./api.js";
import { Compose } from "./compose.js";
import { askForToken, confirm } from "./dialogs.js";
import { setText } from "./dom.js";
import { ApiError, sentence } from "./errors.js";
import { Feed } from "./events.js";
import { title, total } from "./job.js";
import { Jobs } from "./jobs.js";
import { showNotices } from "./notices.js";
import { Stage } from "./stage.js";
import { doneFraction, isActive, Store } from "./store.js";
import { toast } from "./toasts.js";
import { Viewer } from "./viewer.js";
import { percent, pictures, place } from "./words.js";
import { showWorkers } from "./workers.js";

const PAGE = 60;
const SETTLE = 300;
const RETRY = 2000;

const connection = document.getElementById("connection");
const CONNECTION = {
  live: "Connected",
  polling: "Connected (polling)",
  lost: "Reconnecting…",
};

const store = new Store();
let compose = null;

/** Runs a button's action and shows its errors. */
function guarded(action) {
  return async (...given) => {
    try {
      await action(...given);
    } catch (error) {
      if (error instanceof ApiError && error.status === 410) forget(given[0]);
      showError(sentence(error));
    }
  };
}

const showError = (text) => toast(text, { role: "alert" });

const useImage = guarded((type, url, prompt) => compose.useImage(type, url, prompt));
const use = (job) => compose.use(job);
const viewer = new Viewer({ useImage, use });

/** What the buttons of a job do, on the stage, in the gallery and in the viewer. */
const actions = {
  cancel: guarded(async (job) => store.merge(await api.cancel(job.resultUrl))),
  retry: guarded(async (job) => store.merge(await api.retry(job.resultUrl))),
  remove: guarded(async (job) => {
    const what = job.imageUrls?.length ? ` and its ${pictures(job.imageUrls.length)}` : "";
    if (!(await confirm(`Delete “${title(job)}”${what} permanently?`, "Delete"))) return;
    await api.remove(job.resultUrl);
    forget(job);
  }),
  use,
  view: (job, index) => viewer.open(job, index),
  more: guarded(async () => store.append(await api.list({ limit: PAGE, cursor: store.nextCursor }))),
  suggest: (prompt) => compose.suggest(prompt),
};

const stage = new Stage(document.getElementById("stage"), store, actions);
const gallery = new Jobs(document.getElementById("gallery"), store, actions);

/** The element of a job, where it is shown. */
const elementOf = (url) => stage.element(url) ?? gallery.element(url);

/** Removes a deleted job from the page, wherever it was deleted. */
function forget({ resultUrl }) {
  viewer.forget({ resultUrl });
  const hadFocus = elementOf(resultUrl)?.contains(document.activeElement);
  const job = store.remove(resultUrl);
  if (job) announce(`Deleted: ${title(job)}`);
  if (hadFocus) document.getElementById("jobs").focus({ preventScroll: true });
}

/** Shows a submitted job. If it `wasKnown`, says so; `again()` makes the same with a new seed. */
function submitted(job, values, wasKnown, again) {
  const type = job.resultUrl.split("/").at(-2);
  const known = store.get(job.resultUrl);
  store.merge({ type, params: values, seed: job.seed ?? Number(values.seed), ...known, ...job });
  const element = elementOf(job.resultUrl);
  element?.scrollIntoView({ block: "nearest" });
  if (!wasKnown) return;
  toast(isActive(job) ? "This is being made already." : "You made this before.", { label: "Make with a new seed", action: again });
  element?.classList.add("flash");
  element?.addEventListener("animationend", () => element.classList.remove("flash"), { once: true });
}

let settling = null;

/** Reloads queue positions, which change with every job that leaves the queue; once per burst. */
function refreshQueue() {
  clearTimeout(settling);
  settling = setTimeout(async () => {
    try {
      const { jobs: waiting } = await api.list({ status: "QUEUED", limit: PAGE });
      waiting.forEach((job) => store.merge(job));
    } catch {
      // the feed handles a lost server, and reloads everything when it is back
    }
  }, SETTLE);
}

store.addEventListener("job", ({ detail: { job, before } }) => {
  if (before?.status === "QUEUED" && job.status !== "QUEUED") refreshQueue();
  if (before) announceChange(job, before);
  viewer.update(job);
});

/** Announces a change to screen readers. */
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
  } else if ((job.imageUrls?.length ?? 0) > (before.imageUrls?.length ?? 0)) {
    announce(`Picture ${job.imageUrls.length} of ${total(job)} is ready.`);
  }
}

store.addEventListener("change", () => {
  const running = store.all.find((job) => job.status === "IN_PROGRESS");
  document.title = running ? `${percent(doneFraction(running))} · sdrest` : "sdrest";
});

async function load() {
  store.replace(await api.list({ limit: PAGE }));
  compose.offer(await api.models());
}

function update(changes) {
  if (changes.params || store.get(changes.resultUrl)) store.merge(changes);
  else load().catch(() => {}); // a job of another window; the feed handles a lost server
}

const feed = new Feed({
  load,
  update,
  forget,
  show: (state) => {
    connection.dataset.state = state;
    setText(connection, CONNECTION[state]);
    if (state !== "lost") compose.online();
  },
});

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

api.onLocked(askForToken);
compose = new Compose(document.getElementById("compose"), await schemas(), submitted, store);
feed.start();
showNotices(document.getElementById("problems"), document.getElementById("notices"));
showWorkers(document.getElementById("workers"));
