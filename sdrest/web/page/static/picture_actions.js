// What is done with one or several pictures of the gallery.

import { announce } from "./announce.js";
import { markFavourite } from "./api.js";
import { compare } from "./compare.js";
import { sentence } from "./errors.js";
import { title } from "./job.js";
import { toast } from "./toasts.js";

/** Marks pictures as favourites; if all are, unmarks them. */
export async function markAll(pictures) {
  const isFavourite = !pictures.every((picture) => picture.isFavourite);
  try {
    await Promise.all(pictures.map(({ url }) => markFavourite(url, isFavourite)));
    announce(isFavourite ? "Added to favourites." : "Removed from favourites.");
  } catch (error) {
    toast(sentence(error), { role: "alert" });
  }
}

/** Compares two pictures. */
export function compareTwo([first, second]) {
  const side = ({ url, job, index }) => ({ url, name: `${title(job)} (${index + 1})` });
  compare(side(first), side(second));
}
