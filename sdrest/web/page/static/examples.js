// What there is before the first picture: six prompts with what the demo engine makes of them.

import { at } from "./api.js";
import { h } from "./dom.js";

const EXAMPLES = {
  lighthouse: "a lighthouse on a cliff by the sea at dusk",
  boat: "a red house and a white boat on a lake at sunset, snowy mountains",
  astronaut: "an astronaut riding a horse in space",
  castle: "a castle on a hill under a starry night sky",
  dog: "a dog in a snowy pine forest",
  train: "a yellow train in the desert, watercolour",
};

export class Examples {
  element;

  /** `make(prompt)` makes a picture. */
  constructor(make) {
    const example = ([name, prompt]) => h("li", {},
      h("button", { type: "button", class: "example", onclick: () => make(prompt) },
        h("img", { src: at(`static/example-${name}.webp`), alt: "", width: 440, height: 440 }),
        h("span", {}, prompt)));
    this.element = h("div", { class: "examples", hidden: true },
      h("h2", {}, "Make your first picture"),
      h("p", {}, "Describe it in the form, or click an example to make one like it. These were drawn by the built-in demo engine."),
      h("ul", {}, Object.entries(EXAMPLES).map(example)));
  }
}
