// The three forms behind their tabs: entering, checking, sending.

import { announce } from "./announce.js";
import * as api from "./api.js";
import { loadDraft, saveDraft } from "./draft.js";
import { h } from "./dom.js";
import { ApiError, sentence } from "./errors.js";
import { ParameterForm } from "./forms.js";
import { Mask } from "./mask.js";
import { Tabs } from "./tabs.js";
import { Upload } from "./upload.js";
import { typeName } from "./words.js";

const SEND = "Make picture";
const NEEDS_PICTURE = new Set(["image-to-image", "inpaint-image"]);

/** One tab's form: parameters, a sentence about all of them, the button. */
class Panel {
  constructor(type, schema, send) {
    this.type = type;
    this.parameters = new ParameterForm(schema);
    this.picturePlace = h("div", { class: "picture-place" });
    this.error = h("p", { class: "form-error", role: "alert", hidden: true });
    this.button = h("button", { class: "primary", type: "submit" }, SEND);
    const { prompt, others } = split(this.parameters.elements);
    this.element = h(
      "form",
      {
        novalidate: true, // the server checks, with better messages
        onsubmit: (event) => {
          event.preventDefault();
          send(this);
        },
      },
      prompt,
      this.picturePlace,
      others,
      h("div", { class: "send" }, this.button, this.error),
    );
    this.element.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.element.requestSubmit();
    });
  }

  say(message) {
    this.error.hidden = !message;
    this.error.textContent = message ?? "";
  }

  busy(isBusy) {
    this.button.setAttribute("aria-disabled", String(isBusy));
    this.button.textContent = isBusy ? "Sending …" : SEND;
  }
}

/** The prompt comes first, then the picture, then the rest. */
function split(elements) {
  const prompt = elements[0].querySelector(".field-prompt");
  prompt?.remove();
  return { prompt, others: elements };
}

export class Compose {
  #panels;
  #upload = new Upload();
  #mask;
  #part = h("input", { type: "checkbox", onchange: () => this.#showMask() });
  #partPlace = h("label", { class: "check shown-with-picture" }, this.#part, "Repaint only a part");
  #tabs;
  #submitted;

