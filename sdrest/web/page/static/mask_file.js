// Reads a mask from a file: which pixels are repainted, decided as the server's `pictures/masks.py` does.

import { h } from "./dom.js";
import { PAINT } from "./strokes.js";

const THRESHOLD = 128;
const FAINTEST = 26;
const [DARK, WHITE] = [48, 208];
const BRUSH = 64;
const FLAT = 32;
const COPY = 8;
const [SOME, FEW, MUCH, MOST, ALL] = [0.01, 0.02, 0.25, 0.75, 0.995];
const [GROUND, COVERED, RIM, HALF] = [0.05, 0.95, 0.45, 0.5];

/** A decoded picture's pixels, `{data, width, height}`: RGBA. */
export function pixels(source, width = source.width, height = source.height) {
  const context = h("canvas", { width, height }).getContext("2d", { willReadFrequently: true });
  context.drawImage(source, 0, 0, width, height);
  return context.getImageData(0, 0, width, height);
}

/** The width of the narrowest band that holds all but a few values. */
function spread(counts) {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const ends = [counts, counts.toReversed()].map((each) => {
    let sum = 0;
    return each.findIndex((count) => (sum += count) > FEW * total);
  });
  return 255 - ends[0] - ends[1];
}

const grey = (data, at) => 0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2];

/** Whether the opaque pixels equal those of a picture of the same size. */
function isCopy(mask, image) {
  if (mask.width !== image?.width || mask.height !== image.height) return false;
  let [apart, counted] = [0, 0];
  for (let at = 0; at < mask.data.length; at += 4) {
    if (mask.data[at + 3] < THRESHOLD) continue;
    counted += 1;
    const difference = [0, 1, 2].map((channel) => Math.abs(mask.data[at + channel] - image.data[at + channel]));
    apart += grey(difference, 0);
  }
  return apart <= COPY * counted;
}

/** Measures a mask: shares of pixels by colour and transparency. */
function measure(mask, image) {
  const { data, width, height } = mask;
  const counts = { visible: 0, dark: 0, white: 0, saturated: 0, clear: 0, rim: 0, rimClear: 0 };
  const lightness = new Array(256).fill(0);
  const faint = data.every((value, at) => at % 4 !== 3 || value < THRESHOLD);
  const least = faint ? FAINTEST : THRESHOLD;
  for (let at = 0; at < data.length; at += 4) {
    const [x, y] = [(at / 4) % width, Math.floor(at / 4 / width)];
    const isClear = data[at + 3] < THRESHOLD;
    const rims = (y === 0) + (y === height - 1) + (x === 0) + (x === width - 1);
    counts.clear += isClear;
    counts.rim += rims;
    counts.rimClear += isClear * rims;
    if (data[at + 3] < least) continue;
    const high = Math.max(data[at], data[at + 1], data[at + 2]);
    const low = Math.min(data[at], data[at + 1], data[at + 2]);
    counts.visible += 1;
    counts.dark += high < DARK;
    counts.white += low >= WHITE;
    counts.saturated += high >= DARK && high - low > Math.floor((high - 1) / 2);
    lightness[high] += 1;
  }
  const share = (count) => (counts.visible ? count / counts.visible : 0);
  const seeThrough = counts.clear / (width * height);
  return {
    seeThrough,
    rim: counts.rimClear / counts.rim,
    dark: share(counts.dark),
    white: share(counts.white),
    saturated: share(counts.saturated),
    between: share(counts.visible - counts.dark - counts.white - counts.saturated),
    flat: counts.visible > 0 && spread(lightness) <= FLAT,
    faint,
    copy: seeThrough > 0 && isCopy(mask, image),
  };
}

/** Which pixels are repainted: those that are "light", a "brush"'s, or a "hole". */
function classify({ seeThrough, rim, dark, white, saturated, between, flat, faint, copy }) {
  const pure = saturated + white;
  const painted = pure >= MOST || flat;
  const brush = saturated > FEW * (1 - dark) && between <= Math.min(MUCH, pure);
  const onClear = saturated >= MUCH || (faint && white >= MOST);
  if (!seeThrough) return (brush && dark >= GROUND) || (flat && saturated >= COVERED) ? "brush" : "light";
  if (copy && seeThrough <= MOST) return "hole";
  if (!(dark + pure + between)) return "light";
  if (dark >= ALL) return rim < MOST ? "hole" : "light";
  if (brush && dark >= HALF) return "brush";
  if (between <= MUCH && dark >= SOME && saturated <= FEW) return "light";
  if (!painted || rim < RIM) return "hole";
  return onClear ? "brush" : "light";
}

/** A function of a pixel's place in the data: whether it is repainted. */
function rule({ data }, kind) {
  if (kind === "hole") return (at) => data[at + 3] < THRESHOLD;
  const alpha = (at) => data[at + 3] / 255;
  if (kind === "light") return (at) => grey(data, at) * alpha(at) >= THRESHOLD - 0.5;
  const value = (at) => Math.max(data[at], data[at + 1], data[at + 2]) * alpha(at);
  let most = 0;
  for (let at = 0; at < data.length; at += 4) most = Math.max(most, value(at));
  return (at) => value(at) >= Math.max(1, Math.min(BRUSH, most / 2));
}

/** A canvas with the repainted pixels in our paint, the rest clear; null if there are none.
 *
 * `image` is the picture that the mask is for, as pixels: a copy of it with a hole is known by it.
 */
export async function readMask(file, image) {
  const bitmap = await createImageBitmap(file, { premultiplyAlpha: "none", colorSpaceConversion: "none" });
  const mask = pixels(bitmap);
  bitmap.close();
  const isRepainted = rule(mask, classify(measure(mask, image)));
  let any = false;
  for (let at = 0; at < mask.data.length; at += 4) {
    const repainted = isRepainted(at);
    mask.data[at + 3] = 255 * repainted;
    any ||= repainted;
  }
  if (!any) return null;
  const { width, height } = mask;
  const canvas = h("canvas", { width, height });
  const context = canvas.getContext("2d");
  context.putImageData(mask, 0, 0);
  context.globalCompositeOperation = "source-in";
  context.fillStyle = PAINT;
  context.fillRect(0, 0, width, height);
  return canvas;
}
