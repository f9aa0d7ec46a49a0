// Makes a job's pictures again with another seed.

import * as api from "./api.js";
import { sourceOf } from "./sources.js";

/** Whether the page has all of a job's request: a picture to start from is kept by the tab that sent it only. */
export const canRepeat = ({ type, resultUrl }) => type === "text-to-image" || sourceOf(resultUrl) !== undefined;

/** Sends a job's request with a random seed; resolves to the new job with what was sent, as `[job, params]`. */
export async function repeat(job) {
  const form = new FormData();
  const params = Object.entries({ ...job.params, seed: "random" }).filter(([, value]) => value != null);
  for (const [name, value] of params) form.append(name, value);
  for (const name of ["image", "mask"]) {
    const file = sourceOf(job.resultUrl)?.form.get(name);
    if (file) form.append(name, file, name);
  }
  return [await api.submit(job.type, form), Object.fromEntries(params)];
}
