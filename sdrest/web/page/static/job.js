// What a job is, in words: its title, its state, its facts.

import { doneFraction } from "./store.js";
import { ago, duration, label, percent, place, typeName } from "./words.js";

const HIDDEN = new Set(["prompt", "channels", "downsamplingFactor"]);
const SUMMARY = ["steps", "seed", "strength"];

/** How many pictures a job makes. */
export function total({ progress, params, imageUrls = [] }) {
  const asked = Number(params.iterations ?? 1) * Number(params.batchSize ?? 1);
  return progress?.totalImages ?? Math.max(asked, imageUrls.length);
}

/** The prompt, or the type where there is none. */
export const title = ({ params, type }) => params.prompt || typeName(type);

/** The parameters with the seed that was used. */
const used = (job) => ({ ...job.params, seed: job.seed ?? job.params.seed });

/** The most important parameters in one line. */
export function summary(job) {
  const { width, height, ...params } = used(job);
  const shown = SUMMARY.filter((name) => params[name] != null).map((name) => `${name} ${params[name]}`);
  return [typeName(job.type), width && `${width} × ${height}`, ...shown, ago(job.createdAt)].filter(Boolean).join(" · ");
}

/** A job's parameters as `[name, value]` pairs for people. */
export function facts(job) {
  const { width, height, ...params } = used(job);
  const size = width && height ? [["Size", `${width} × ${height}`]] : [];
  const rest = Object.entries(params).filter(([name, value]) => !HIDDEN.has(name) && value != null && value !== "");
  const text = (value) => (typeof value === "boolean" ? (value ? "yes" : "no") : String(value));
  return [...size, ...rest.map(([name, value]) => [label(name), text(value)])];
}

/** Where a job stands; `left` are the seconds that it still needs, null while they are unknown. */
export function stateText(job, left = null) {
  switch (job.status) {
    case "QUEUED":
      return place(job.position);
    case "IN_PROGRESS": {
      const { currentImageIndex: index, totalImages: count, currentImageProgress: part } = job.progress ?? {};
      if (!index || (index === 1 && part === 0)) return "Starting";
      const which = count > 1 ? `Picture ${index} of ${count}` : "Drawing";
      return [which, percent(doneFraction(job)), left !== null && `about ${duration(left)} left`].filter(Boolean).join(" · ");
    }
    case "FAILED":
      return "Failed";
    case "CANCELLED":
      return "Cancelled";
    default:
      return "";
  }
}

/** Whether the model's safety checker replaced the picture at a URL, which ends with its number. */
export const isReplaced = ({ flagged = [] }, url) => flagged.includes(Number(/(\d+)\.png$/.exec(url)?.[1]));

export const REPLACED = "The model's safety checker replaced this picture.";

/** Names the pictures that the safety checker replaced. */
export function replaced({ flagged = [] }) {
  if (!flagged.length) return "";
  return `The safety checker replaced ${flagged.length > 1 ? "pictures" : "picture"} ${flagged.join(", ")}`;
}