  /** `schemas` are those of the requests by type; `submitted(job, values)` gets each job. */
  constructor(root, schemas, submitted) {
    this.#submitted = submitted;
    const send = (panel) => this.#send(panel);
    this.#panels = new Map(
      Object.entries(schemas).map(([type, schema]) => [type, new Panel(type, schema, send)]),
    );
    this.#mask = new Mask(this.#upload);
    this.#upload.element.append(this.#partPlace, this.#mask.tools);
    this.#upload.addEventListener("picture", () => this.#isMasked && this.#mask.edit());
    this.#upload.listen(document.body, () => NEEDS_PICTURE.has(this.type) || this.#tabs.open("image-to-image"));
    this.#tabs = new Tabs("What to make", [...this.#panels].map(([type, { element }]) => ({
      name: type, title: typeName(type), panel: element,
    })), (type) => this.#opened(type));
    root.append(this.#tabs.element);
    this.#restore();
    root.addEventListener("input", () => this.#save());
  }

  /** The job type whose form is open. */
  get type() {
    return this.#tabs.current;
  }

  /** Offers the server's models in the forms that they fit, again where `refused` chose a lost one. */
  offer(models, refused) {
    for (const [type, panel] of this.#panels) {
      panel.parameters.field("model").offer(models, type, { refused: panel === refused });
    }
  }

  /** Opens a job's form with its parameters. */
  use(job) {
    const panel = this.#panels.get(job.type);
    panel.parameters.fill({ ...job.params, seed: job.seed ?? job.params.seed });
    panel.parameters.seed.isFresh = false;
    this.#tabs.open(job.type);
    this.#reveal(panel);
    this.#save();
    announce("The form now has these settings.");
  }

  /** Takes a finished image as the input of another type. */
  async useImage(type, url, prompt) {
    this.#tabs.open(type);
    const panel = this.#panels.get(type);
    const field = panel.parameters.field("prompt");
    if (prompt && field && !field.value) field.set(prompt);
    await this.#upload.takeUrl(url);
    this.#reveal(panel);
  }

  /** Fills in a prompt, as the examples do. */
  suggest(prompt) {
    this.#tabs.open("text-to-image");
    const panel = this.#panels.get("text-to-image");
    panel.parameters.field("prompt").set(prompt);
    panel.button.focus();
    this.#save();
  }

  #reveal(panel) {
    panel.element.scrollIntoView({ block: "start" });
    (panel.parameters.field("prompt") ?? this.#mask).focus();
  }

  #opened(type) {
    if (NEEDS_PICTURE.has(type)) this.#panels.get(type).picturePlace.append(this.#upload.element);
    this.#showMask();
    this.#save();
  }

  /** Whether the open form sends a mask. */
  get #isMasked() {
    return this.type === "inpaint-image" || (this.type === "image-to-image" && this.#part.checked);
  }

  #showMask() {
    this.#partPlace.hidden = this.type !== "image-to-image";
    this.#upload.element.classList.toggle("masked", this.#isMasked);
    this.#mask.type = this.type;
  }

  async #send(panel) {
    if (panel.button.getAttribute("aria-disabled") === "true") return;
    panel.say(null);
    if (!this.#check(panel)) return;
    panel.busy(true);
    const { request, seed } = panel.parameters;
    try {
      const job = await api.submit(panel.type, await this.#body(panel.type, request));
      if (seed.isFresh && job.seed != null) seed.set(job.seed);
      this.#submitted(job, request);
      panel.parameters.fail([]);
    } catch (error) {
      this.#refused(panel, error);
    } finally {
      panel.busy(false);
    }
  }

  /** Checks what only the page knows: that there is a picture, and something painted. */
  #check({ type }) {
    if (NEEDS_PICTURE.has(type) && !this.#upload.picture) {
      this.#upload.fail("Choose a picture to start from.");
      this.#upload.focus();
      return false;
    }
    if (this.#isMasked && this.#mask.isEmpty) {
      this.#mask.fail("Paint over the part of the picture to repaint.");
      this.#mask.focus();
      return false;
    }
    return true;
  }

  async #body(type, values) {
    const body = new FormData();
    for (const [name, value] of Object.entries(values)) body.append(name, value);
    if (NEEDS_PICTURE.has(type)) body.append("image", this.#upload.picture.blob, "image");
    if (this.#isMasked) {
      body.append("mask", await this.#mask.png(), "mask.png");
      body.append("feather", this.#mask.feather);
    }
    return body;
  }

  #refused(panel, error) {
    const fields = error instanceof ApiError ? error.fields : [];
    const others = panel.parameters.fail(fields);
    if (fields.some(({ field }) => field === "model")) {
      api.models().then((models) => this.offer(models, panel)).catch(() => {}); // the message stays
    }
    const about = new Map(others.map(({ field, message }) => [field, message]));
    this.#upload.fail(about.get("image"));
    this.#mask.fail(about.get("mask"));
    const unplaced = others.filter(({ field }) => field !== "image" && field !== "mask");
    if (fields.length === 0) panel.say(sentence(error));
    else panel.say(unplaced.map(({ field, message }) => `${field}: ${message}`).join(" ")
      || "Some fields are invalid; see the messages beside them.");
  }

  #save() {
    const forms = [...this.#panels].map(([type, { parameters }]) => [
      type, { values: parameters.values, isFresh: parameters.seed.isFresh },
    ]);
    saveDraft({ type: this.type, forms: Object.fromEntries(forms) });
  }

  #restore() {
    const { type, forms = {} } = loadDraft();
    for (const [name, { values, isFresh }] of Object.entries(forms)) {
      const parameters = this.#panels.get(name)?.parameters;
      if (!parameters) continue;
      parameters.fill(values);
      parameters.seed.isFresh = isFresh;
    }
    this.#tabs.open(this.#panels.has(type) ? type : [...this.#panels.keys()][0]);
  }
}
