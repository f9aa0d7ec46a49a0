// What is entered outlives a reload, in this tab only.

const KEY = "sdrest.draft";

export function loadDraft() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY)) ?? {};
  } catch {
    return {};
  }
}

export function saveDraft(draft) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(draft));
  } catch {
    // without storage (private windows) a reload forgets, and nothing else is lost
  }
}
