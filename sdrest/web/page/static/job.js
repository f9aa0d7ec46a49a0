// What a job is, in words: its title, its state, its facts.

import { doneFraction } from "./store.js";
import { ago, duration, label, percent, place, typeName } from "./words.js";

const HIDDEN = new Set(["prompt", "channels", "downsamplingFactor", "keepAlive"]);
const LABELS = { feather: "Soft edge", iterations: "Pictures" };
const UPPER = new Set(["sampler"]);
const USUAL = { batchSize: 1, eta: 0 };

/** How many pictures a job makes. */
export function total({ progress, params, imageUrls = [] }) {
  const asked = Number(params.iterations ?? 1) * Number(params.batchSize ?? 1);
  return progress?.totalImages ?? Math.max(asked, imageUrls.length);
}

/** The prompt, or the type where there is none. */
export const title = ({ params, type }) => params.prompt || typeName(type);

/** The seed of a job's picture; where the server does not have each one's, that of the job. */
export const seedOf = ({ params, seed, seeds }, index = 0) => seeds?.[index] ?? seed ?? params.seed;

/** The size of a job's pictures as `{width, height}`, both undefined where it is not known. */
export const sizeOf = ({ imageSize, params: { width, height } }) => imageSize ?? { width, height };

/** The parameters with the seed that was used. */
const used = (job, index) => ({ ...job.params, seed: seedOf(job, index) });

/** The most important parameters in one line, whose end may be cut. */
export function summary(job) {
  const { steps, seed, strength } = used(job);
  const { width, height } = sizeOf(job);
  const pair = (name, value) => value != null && `${name} ${value}`;
  return [
    pair("Seed", seed), job.params.prompt && job.type !== "text-to-image" && typeName(job.type), width && `${width} × ${height}`, steps && `${steps} steps`, pair("strength", strength), ago(job.createdAt),
  ].filter(Boolean).join(" · ");
}

/** The parameters of a job's picture as `[name, value]` pairs for people. */
export function facts(job, index) {
  const { width: _width, height: _height, ...params } = used(job, index);
  const { width, height } = sizeOf(job);
  const size = width && height ? [["Size", `${width} × ${height}`]] : [];
  const isMasked = params.mask || job.type === "inpaint-image";
  const isNews = ([name, value]) => !HIDDEN.has(name) && (isMasked || name !== "feather") && value != null && value !== "" && Number(value) !== USUAL[name];
  return [...size, ...Object.entries(params).filter(isNews).map(([name, value]) => [LABELS[name] ?? label(name), valueText(name, value)])];
}

function valueText(name, value) {
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (name === "feather") return value ? `${value} px` : "off";
  return UPPER.has(name) ? value.toUpperCase() : String(value);
}

/** Where a job stands; `left` are the seconds that it still needs, null while they are unknown. */
export function stateText(job, left = null) {
  switch (job.status) {
    case "QUEUED":
      return place(job.position);
    case "IN_PROGRESS": {
      const { currentImageIndex: index, totalImages: count, currentImageProgress: part } = job.progress ?? {};
      if (!index || (index === 1 && part === 0)) return "Starting";
      const current = Math.min(count, Math.max(index, (job.imageUrls?.length ?? 0) + 1)); // after a restart more are listed
      const which = count > 1 ? `Picture ${current} of ${count}` : "Drawing";
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

const LONGEST_NAME = 48;

/** A name for a picture's file that says what it is: the prompt, the seed, the number. */
export function fileName(job, url) {
  const words = title(job).toLowerCase().replaceAll(/[^\p{Letter}\p{Number}]+/gu, "-").slice(0, LONGEST_NAME);
  return [words.replaceAll(/^-|-$/g, ""), job.seed ?? job.params.seed, number(url)].filter((part) => part != null && part !== "").join("-") + ".png";
}

/** A picture's number, counted from 1, from its URL. */
const number = (url) => Number(/(\d+)\.png$/.exec(url)?.[1]);

/** Whether the model's safety checker replaced the picture at a URL, which ends with its number. */
export const isReplaced = ({ flagged = [] }, url) => flagged.includes(number(url));

/** Whether the picture at a URL is a favourite. */
export const isFavourite = ({ favourites = [] }, url) => favourites.includes(number(url));

export const REPLACED = "The model's safety checker replaced this picture.";

/** Names the pictures that the safety checker replaced. */
export function replaced({ flagged = [] }) {
  if (!flagged.length) return "";
  return `The safety checker replaced ${flagged.length > 1 ? "pictures" : "picture"} ${flagged.join(", ")}`;
}
