// The three forms behind their tabs: entering, checking, sending.

import { announce } from "./announce.js";
import * as api from "./api.js";
import { copy } from "./clipboard.js";
import { loadDraft, rememberPrompt, saveDraft } from "./draft.js";
import { h } from "./dom.js";
import { SettingsOffer } from "./embedded.js";
import { ApiError, OfflineError, sentence } from "./errors.js";
import { Footer } from "./footer.js";
import * as link from "./link.js";
import { Mask } from "./mask.js";
import { count, Outlook } from "./outlook.js";
import { Panel } from "./panel.js";
import { Tabs } from "./tabs.js";
import { Upload } from "./upload.js";
import { typeName } from "./words.js";

const NEEDS_PICTURE = new Set(["image-to-image", "inpaint-image"]);
const TITLES = { "inpaint-image": "Inpaint" };
const SHARED = ["prompt", "negativePrompt"];
const TAKEN = "The form now has these settings.";
const FIX = "Please fix the marked fields.";

export class Compose {
  #schemas;
  #store;
  #panels;
  #footer = new Footer();
  #outlook = new Outlook();
  #upload = new Upload();
  #mask;
  #part = h("input", { type: "checkbox", onchange: () => this.#showMask() });
  #partPlace = h("label", { class: "check shown-with-picture" }, this.#part, "Repaint only a part");
  #offer = new SettingsOffer((found) => this.#useEmbedded(found));
  #tabs;
  #submitted;

