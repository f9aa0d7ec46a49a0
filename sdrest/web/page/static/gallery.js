// The gallery: the pictures of all jobs that have ended, in rows; search, selection, keyboard.

import { announce } from "./announce.js";
import * as api from "./api.js";
import { confirmed } from "./deletion.js";
import { h } from "./dom.js";
import { sentence } from "./errors.js";
import { FilterBar } from "./filter_bar.js";
import { isFavourite } from "./job.js";
import { compareTwo, markAll } from "./picture_actions.js";
import { openPictureMenu } from "./picture_menu.js";
import { Results } from "./results.js";
import { RowsView } from "./rows_view.js";
import { Selection } from "./selection.js";
import { SelectionBar } from "./selection_bar.js";
import { toast } from "./toasts.js";
import { Unfinished } from "./unfinished.js";

const ARROWS = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down", Home: "first", End: "last" };
const PAUSE = 3000;

export class Gallery {
  #root;
  #actions;
  #deletion;
  #store;
  #results;
  #selection = new Selection();
  #rows;
  #unfinished;
  #filter;
  #bar;
  #empty;
  #more;
  #pictures = [];
  #jobs = [];
  #ratios = new Map();
  #notBefore = 0;
  #isAsked = false;
  #isSelecting = false;
  #isNew = true;
  #frame = 0;
  #width = 0;

