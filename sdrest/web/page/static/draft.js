// Keeps what is entered over a reload, in this tab.

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
    // without storage (private windows) only a reload loses the draft
  }
}
