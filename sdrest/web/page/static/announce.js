// Announcements for screen readers.

const region = document.getElementById("announcer");

/** Announces a sentence; screen readers read a repeated one again. */
export function announce(sentence) {
  region.textContent = region.textContent === sentence ? `${sentence}\u00a0` : sentence;
}
