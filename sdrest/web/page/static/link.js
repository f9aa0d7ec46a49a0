// Settings in the page's address: /#prompt=a+boat&steps=20 opens the form with them. Nothing is sent.

/** Returns `{type, values}` from an address's fragment; null if it has no settings. */
export function read(fragment, schemas) {
  const given = new URLSearchParams(fragment.replace(/^#/, ""));
  const type = Object.hasOwn(schemas, given.get("type")) ? given.get("type") : Object.keys(schemas)[0];
  const values = Object.fromEntries([...given].filter(([name]) => Object.hasOwn(schemas[type].properties, name)));
  return given.has("type") || Object.keys(values).length ? { type, values } : null;
}

/** Returns the page's address with settings. */
export function write(type, values) {
  const address = new URL(location.href);
  address.hash = new URLSearchParams({ type, ...values });
  return address.href;
}
