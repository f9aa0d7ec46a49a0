// The brush's size: a slider whose steps grow with the size, since small sizes need finer ones.

import { h, uniqueId } from "./dom.js";

const STEPS = 100;
const KEY = 4;
const FIRST = 0.12; // of the picture's shorter side

export class BrushSize {
  #largest = 1;
  #input;
  #output = h("output");
  /** In pixels of the picture. */
  diameter = 1;

  /** `changed()` is called after each change. */
  constructor(changed) {
    const id = uniqueId("brush");
    const set = () => {
      this.#set();
      changed();
    };
    this.#input = h("input", { type: "range", id, min: 0, max: STEPS, oninput: set, onset: set });
    this.element = h("div", { class: "mask-slider", title: "[ and ]" },
      h("label", { for: id }, "Brush size"), this.#input, this.#output);
  }

  /** Takes the picture's shorter side; the first picture's also decides the size. */
  fit(side) {
    const wanted = this.#largest === 1 ? side * FIRST : this.diameter;
    this.#largest = side;
    this.#input.value = (STEPS * Math.log(Math.max(wanted, 1))) / Math.log(side || 1);
    this.#set();
  }

  /** Makes the brush larger (1) or smaller (-1). */
  change(direction) {
    this.#input.valueAsNumber += direction * KEY;
    this.#input.dispatchEvent(new Event("set"));
  }

  #set() {
    this.diameter = Math.max(1, Math.round(this.#largest ** (this.#input.valueAsNumber / STEPS)));
    this.#output.value = `${this.diameter} px`;
    this.#input.setAttribute("aria-valuetext", `${this.diameter} pixels`);
  }
}
