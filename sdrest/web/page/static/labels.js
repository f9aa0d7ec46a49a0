// What the form calls the parameters, and what it says of them, where the API's words are not for people.

import { label } from "./words.js";

const LABELS = {
  iterations: "Pictures",
  keepAlive: "Keep model loaded",
};

const HINTS = {
  batchSize: "How many pictures are made at the same time: the number of pictures times this. More need more memory.",
  iterations: "How many pictures to make, one after the other.",
  keepAlive: "How long the model stays in memory after the job. The next job then starts at once.",
  model: "Which model makes the picture.",
  negativePrompt: "What the picture should not show.",
  sampler: "How noise becomes a picture. PLMS needs an eta of 0.",
  seed: "The same seed and settings give the same pictures, each in its place among those of one job. The dice choose a new seed for each picture you make; the lock keeps one.",
};

const PLACEHOLDERS = {
  negativePrompt: "Leave out, for example: text, people",
  prompt: "Describe the picture …",
  seed: "Random",
};

const KEEP_ALIVE = { "": "Server default", 0: "Unload at once", 300: "5 minutes", 3600: "1 hour", "-1": "Always" };

/** The texts of enumerated values, by parameter. */
export const CHOICES = { keepAlive: KEEP_ALIVE, sampler: { ddim: "DDIM", plms: "PLMS" } };

export const labelOf = (name) => LABELS[name] ?? label(name);
export const hintOf = (name, description = "") => HINTS[name] ?? description;
export const placeholderOf = (name) => PLACEHOLDERS[name];
