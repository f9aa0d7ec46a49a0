// Tells screen readers what happened, politely.

const region = document.getElementById("announcer");

/** Says a sentence. The same one twice is said twice. */
export function announce(sentence) {
  region.textContent = region.textContent === sentence ? `${sentence}\u00a0` : sentence;
}