  /** `actions` are those of jobs; `deletion` deletes them with an undo. */
  constructor(root, store, actions, deletion) {
    this.#root = root;
    this.#actions = actions;
    this.#deletion = deletion;
    this.#store = store;
    this.#results = new Results(store);
    this.#filter = new FilterBar({
      filter: (filter) => this.#search(filter),
      size: () => this.#show(true),
      select: (isOn) => this.#setSelecting(isOn),
    });
    this.#bar = new SelectionBar({
      download: () => api.downloadZip(this.#selected.map(({ url }) => url)),
      favourite: () => markAll(this.#selected),
      compare: () => compareTwo(this.#selected),
      remove: () => this.#remove(this.#selected),
      clear: () => this.#setSelecting(false),
    });
    this.#unfinished = new Unfinished(actions);
    this.#rows = new RowsView({
      open: (tile, event) => this.#open(tile, event),
      select: (tile, event) => this.#select(tile.picture.key, event),
      favourite: (tile) => markAll([tile.picture]),
      use: (tile) => actions.use(tile.picture.job),
      remove: (tile) => this.#remove([tile.picture]),
      menu: (tile, at) => this.#menu(tile, at),
      gone: (tile) => this.#gone(tile),
      measured: (tile, ratio) => this.#measured(tile, ratio),
      made: (tile) => this.#mark(tile),
      near: () => this.#near(),
      resized: () => this.#show(true),
    });
    this.#empty = h("div", { class: "nothing-found", hidden: true }, h("p", {}, "No picture matches."),
      h("button", { type: "button", class: "quiet", onclick: () => this.#filter.clear() }, "Show all pictures"));
    this.#more = h("button", { type: "button", class: "quiet more-jobs", onclick: () => this.#loadMore() }, "Load more");
    root.append(this.#filter.element, this.#unfinished.element, this.#empty, this.#rows.element, this.#more, this.#bar.element);
    root.hidden = true;
    root.addEventListener("keydown", (event) => this.#key(event));
    root.addEventListener("focusin", ({ target }) => this.#focused(target));
    this.#results.addEventListener("change", () => this.#later());
    this.#selection.addEventListener("change", () => this.#selectionChanged());
    new ResizeObserver(() => this.#rows.width && this.#later()).observe(this.#rows.element);
  }

  /** The element of a job, if it is shown. */
  element(url) {
    const key = this.#pictures.find(({ job }) => job.resultUrl === url)?.key;
    return this.#rows.tile(key)?.element ?? this.#unfinished.line(url);
  }

  /** Forgets a deleted job. */
  forget({ resultUrl }) {
    this.#results.remove(resultUrl);
  }

  /** The jobs to turn over, in the order in which they are shown; without a filter also those in progress. */
  get jobs() {
    return this.#results.isFiltered ? this.#results.jobs : this.#store.all;
  }

  #later() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#show();
    });
  }

  #show(isForced = false) {
    const { jobs, isFiltered } = this.#results;
    const isSame = !isForced && !this.#isNew && jobs.length === this.#jobs.length && jobs.every((job, index) => job === this.#jobs[index]);
    this.#more.hidden = !this.#results.hasMore;
    if (isSame && this.#rows.width === this.#width) return;
    this.#width = this.#rows.width;
    this.#jobs = jobs;
    this.#root.hidden = jobs.length === 0 && !isFiltered;
    this.#root.classList.toggle("filtered", isFiltered);
    this.#pictures = jobs.flatMap((job) => this.#picturesOf(job));
    this.#unfinished.show(jobs.filter(({ imageUrls }) => !imageUrls?.length));
    this.#empty.hidden = jobs.length > 0;
    this.#keepStop();
    const known = new Set(this.#pictures.map(({ key }) => key));
    this.#selection.keep((key) => known.has(key));
    this.#rows.show(this.#pictures, this.#filter.height, { isNew: this.#isNew });
    this.#isNew = false;
    this.#bar.show(this.#selected, this.#isSelecting);
    for (const tile of this.#rows.tiles) this.#mark(tile);
  }

  #picturesOf(job) {
    const { width, height } = job.imageSize ?? job.params;
    const ratio = width && height ? width / height : (this.#ratios.get(job.resultUrl) ?? 1);
    const pictures = (job.imageUrls ?? []).map((url, index) =>
      ({ key: url, url, job, index, ratio, isFavourite: isFavourite(job, url) }));
    return this.#results.filter.favourite ? pictures.filter(({ isFavourite }) => isFavourite) : pictures;
  }

  /** Corrects the proportions of a job whose size the server does not know. */
  #measured({ picture: { job } }, ratio) {
    const { width, height } = job.imageSize ?? job.params;
    if ((width && height) || !ratio || this.#ratios.get(job.resultUrl) === ratio) return;
    this.#ratios.set(job.resultUrl, ratio);
    if (Math.abs(ratio - 1) > 0.01) this.#forceLater();
  }

  #forceLater() {
    this.#jobs = [];
    this.#later();
  }

  /** Looks what became of a job whose picture is not there. */
  async #gone(tile) {
    const { resultUrl, createdAt, type, params, seed } = tile.picture.job;
    const take = this.#store.answers();
    try {
      take({ createdAt, type, params, seed, ...(await api.job(resultUrl)) });
    } catch (error) {
      if (error.status === 404 || error.status === 410) {
        this.forget({ resultUrl });
        this.#store.remove(resultUrl);
      } else if (tile.picture.job.resultUrl === resultUrl) tile.unload(); // loaded again once the server is back
    }
  }

  async #search(filter) {
    try {
      this.#isNew = true;
      await this.#results.search(filter);
      const count = this.#results.jobs.length;
      if (this.#results.isFiltered) announce(count ? `${count}${this.#results.hasMore ? " or more" : ""} jobs found.` : "No picture matches.");
    } catch (error) {
      toast(sentence(error), { role: "alert" });
    }
  }

  #near() {
    if (this.#results.hasMore && !this.#root.hidden && performance.now() > this.#notBefore) this.#loadMore();
  }

  async #loadMore() {
    try {
      await this.#results.more();
    } catch (error) { // scrolling tries again later, and does not complain
      this.#notBefore = performance.now() + PAUSE;
      if (document.activeElement === this.#more) toast(sentence(error), { role: "alert" });
    }
  }

  // Actions

  #open(tile, event) {
    const { job, index, key } = tile.picture;
    if (event.shiftKey || event.ctrlKey || event.metaKey || this.#isSelecting) this.#select(key, event);
    else this.#actions.view(job, index);
  }

  #select(key, { shiftKey }) {
    if (shiftKey) this.#selection.extend(key, this.#pictures.map((picture) => picture.key));
    else this.#selection.toggle(key);
  }

  get #selected() {
    return this.#pictures.filter(({ key }) => this.#selection.has(key));
  }

  #setSelecting(isOn) {
    this.#isAsked = isOn;
    if (!isOn) this.#selection.clear();
    this.#selectionChanged();
  }

  #selectionChanged() {
    this.#isSelecting = this.#isAsked || this.#selection.size > 0;
    this.#root.classList.toggle("selecting", this.#isSelecting);
    this.#filter.isSelecting = this.#isSelecting;
    this.#bar.show(this.#selected, this.#isSelecting);
    for (const tile of this.#rows.tiles) this.#mark(tile);
  }

  #mark(tile) {
    tile.isSelected = this.#selection.has(tile.picture.key);
    tile.isStop = tile.picture.key === this.#rows.stop;
  }

  /** Deletes the jobs of pictures; asks where that takes pictures that nobody named. */
  async #remove(pictures) {
    const jobs = [...new Set(pictures.map(({ job }) => job))];
    if (!(await confirmed(jobs, pictures.length))) return;
    const next = this.#rows.neighbour(this.#rows.stop, "right");
    this.#setSelecting(false);
    this.#deletion.start(jobs);
    this.#rows.stop = next ?? null;
    this.#show();
    this.#rows.tile(this.#rows.stop)?.focus({ preventScroll: true });
  }

  #menu(tile, at) {
    openPictureMenu(tile, at, this.#actions, {
      favourite: () => markAll([tile.picture]),
      select: () => this.#selection.toggle(tile.picture.key),
      remove: () => this.#remove([tile.picture]),
    });
  }

  // Keyboard: one tab stop, arrows between pictures

  #keepStop() {
    const known = this.#pictures.some(({ key }) => key === this.#rows.stop);
    if (!known) this.#rows.stop = this.#pictures[0]?.key ?? null;
  }

  #tileOf(target) {
    return this.#rows.tiles.find(({ element }) => element === target.closest?.(".tile"));
  }

  #focused(target) {
    const tile = this.#tileOf(target);
    if (!tile || tile.picture.key === this.#rows.stop) return;
    this.#rows.stop = tile.picture.key;
    for (const other of this.#rows.tiles) this.#mark(other);
  }

  #key(event) {
    const tile = this.#tileOf(event.target);
    if (event.key === "Escape" && this.#isSelecting) return this.#setSelecting(false);
    if (!tile) return undefined;
    const { picture } = tile;
    const isPlain = !event.ctrlKey && !event.metaKey && !event.altKey;
    if (ARROWS[event.key] && isPlain) return this.#go(event, picture.key, ARROWS[event.key]);
    const actions = {
      x: () => this.#select(picture.key, event),
      X: () => this.#select(picture.key, event),
      f: () => markAll(this.#selection.has(picture.key) ? this.#selected : [picture]),
      Delete: () => this.#remove(this.#selection.has(picture.key) ? this.#selected : [picture]),
      ContextMenu: () => this.#menu(tile, tile.element),
      F10: () => event.shiftKey && this.#menu(tile, tile.element),
    };
    if ((event.ctrlKey || event.metaKey) && event.key === "a") this.#selection.add(this.#pictures.map(({ key }) => key));
    else if (isPlain && actions[event.key]) actions[event.key]();
    else return undefined;
    return event.preventDefault();
  }

  #go(event, key, direction) {
    const next = this.#rows.neighbour(key, direction);
    event.preventDefault();
    if (!next) return;
    if (event.shiftKey) {
      this.#selection.begin(key);
      this.#selection.extend(next, this.#pictures.map((picture) => picture.key));
    }
    this.#rows.reveal(next)?.focus({ preventScroll: true });
  }
}
