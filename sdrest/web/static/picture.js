// Files that people give become pictures that can be shown, painted on and sent.

const LONGEST_SIDE = 1024;

/** Formats that the server reads. */
export const ACCEPTED = ["image/png", "image/jpeg", "image/webp", "image/gif", "image/bmp"];

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

/** Opens a file as `{blob, width, height, shrunkFrom}`; throws a sentence where it is no picture.
 *
 * Scripts need memory for every pixel, so large pictures are made smaller, unless `whole`.
 */
export async function openPicture(file, { whole = false } = {}) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    throw new Error(`${file.name || "This"} is no picture that can be read. PNG, JPEG, WebP, GIF and BMP can.`);
  }
  const { width, height } = bitmap;
  const factor = LONGEST_SIDE / Math.max(width, height);
  if (whole || factor >= 1) {
    bitmap.close();
    return { blob: file, width, height, shrunkFrom: null };
  }
  const size = [Math.round(width * factor), Math.round(height * factor)];
  const blob = await paintPng(...size, (context) => {
    context.imageSmoothingQuality = "high";
    context.drawImage(bitmap, 0, 0, ...size);
  });
  bitmap.close();
  return { blob, width: size[0], height: size[1], shrunkFrom: [width, height] };
}
