// One picture at full size, with its parameters.

import { h, setText } from "./dom.js";
import { facts, isReplaced, REPLACED, title, total } from "./card.js";

export class Viewer {
  #image = h("img", {});
  #text = h("p", { class: "viewer-prompt" });
  #replaced = h("p", { class: "hint" }, REPLACED);
  #facts = h("dl", {});
  #place = h("p", { class: "hint", role: "status" });
  #download = h("a", { class: "primary", download: "" }, "Download");
  #previous;
  #next;
  #turns;
  #dialog;
  #job;
  #index = 0;

  /** `useImage(type, url, prompt)` takes the picture as an input; `use(job)` takes parameters. */
  constructor({ useImage, use }) {
    const act = (text, action) =>
      h("button", { type: "button", class: "quiet", onclick: () => { this.#dialog.close(); action(); } }, text);
    const begin = (type) => useImage(type, this.#url, this.#job.params.prompt);
    this.#previous = h("button", { type: "button", class: "quiet", onclick: () => this.#turn(-1) }, "Previous");
    this.#next = h("button", { type: "button", class: "quiet", onclick: () => this.#turn(1) }, "Next");
    this.#turns = h("div", { class: "row" }, this.#previous, this.#place, this.#next);
    this.#dialog = h("dialog", { class: "viewer", "aria-label": "Picture", onkeydown: (event) => this.#key(event) },
      h("div", { class: "viewer-image" }, this.#image),
      h("div", { class: "viewer-about" },
        h("button", { type: "button", class: "quiet close", onclick: () => this.#dialog.close() }, "Close"),
        this.#text, this.#replaced, this.#facts,
        h("div", { class: "viewer-use" },
          this.#download,
          act("Edit with a prompt", () => begin("image-to-image")),
          act("Erase or repaint", () => begin("inpaint-image")),
          act("Reuse settings", () => use(this.#job))),
        this.#turns));
    this.#dialog.addEventListener("click", (event) => event.target === this.#dialog && this.#dialog.close());
    document.body.append(this.#dialog);
  }

  open(job, index) {
    this.#job = job;
    this.#index = index;
    this.#show();
    this.#dialog.showModal();
  }

  /** Updates the job, which may have more pictures now. */
  update(job) {
    if (!this.#shows(job)) return;
    if (!job.imageUrls?.length) return this.#dialog.close(); // they were deleted, or are made again
    const url = this.#url;
    this.#job = job;
    this.#index = Math.min(this.#index, job.imageUrls.length - 1);
    if (this.#url === url) this.#showPlace();
    else this.#show();
  }

  /** Closes if its job was deleted. */
  forget(job) {
    if (this.#shows(job)) this.#dialog.close();
  }

  #shows({ resultUrl }) {
    return this.#dialog.open && this.#job.resultUrl === resultUrl;
  }

  get #url() {
    return this.#job.imageUrls[this.#index];
  }

  #turn(step) {
    const count = this.#job.imageUrls.length;
    this.#index = (this.#index + step + count) % count;
    this.#show();
  }

  #key({ key }) {
    if (key === "ArrowLeft") this.#turn(-1);
    if (key === "ArrowRight") this.#turn(1);
  }

  #show() {
    const { type, resultUrl } = this.#job;
    this.#image.src = this.#url;
    this.#image.alt = title(this.#job);
    this.#text.textContent = title(this.#job);
    this.#replaced.hidden = !isReplaced(this.#job, this.#url);
    this.#download.href = this.#url;
    this.#download.download = `${type}-${resultUrl.slice(-8)}-${this.#index + 1}.png`;
    this.#showPlace();
    this.#facts.replaceChildren(
      ...facts(this.#job).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
    );
  }

  #showPlace() {
    const count = total(this.#job);
    setText(this.#place, `${this.#index + 1} of ${count}`);
    this.#previous.hidden = this.#next.hidden = this.#job.imageUrls.length < 2;
    this.#turns.hidden = count < 2;
  }
}
