// Two pictures on top of each other; a slider says how much of each is seen.

import { h } from "./dom.js";
import { icon } from "./icons.js";

/** Opens a dialog with two pictures, `{url, name}` each; the first is on the left. */
export function compare(first, second) {
  const image = ({ url, name }, side) => h("img", { src: url, alt: `${side}: ${name}`, draggable: "false", class: side.toLowerCase() });
  const stage = h("div", { class: "compare-stage" }, image(second, "Right"), image(first, "Left"), h("div", { class: "compare-line" }));
  const range = h("input", { type: "range", min: 0, max: 100, value: 50, "aria-label": "Part of the left picture", oninput: () => show() });
  const show = () => {
    stage.style.setProperty("--part", `${range.value}%`);
    range.setAttribute("aria-valuetext", `${range.value} % left, ${100 - range.value} % right`);
  };
  const drag = ({ clientX }) => {
    const { left, width } = stage.getBoundingClientRect();
    range.value = ((clientX - left) / width) * 100;
    show();
  };
  stage.addEventListener("pointerdown", (event) => {
    stage.setPointerCapture(event.pointerId);
    drag(event);
  });
  stage.addEventListener("pointermove", (event) => event.buttons && drag(event));
  const [right] = stage.children;
  right.addEventListener("load", () => stage.style.setProperty("--ratio", right.naturalWidth / right.naturalHeight));
  const dialog = h("dialog", { class: "compare", "aria-label": "Compare two pictures" },
    stage,
    h("div", { class: "compare-about" },
      h("p", { dir: "auto" }, first.name), range, h("p", { dir: "auto" }, second.name),
      h("button", { type: "button", class: "bare icon-button", "aria-label": "Close", title: "Close", onclick: () => dialog.close() }, icon("close"))));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  show();
  dialog.showModal();
  range.focus();
}