  /**
   * `schemas` are those of the requests by type. `submitted(job, values, take, wasKnown, again)` gets
   * each job; `take` merges it, `again()` makes it with a new seed. `store` has the jobs that are known.
   */
  constructor(root, schemas, submitted, store) {
    this.#schemas = schemas;
    this.#store = store;
    this.#submitted = submitted;
    const calls = { send: (panel) => this.#send(panel), actions: (panel) => this.#actions(panel), repaint: () => this.#repaint() };
    this.#panels = new Map(Object.entries(schemas).map(([type, schema]) => [type, new Panel(type, schema, calls)]));
    this.#mask = new Mask(this.#upload);
    this.#upload.element.append(this.#partPlace, this.#mask.tools, this.#offer.element);
    this.#upload.addEventListener("picture", () => this.#pictureChanged());
    this.#upload.listen(document.body, () => NEEDS_PICTURE.has(this.type) || this.#tabs.open("image-to-image"));
    this.#tabs = new Tabs("What to make", [...this.#panels].map(([type, { element }]) => ({
      name: type, title: TITLES[type] ?? typeName(type), label: typeName(type), panel: element,
    })), (type) => this.#opened(type));
    root.append(this.#tabs.bar, this.#tabs.panels, this.#footer.element);
    this.#restore();
    this.#openLink();
    addEventListener("hashchange", () => this.#openLink());
    root.addEventListener("input", () => this.#changed());
    root.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.#panel.element.requestSubmit();
    });
    store.addEventListener("job", ({ detail: { job } }) => {
      this.#outlook.record(job);
      this.#foretell();
    });
  }

  /** The job type whose form is open. */
  get type() {
    return this.#tabs.current;
  }

  get #panel() {
    return this.#panels.get(this.type);
  }

  /** Offers the server's models in the forms that they fit, again where `refused` chose a lost one. */
  offer(models, refused) {
    for (const [type, panel] of this.#panels) panel.field("model").offer(models, type, { refused: panel === refused });
  }

  /** Removes what was said of a lost connection. */
  online() {
    this.#footer.clear("offline");
  }

  /** Opens a job's form with its parameters, `newSeed` without its seed. */
  use({ type, params, seed = params.seed }, { newSeed = false } = {}) {
    this.#panels.get(type).parameters.fill({ ...params, seed: newSeed ? null : seed });
    this.#reveal(type);
    announce(TAKEN);
  }

  /** Takes a finished image as the input of another type. */
  async useImage(type, url, prompt) {
    const field = this.#panels.get(type).field("prompt");
    if (prompt && field && !field.value) field.set(prompt);
    this.#tabs.open(type);
    await this.#upload.takeUrl(url);
    this.#offer.show(null); // the job has its settings where the picture came from
    this.#reveal(type);
  }

  /** Makes a picture of a prompt, as the examples do. */
  suggest(prompt) {
    this.#tabs.open("text-to-image");
    this.#panel.field("prompt").set(prompt);
    this.#changed();
    this.#footer.focus();
    this.#panel.element.requestSubmit();
  }

  #reveal(type) {
    this.#tabs.open(type);
    const panel = this.#panel;
    (panel.field("prompt") ?? this.#mask).focus(); // scrolls there
    this.#changed();
  }

  /** Goes on with the same picture and mask where a prompt says what comes there. */
  #repaint() {
    this.#part.checked = true;
    this.#reveal("image-to-image");
  }

  #opened(type) {
    const panel = this.#panels.get(type);
    if (NEEDS_PICTURE.has(type)) panel.picturePlace.append(this.#upload.element);
    this.#footer.form = panel.element;
    this.#footer.clear();
    this.#showMask();
    this.#save();
    this.#foretell();
  }

  /** What follows from any change of the open form. */
  #changed() {
    const panel = this.#panel;
    for (const other of this.#panels.values()) {
      for (const name of SHARED) {
        const field = panel.field(name);
        if (other !== panel && field && other.field(name)?.value !== field.value) other.field(name)?.set(field.value);
      }
    }
    this.#footer.clear("server");
    if (!panel.parameters.isInvalid) this.#footer.clear("fields");
    this.#save();
    this.#foretell();
  }

  #foretell() {
    const { request, seed } = this.#panel.parameters;
    seed.remark(seed.isFresh ? "" : this.#outlook.fewer(this.type, request));
    this.#footer.foretell(count(request), this.#outlook.seconds(this.type, request));
  }

  #actions({ type, parameters }) {
    return [
      { text: "Copy link to these settings", action: () => copy(link.write(type, parameters.changes), "Link copied.") },
      {
        text: "Reset the form",
        action: () => {
          parameters.reset();
          this.#changed();
        },
      },
    ];
  }

  #openLink() {
    const found = link.read(location.hash, this.#schemas);
    if (!found) return;
    history.replaceState(null, "", location.pathname + location.search); // a reload keeps what is entered then
    this.#panels.get(found.type).parameters.start(found.values);
    this.#tabs.open(found.type);
    this.#changed();
  }

  #pictureChanged() {
    const { picture, file } = this.#upload;
    this.#offer.show(picture && file);
    if (this.#isMasked) this.#mask.edit();
  }

  /** Takes the settings of a picture's file; `model` is the name of a model that may be there. */
  #useEmbedded({ type, values, model }) {
    const panel = this.#panels.get(type) ?? this.#panel;
    panel.parameters.start(values);
    const known = panel.field("model").named(model);
    if (known !== undefined) panel.field("model").set(known);
    this.#reveal(panel.type);
    announce(TAKEN);
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
    if (this.#footer.isBusy) return;
    this.#footer.clear();
    if (!this.#check(panel)) return;
    const { request, seed } = panel.parameters;
    const again = () => {
      seed.take(null);
      this.#send(panel);
    };
    const made = this.#madeBefore(panel);
    const take = this.#store.answers();
    if (made) return this.#submitted(made, request, take, true, again);
    const wasKnown = seed.isFresh ? () => false : this.#store.knowledge();
    this.#footer.isBusy = true;
    try {
      const job = await api.submit(panel.type, await this.#body(panel.type, request));
      if (seed.isFresh && job.seed != null) seed.set(job.seed);
      rememberPrompt(request.prompt);
      this.#save();
      panel.parameters.fail([]);
      this.#submitted(job, request, take, wasKnown(job), again);
    } catch (error) {
      this.#refused(panel, error);
    } finally {
      this.#footer.isBusy = false;
    }
  }

  /** A job that made the same pictures with a seed that was random then; the server sees another request. */
  #madeBefore({ type, parameters }) {
    if (NEEDS_PICTURE.has(type) || parameters.seed.isFresh) return null;
    return this.#store.all.find((job) => job.type === type && job.status === "COMPLETE" && parameters.isOf(job));
  }

  /** Checks what only the page knows: that there is a prompt, a picture, and something painted. */
  #check(panel) {
    if (panel.field("prompt")?.value.trim() === "") {
      panel.parameters.fail([{ field: "prompt", message: "Enter a prompt." }]);
      this.#footer.say(FIX, "fields");
      return false;
    }
    if (NEEDS_PICTURE.has(panel.type) && !this.#upload.picture) {
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
    if (fields.length === 0) this.#footer.say(sentence(error), error instanceof OfflineError ? "offline" : "server");
    else this.#footer.say(unplaced.map(({ field, message }) => `${field}: ${message}`).join(" ") || FIX, "fields");
  }

  #save() {
    const forms = [...this.#panels].map(([type, { parameters }]) => [type, parameters.draft]);
    saveDraft({ type: this.type, forms: Object.fromEntries(forms) });
  }

  #restore() {
    const { type, forms = {} } = loadDraft();
    for (const [name, draft] of Object.entries(forms)) this.#panels.get(name)?.parameters.restore(draft);
    this.#tabs.open(this.#panels.has(type) ? type : [...this.#panels.keys()][0]);
  }
}
