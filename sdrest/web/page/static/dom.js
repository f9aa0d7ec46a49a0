// Elements in one line.

/** Makes an element. `on*` are listeners, `data` is the dataset, booleans toggle attributes. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(element.dataset, value);
    else if (typeof value === "boolean") element.toggleAttribute(name, value);
    else if (value != null) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child != null));
  return element;
}

let count = 0;

/** Returns an id that nothing else on the page has. */
export function uniqueId(stem) {
  count += 1;
  return `${stem}-${count}`;
}

/** Changes a text only where it differs, so that screen readers and layout stay calm. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Makes `children` the children of `parent`; those that are in place stay untouched. */
export function arrange(parent, children) {
  const focused = document.activeElement;
  children.forEach((child, place) => {
    if (parent.children[place] !== child) parent.insertBefore(child, parent.children[place] ?? null);
  });
  while (parent.children.length > children.length) parent.lastElementChild.remove();
  if (focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
}
