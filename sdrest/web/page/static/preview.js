// What a picture in progress looks like so far: a small image over its placeholder.

export class Preview {
  #url = null;

  constructor() {
    this.element = document.createElement("img");
    this.element.className = "preview";
    this.element.alt = ""; // the progress beside it says more
    this.element.hidden = true;
    this.element.addEventListener("load", () => (this.element.hidden = this.#url === null));
    this.element.addEventListener("error", () => (this.element.hidden = true)); // the picture is done
  }

  /** Shows the preview at a URL, which is another one for each preview; without a URL, none. */
  show(url = null) {
    if (this.#url === url) return;
    this.#url = url;
    if (url) this.element.src = url; // what was loaded stays visible until this is
    else this.element.hidden = true;
  }
}
