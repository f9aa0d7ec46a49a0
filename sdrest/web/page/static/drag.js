// Pictures of the page are dragged into its form: what a drag carries, and what was dropped.

const TYPE = "application/x-sdrest-picture";

/** A picture's address without the query that asks for a smaller version. */
function fullSize(address) {
  const url = new URL(address, location.href);
  return url.origin === location.origin && url.pathname.endsWith(".png") ? url.origin + url.pathname : null;
}

/** Lets an element be dragged as the picture at `url()`: into the form, or to another program. */
export function dragsPicture(element, url) {
  element.draggable = true;
  element.addEventListener("dragstart", (event) => {
    const address = fullSize(url());
    if (!address) return;
    const { dataTransfer } = event;
    dataTransfer.effectAllowed = "copy";
    dataTransfer.setData(TYPE, address);
    dataTransfer.setData("text/uri-list", address);
    dataTransfer.setData("DownloadURL", `image/png:${address.split("/").at(-1)}:${address}`);
  });
}

/** Whether a drag carries files or one of our pictures; other drags are texts for the fields. */
export const carriesPicture = ({ types }) => types.includes("Files") || types.includes(TYPE);

const imageFile = (files) => [...files].find(({ type }) => type.startsWith("image/")) ?? files[0];

/** What was dropped: `{url}` of a picture of this server, `{file}`, or null. */
export function droppedPicture({ dataTransfer }) {
  const [address] = (dataTransfer.getData(TYPE) || dataTransfer.getData("text/uri-list")).split(/\r?\n/);
  const url = address ? fullSize(address) : null;
  if (url) return { url };
  const file = imageFile(dataTransfer.files);
  return file ? { file } : null;
}

/** Whether a paste is text for a field; word processors add a picture of the text. */
const isText = ({ clipboardData, target }) =>
  clipboardData.types.includes("text/plain") && target.matches("textarea, input");

/** The file that was pasted, or null. */
export function pastedPicture(event) {
  const file = [...event.clipboardData.files].find(({ type }) => type.startsWith("image/"));
  return file && !isText(event) ? file : null;
}
