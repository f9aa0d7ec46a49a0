// Justified rows: pictures side by side at their true proportions, each row as wide as the gallery. Pure.

export const GAP = 4;

const FULL = 0.75;
const MIN_RATIO = 0.3;
const MAX_RATIO = 4;

/** The proportion that a tile is shown with; extreme ones would make a row unusable. */
const shown = ({ ratio }) => Math.min(MAX_RATIO, Math.max(MIN_RATIO, ratio));

/** Splits tiles into rows; `starts` are the keys of tiles that begin a row. */
function split(tiles, width, height, starts = new Set()) {
  const rows = [];
  let row = [];
  let used = 0;
  const close = () => {
    if (row.length) rows.push(row);
    row = [];
    used = 0;
  };
  for (let index = 0; index < tiles.length; index += 1) {
    const tile = tiles[index];
    const isFirst = tile.job !== tiles[index - 1]?.job;
    if (row.length && (starts.has(tile.key) || (isFirst && used > FULL * width && breaksUp(tiles, index, width, height, used)))) close();
    row.push(tile);
    used += shown(tile) * height + GAP;
    if (used >= width) close();
  }
  close();
  return rows;
}

/** Whether the pictures of one job, which begin at `index`, fit a row of their own, but not this one. */
function breaksUp(tiles, index, width, height, used) {
  let size = 0;
  for (let next = index; tiles[next]?.job === tiles[index].job && size < width; next += 1) size += shown(tiles[next]) * height + GAP;
  return size < width && used + size > width + height / 2;
}

/** The height at which a row's tiles are as wide as the gallery. */
const fit = (tiles, width) => (width - GAP * (tiles.length - 1)) / tiles.reduce((total, tile) => total + shown(tile), 0);

/** Places a row's tiles at `top`; a row with room for more is at most `most` high, and not stretched. */
function place(tiles, top, width, most = Infinity) {
  const fitting = fit(tiles, width);
  const exact = Math.min(fitting, most);
  let left = 0;
  const placed = tiles.map((tile, index) => {
    const isLast = index === tiles.length - 1 && exact === fitting;
    const size = isLast ? width - left : Math.round(shown(tile) * exact);
    const box = { ...tile, left, width: size };
    left += size + GAP;
    return box;
  });
  return { top, height: Math.round(exact), tiles: placed };
}

/**
 * Places `tiles`, `{key, job, ratio}` each, in rows of about `height` pixels; returns `{rows, height, starts}`.
 *
 * `starts` of the former layout keeps its rows: new tiles before them fill rows of their own, from
 * below, so that what one looks at stays where it is.
 */
export function layout(tiles, width, height, starts = new Set()) {
  const known = tiles.findIndex(({ key }) => starts.has(key));
  const fresh = known > 0 ? tiles.slice(0, known) : [];
  const head = split(fresh.toReversed(), width, height).map((row) => row.toReversed()).toReversed();
  const tail = split(known > 0 ? tiles.slice(known) : tiles, width, height, starts);
  const rows = [];
  let top = 0;
  const all = [...head, ...tail];
  for (const [index, row] of all.entries()) {
    const natural = row.reduce((sum, tile) => sum + shown(tile) * height + GAP, 0);
    const isOpen = natural < FULL * width && (index === all.length - 1 || index === 0);
    const other = all[index === 0 ? 1 : index - 1] ?? row;
    rows.push(place(row, top, width, isOpen ? Math.min(height, fit(other, width)) : Infinity)); // in line with the one beside it
    top += rows.at(-1).height + GAP;
  }
  const closed = rows.filter(({ tiles: [first, ...more] }, index) => index > 0 || isFull([first, ...more], width));
  return { rows, height: Math.max(0, top - GAP), starts: new Set(closed.map(({ tiles: [first] }) => first.key)) };
}

const isFull = (tiles, width) => tiles.at(-1).left + tiles.at(-1).width >= width - 1;

/** The rows that touch the part from `from` to `to`, as `[first, end]` indices. */
export function visibleRows(rows, from, to) {
  let first = 0;
  let end = rows.length;
  while (first < end) {
    const middle = (first + end) >> 1;
    if (rows[middle].top + rows[middle].height < from) first = middle + 1;
    else end = middle;
  }
  while (end < rows.length && rows[end].top <= to) end += 1;
  return [first, end];
}
