// The pictures and masks that this tab has sent, by job: what its pictures start from.

const MOST = 20;
const kept = new Map();

/** Keeps what a request had, the latest ones only. */
export function keepSource(url, form) {
  const [image, mask] = [form.get("image"), form.get("mask")];
  if (!(image instanceof Blob)) return;
  const source = { form, image: URL.createObjectURL(image), mask: mask && URL.createObjectURL(mask) };
  forgetSource(url);
  kept.set(url, source);
  if (kept.size > MOST) forgetSource(kept.keys().next().value);
}

function forgetSource(url) {
  const { image, mask } = kept.get(url) ?? {};
  for (const address of [image, mask]) if (address) URL.revokeObjectURL(address);
  kept.delete(url);
}

/** What a job was made from, as `{image, mask, form}` with the addresses of both pictures; mostly undefined. */
export const sourceOf = (url) => kept.get(url);
