// The server's routes as functions, which resolve to JSON or throw an ApiError or OfflineError.

import { OfflineError, readError } from "./errors.js";
import { keepSource } from "./sources.js";

/** The server's root, which behind a proxy may have a path. */
const ROOT = new URL("../", import.meta.url);

/** The URL of a route relative to the root. */
export const at = (route) => new URL(route, ROOT).href;

/** Jobs whose deletion fits the 64 KiB that browsers send after a page is left. */
const MOST_KEPT_ALIVE = 700;

let ask = async () => false;
let answered = null;

/** Sets the function that asks for the token; it resolves to whether there is one now. */
export function onLocked(asked) {
  ask = asked;
}

/** Asks for the token; resolves to whether there is one now. */
export async function unlock() {
  answered = { isUnlocked: await ask() };
  return answered.isUnlocked;
}

async function send(path, options) {
  try {
    return await fetch(path, options);
  } catch {
    throw new OfflineError();
  }
}

/**
 * Asks for the token where one is required, unless that was answered while the request was under
 * way. After a question was dismissed, only what a person does (no GET) asks again.
 */
async function request(path, options = {}) {
  const before = answered;
  let response = await send(path, options);
  const asks = answered === before && (options.method || answered?.isUnlocked !== false);
  if (response.status === 401 && (asks ? await unlock() : answered.isUnlocked)) response = await send(path, options);
  if (!response.ok) throw await readError(response);
  return response;
}

async function json(path, options) {
  return (await request(path, options)).json();
}

const post = (path, body) => json(path, { method: "POST", body });

/** The JSON schemas of the requests by job type; the forms derive from them. */
export const schemas = () => json(at("static/parameters.json"));

/** The checkpoints that requests may name. */
export const models = async () => (await json(at("models"))).models;

/** What the server takes as an upload: `{maxPixels, maxSide, maxUpload}`; the last in MiB. */
export const limits = () => json(at("static/limits.json"));

/** The machines that run jobs: `{cluster, workers}`. */
export const workers = () => json(at("workers"));

/** A page of jobs, newest first: `{counts, jobs, nextCursor}`. */
export function list(query = {}) {
  const given = Object.entries(query).filter(([, value]) => value != null);
  return json(at(`jobs?${new URLSearchParams(given)}`));
}

/** Submits a job; resolves to its JSON, whether it is new or known. */
export async function submit(type, form) {
  const job = await post(at(type), form);
  keepSource(job.resultUrl, form);
  return job;
}

export const job = (url) => json(url);
export const cancel = (url) => post(`${url}/cancel`);
export const cancelAll = () => request(at("jobs/cancel"), { method: "POST" });
export const retry = (url) => post(`${url}/retry`);
export const remove = (url) => request(url, { method: "DELETE" });

/** An image's bytes. */
export const image = async (url) => (await request(url)).blob();

/** The engine and its problems; resolves for an engine that is not ready, too. */
export async function readiness() {
  const response = await send(at("readyz"));
  return response.status === 200 || response.status === 503 ? response.json() : null;
}

/** Exchanges a token for a cookie; throws if the token is wrong. */
export async function openSession(token) {
  const response = await send(at("session"), {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ token }),
  });
  if (!response.ok) throw await readError(response);
}

/** Gives the cookie back. */
export const closeSession = () => request(at("session"), { method: "DELETE" });

/** The address of a version of an image whose longer side has at most `size` pixels. */
export const thumbnail = (url, size) => `${url}?size=${size}`;

/** Deletes several jobs; the request is sent even if the page is left. */
export const deleteJobs = (urls) =>
  request(at("jobs/delete"), {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ jobs: urls }),
    keepalive: urls.length < MOST_KEPT_ALIVE,
  });

/** Marks a picture as a favourite, or no longer. */
export const markFavourite = (url, isFavourite) => request(`${url}/favourite`, { method: isFavourite ? "PUT" : "DELETE" });

/** Downloads pictures as one file, which the browser writes to the disk as it comes. */
export function downloadZip(urls) {
  const form = document.createElement("form");
  const images = document.createElement("input");
  Object.assign(form, { method: "post", action: at("jobs/zip"), hidden: true });
  Object.assign(images, { type: "hidden", name: "images", value: urls.join(" ") });
  form.append(images);
  document.body.append(form);
  form.submit();
  form.remove();
}

/** What a picture's file says of its making: `{info, items, parameters}`. */
export async function settingsOf(file) {
  const image = await new Promise((resolve, reject) => {
    const reader = new FileReader();
    Object.assign(reader, { onload: () => resolve(reader.result), onerror: () => reject(reader.error) });
    reader.readAsDataURL(file);
  });
  return json(at("sdapi/v1/png-info"), {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ image }),
  });
}
