// The menu of a picture in the gallery.

import { copy } from "./clipboard.js";
import { seedOf } from "./job.js";
import { openMenu } from "./tile_menu.js";

/** Opens a tile's menu at an element. `actions` are those of jobs; `own`: `favourite()`, `select()`, `remove()`. */
export function openPictureMenu(tile, at, actions, own) {
  const { job, index, isFavourite } = tile.picture;
  const { prompt } = job.params;
  const items = [
    ["expand", "Open", () => actions.view(job, index)],
    [isFavourite ? "heart-filled" : "heart", isFavourite ? "Remove from favourites" : "Favourite", own.favourite],
    ["download", "Download", () => tile.element.querySelector("a[download]").click()],
    ["reuse", "Reuse settings", () => actions.use(job)],
    ["edit", "Edit with a prompt", () => actions.begin("image-to-image", job, index)],
    ["brush", "Erase or repaint", () => actions.begin("inpaint-image", job, index)],
    ...(prompt ? [["copy", "Copy prompt", () => copy(prompt, "Prompt copied.")]] : []),
    ["copy", "Copy seed", () => copy(String(seedOf(job, index)), "Seed copied.")],
    ["select", "Select", own.select],
    ["trash", "Delete", own.remove],
  ];
  openMenu(at, items, () => tile.focus({ preventScroll: true }));
}
