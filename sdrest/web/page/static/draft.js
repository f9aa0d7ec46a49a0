// Keeps what is entered over a reload, in this tab; and the last prompts, in this browser.

const KEY = "sdrest.draft";
const PROMPTS = "sdrest.prompts";
const MOST_PROMPTS = 50;
const LONGEST_PROMPT = 4000;

function load(storage, key) {
  try {
    return JSON.parse(storage().getItem(key));
  } catch {
    return null;
  }
}

function save(storage, key, value) {
  try {
    storage().setItem(key, JSON.stringify(value));
  } catch {
    // without storage (private windows) only a reload loses it
  }
}

const tab = () => sessionStorage; // what throws where storage is off is the mention of it
const browser = () => localStorage;

export const loadDraft = () => load(tab, KEY) ?? {};
export const saveDraft = (draft) => save(tab, KEY, draft);

/** The last prompts, newest first. */
export function prompts() {
  const kept = load(browser, PROMPTS);
  return Array.isArray(kept) ? kept.filter((prompt) => typeof prompt === "string") : [];
}

/** Puts a prompt first; the oldest one over the limit goes, a very long one is not kept. */
export function rememberPrompt(prompt) {
  if (!prompt?.trim() || prompt.length > LONGEST_PROMPT) return;
  save(browser, PROMPTS, [prompt, ...prompts().filter((other) => other !== prompt)].slice(0, MOST_PROMPTS));
}

export const forgetPrompts = () => save(browser, PROMPTS, []);
