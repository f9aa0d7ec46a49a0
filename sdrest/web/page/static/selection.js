// The pictures that are selected, by key. Dispatches `change`.

export class Selection extends EventTarget {
  #keys = new Set();
  #anchor = null;

  get size() {
    return this.#keys.size;
  }

  has(key) {
    return this.#keys.has(key);
  }

  get keys() {
    return [...this.#keys];
  }

  /** Selects a picture, or no longer; the next range begins there. */
  toggle(key) {
    if (!this.#keys.delete(key)) this.#keys.add(key);
    this.#anchor = key;
    this.#changed();
  }

  /** Selects all from the last one to `key`, in the order of `keys`. */
  extend(key, keys) {
    const ends = [keys.indexOf(this.#anchor ?? key), keys.indexOf(key)].sort((a, b) => a - b);
    if (ends[0] < 0) return this.toggle(key);
    for (const one of keys.slice(ends[0], ends[1] + 1)) this.#keys.add(one);
    return this.#changed();
  }

  /** Begins a range at a picture without selecting it. */
  begin(key) {
    this.#anchor ??= key;
  }

  add(keys) {
    for (const key of keys) this.#keys.add(key);
    this.#changed();
  }

  /** Leaves out what is not there any more. */
  keep(isThere) {
    const gone = [...this.#keys].filter((key) => !isThere(key));
    for (const key of gone) this.#keys.delete(key);
    if (gone.length) this.#changed();
  }

  clear() {
    this.#keys.clear();
    this.#anchor = null;
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
