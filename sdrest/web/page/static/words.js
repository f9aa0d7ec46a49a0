// Numbers and names as text for people.

const capital = (text) => text[0].toUpperCase() + text.slice(1);

/** "batchSize" becomes "Batch size". */
export const label = (name) =>
  capital(name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`));

/** "text-to-image" becomes "Text to image". */
export const typeName = (type) => capital(type.replaceAll("-", " "));

/** 1 and "worker" become "1 worker", 3 and "worker" "3 workers". */
export const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;

/** 1 becomes "1 picture", 3 becomes "3 pictures". */
export const pictures = (number) => count(number, "picture");

const ENDINGS = { one: "st", two: "nd", few: "rd", other: "th" };
const rules = new Intl.PluralRules("en", { type: "ordinal" });

/** 2 becomes "2nd". */
const ordinal = (number) => `${number}${ENDINGS[rules.select(number)]}`;

/** A position in the queue, counted from 1. */
export function place(position) {
  if (!position) return "Waiting";
  return position === 1 ? "Next in queue" : `${ordinal(position)} in queue`;
}

/** Seconds as a rough time: "5 s", "2 min". */
export function duration(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3600)} h`;
}

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

/** A time of the past as "3 minutes ago". */
export function ago(time, now = Date.now()) {
  const seconds = (now - Date.parse(time)) / 1000;
  if (!(seconds >= 45)) return "just now";
  if (seconds < 2700) return relative.format(-Math.round(seconds / 60), "minute");
  if (seconds < 79_200) return relative.format(-Math.round(seconds / 3600), "hour");
  return relative.format(-Math.round(seconds / 86_400), "day");
}

export const percent = (fraction) => `${Math.floor(fraction * 100)} %`;
