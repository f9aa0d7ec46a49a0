// The browser's tab and notifications: what is seen of a job while the page is not.

import { secondsLeft } from "./estimate.js";
import { title } from "./job.js";
import { keep, recall } from "./storage.js";
import { doneFraction } from "./store.js";
import { toast } from "./toasts.js";
import { duration, percent, pictures, place } from "./words.js";

const ASKED = "sdrest.notifications";
const WORTH_IT = 30;

/** The title: how far the running job is; else the first place in the queue. */
export function showTitle(jobs) {
  const running = jobs.find(({ status }) => status === "IN_PROGRESS");
  const waiting = jobs.filter(({ status }) => status === "QUEUED").sort((a, b) => (a.position ?? 0) - (b.position ?? 0))[0];
  const left = running && secondsLeft(running);
  const parts = running
    ? [left !== null && `${duration(left)} left`, percent(doneFraction(running))]
    : [waiting && place(waiting.position)];
  document.title = [...parts, "sdrest"].filter(Boolean).join(" · ");
}

/** Browsers on Android show notifications of service workers only. */
const CAN_NOTIFY = "Notification" in window && !navigator.userAgent.includes("Android");

const canAsk = () => CAN_NOTIFY && Notification.permission === "default" && !recall(ASKED);

/** Offers notifications, once, when a job takes long enough to look at something else. */
export function offerNotifications(job) {
  if (job.status !== "IN_PROGRESS" || !(secondsLeft(job) > WORTH_IT) || !canAsk()) return;
  keep(ASKED, "asked");
  toast("Get a notification when your pictures are done?", { label: "Notify me", action: () => Notification.requestPermission() });
}

/** Notifies of a job that has ended, where the page is not seen and may. */
export function notify(job) {
  if (!document.hidden || !CAN_NOTIFY || Notification.permission !== "granted") return;
  const text = job.status === "COMPLETE" ? `${pictures(job.imageUrls?.length ?? 0)} done` : "Failed";
  const shown = new Notification(text, { body: title(job), tag: job.resultUrl, icon: job.imageUrls?.[0] });
  shown.addEventListener("click", () => {
    window.focus();
    shown.close();
  });
}
