// Opens files as pictures that can be shown, painted on and sent.

const LONGEST_SIDE = 1024;
const MEBIBYTE = 2 ** 20;

/** Signatures of files that the server reads: PNG, JPEG, GIF, BMP and WebP. */
const ACCEPTED = /^(\x89PNG\r\n\x1a\n|\xff\xd8\xff|GIF8[79]a|BM|RIFF....WEBP)/s;

/** Orientations that the server applies and browsers ignore: those of XMP, and WebP's EXIF. */
const UNSEEN_ORIENTATION = /tiff:Orientation|XML:com\.adobe\.xmp|^RIFF....WEBP.*EXIF/s;

const HEIC = /^....ftyp(hei[cmsx]|hev[cmsx]|mif1|msf1)/s;

/** A file's first bytes, one character each. */
const beginning = async (file) => String.fromCharCode(...new Uint8Array(await file.slice(0, 16).arrayBuffer()));

/** Whether the server reads a file, and sees it as the browser does. */
async function isSentAsIs(file) {
  if (!ACCEPTED.test(await beginning(file))) return false;
  return !UNSEEN_ORIENTATION.test(new TextDecoder("latin1").decode(await file.arrayBuffer()));
}

/** Decodes a file as the browser can; vector drawings only as elements. */
async function decode(file) {
  try {
    return await createImageBitmap(file);
  } catch {
    return decodeDrawing(file);
  }
}

async function decodeDrawing(file) {
  const url = URL.createObjectURL(file.type ? file : new Blob([file], { type: "image/svg+xml" }));
  try {
    const image = new Image();
    image.src = url;
    await new Promise((resolve, reject) => Object.assign(image, { onload: resolve, onerror: reject }));
    image.width ||= LONGEST_SIDE; // drawings need not have a size
    image.height ||= LONGEST_SIDE;
    return image;
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** The sentence for a file that the browser cannot decode. */
async function refusal(file) {
  const name = file.name || "The file";
  const bytes = await beginning(file).catch(() => null);
  if (bytes === null) return `${name} cannot be read. Choose one picture, not a folder.`;
  if (HEIC.test(bytes)) return `${name} is HEIC, which this browser cannot read. Save it as JPEG or PNG first.`;
  return `${name} cannot be read as a picture. Choose a PNG, JPEG, WebP, GIF or BMP.`;
}

function toBlob(canvas) {
  return new Promise((resolve, reject) => {
    const done = (blob) => (blob ? resolve(blob) : reject(new Error("The picture is too large for this browser.")));
    canvas.toBlob(done, "image/png");
  });
}

/** Draws on a new canvas; resolves to its PNG. */
export function paintPng(width, height, paint) {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  paint(canvas.getContext("2d"));
  return toBlob(canvas);
}

const millions = (count) => `${(count / 1e6).toLocaleString("en", { maximumFractionDigits: 1 })} million pixels`;

/** The largest file that the server takes, in bytes. */
export const maxBytes = (limits) => (limits ? limits.maxUpload * MEBIBYTE : Infinity);

/** Why the server would refuse a picture of this size, or null. `limits` may be unknown. */
function excess(width, height, limits) {
  if (!limits) return null;
  if (width * height > limits.maxPixels) return `This server takes at most ${millions(limits.maxPixels)}.`;
  if (Math.max(width, height) > limits.maxSide) return `This server takes at most ${limits.maxSide} pixels to a side.`;
  return null;
}

/** Opens a file as `{blob, width, height, shrunkFrom, excess}`; throws an error with a sentence if it is not a picture.
 *
 * What the browser can show but the server cannot read (AVIF, ICO, SVG …), or sees another way up,
 * becomes a PNG. Scripts need memory for every pixel, so large pictures are made smaller, unless
 * `whole`. `excess` says why the server would refuse the whole picture; `limits` are the server's.
 */
export async function openPicture(file, { whole = false, limits = null } = {}) {
  const most = maxBytes(limits);
  let source;
  try {
    source = await decode(file);
  } catch {
    throw new Error(await refusal(file));
  }
  const { width, height } = source;
  const tooLarge = excess(width, height, limits);
  const fitting = Math.min(1, LONGEST_SIDE / Math.max(width, height), tooLarge ? Math.sqrt(limits.maxPixels / (width * height)) : 1);
  const factor = whole ? 1 : fitting;
  const size = [width, height].map((side) => Math.max(1, Math.floor(side * factor)));
  const asIs = factor === 1 && file.size <= most && (await isSentAsIs(file));
  const blob = asIs ? file : await paintPng(...size, (context) => {
    context.imageSmoothingQuality = "high";
    context.drawImage(source, 0, 0, ...size);
  });
  source.close?.();
  if (blob.size > most) {
    throw new Error(`At its full size the picture has ${Math.ceil(blob.size / MEBIBYTE)} MiB; this server takes at most ${limits.maxUpload}.`);
  }
  return {
    blob, width: size[0], height: size[1],
    shrunkFrom: factor === 1 ? null : [width, height],
    excess: tooLarge,
  };
}
