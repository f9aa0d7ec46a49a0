// One tab's form: the prompt, the picture to start from, the choices.

import { h, uniqueId } from "./dom.js";
import { ParameterForm } from "./forms.js";
import { promptBox } from "./prompts.js";

const INTRODUCTIONS = {
  "inpaint-image": "Paint over what should go; the gap is filled. No prompt needed.",
};

export class Panel {
  /** `send(panel)` is called to submit; `actions(panel)` are the items of the form's menu; `repaint()` opens the form with a prompt. */
  constructor(type, schema, { send, actions, repaint }) {
    this.type = type;
    this.parameters = new ParameterForm(type, schema);
    this.picturePlace = h("div", { class: "picture-place" });
    const { prompts, strip, advanced } = this.parameters;
    const introduction = INTRODUCTIONS[type] && [INTRODUCTIONS[type], " ",
      h("button", { type: "button", class: "link", onclick: repaint }, "Repaint with a prompt")];
    this.element = h(
      "form",
      {
        id: uniqueId("form"),
        novalidate: true, // the server checks, with better messages
        onsubmit: (event) => {
          event.preventDefault();
          send(this);
        },
      },
      promptBox(prompts, this.parameters.field("prompt"), introduction, () => actions(this)),
      this.picturePlace,
      strip,
      advanced,
    );
  }

  /** The field with a name; undefined where this type of job has none. */
  field(name) {
    return this.parameters.field(name);
  }
}
