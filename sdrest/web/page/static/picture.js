// Opens files as pictures that can be shown, painted on and sent.

const LONGEST_SIDE = 1024;

/** Signatures of files that the server reads: PNG, JPEG, GIF, BMP and WebP. */
const ACCEPTED = /^(\x89PNG\r\n\x1a\n|\xff\xd8\xff|GIF8[79]a|BM|RIFF....WEBP)/s;
const SIGNATURE_SIZE = 12;

/** Whether the server reads a file, judged by its content. */
async function isAccepted(file) {
  const bytes = new Uint8Array(await file.slice(0, SIGNATURE_SIZE).arrayBuffer());
  return ACCEPTED.test(String.fromCharCode(...bytes));
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
  const url = URL.createObjectURL(file);
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

function toBlob(canvas) {
  return new Promise((resolve, reject) => {
    const done = (blob) => (blob ? resolve(blob) : reject(new Error("The picture is too large.")));
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

/** Opens a file as `{blob, width, height, shrunkFrom}`; throws an error with a sentence if it is not a picture.
 *
 * What the browser can show but the server cannot read (AVIF, ICO, SVG …) becomes a PNG. Scripts
 * need memory for every pixel, so large pictures are made smaller, unless `whole`.
 */
export async function openPicture(file, { whole = false } = {}) {
  let source;
  try {
    source = await decode(file);
  } catch {
    throw new Error(`${file.name || "The file"} cannot be read as a picture. Choose a PNG, JPEG, WebP, GIF or BMP.`);
  }
  const { width, height } = source;
  const factor = whole ? 1 : Math.min(1, LONGEST_SIDE / Math.max(width, height));
  const size = [width, height].map((side) => Math.max(1, Math.round(side * factor)));
  const blob = factor === 1 && (await isAccepted(file)) ? file : await paintPng(...size, (context) => {
    context.imageSmoothingQuality = "high";
    context.drawImage(source, 0, 0, ...size);
  });
  source.close?.();
  return { blob, width: size[0], height: size[1], shrunkFrom: factor === 1 ? null : [width, height] };
}
