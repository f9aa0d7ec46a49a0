// What can be done with the selected pictures.

import { h, setText } from "./dom.js";
import { icon } from "./icons.js";
import { pictures as picturesText } from "./words.js";

export class SelectionBar {
  #count = h("p", { role: "status" });
  #buttons;

  /** `actions`: `download()`, `favourite()`, `compare()`, `remove()`, `clear()`. */
  constructor(actions) {
    const button = (name, label, action) =>
      h("button", { type: "button", class: "bare", title: label, onclick: action }, icon(name), h("span", {}, label));
    this.#buttons = {
      download: button("archive", "Download", actions.download),
      favourite: button("heart", "Favourite", actions.favourite),
      compare: button("compare", "Compare", actions.compare),
      remove: button("trash", "Delete", actions.remove),
    };
    this.element = h("div", { class: "selection-bar", role: "toolbar", "aria-label": "Selected pictures", hidden: true },
      h("button", { type: "button", class: "bare icon-button", "aria-label": "End selecting", title: "End selecting", onclick: actions.clear }, icon("close")),
      this.#count, Object.values(this.#buttons));
  }

  show(pictures, isSelecting) {
    this.element.hidden = !isSelecting;
    const count = pictures.length;
    setText(this.#count, count ? `${count} selected` : "Select pictures");
    for (const name of ["download", "favourite", "remove"]) this.#buttons[name].disabled = count === 0;
    this.#buttons.compare.disabled = count !== 2;
    this.#buttons.compare.title = count === 2 ? "Compare" : "Select two pictures to compare them";
    this.#buttons.download.title = `Download ${picturesText(count)} as one file`;
    const isFavourite = count > 0 && pictures.every((picture) => picture.isFavourite);
    this.#buttons.favourite.title = isFavourite ? "Unmark" : "Favourite";
    setText(this.#buttons.favourite.querySelector("span"), this.#buttons.favourite.title);
  }
}
