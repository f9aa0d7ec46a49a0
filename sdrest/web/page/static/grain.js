// The placeholder of a picture in progress: noise that fades into soft colours.

const SIDE = 96;
const BLOBS = 6;

/** Returns a seeded generator of numbers in [0, 1) (mulberry32). */
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function canvas(side) {
  const made = document.createElement("canvas");
  made.width = made.height = side;
  return made;
}

/** A few patches of neighbouring hues, which blend when enlarged. */
function colours(next) {
  const made = canvas(BLOBS);
  const context = made.getContext("2d");
  const hue = next() * 360;
  for (let y = 0; y < BLOBS; y += 1) {
    for (let x = 0; x < BLOBS; x += 1) {
      const light = 72 - (y / BLOBS) * 34 + next() * 12;
      context.fillStyle = `hsl(${hue + (y / BLOBS) * 70 + next() * 40} ${30 + next() * 25}% ${light}%)`;
      context.fillRect(x, y, 1, 1);
    }
  }
  return made;
}

function noise(next) {
  const made = canvas(SIDE);
  const context = made.getContext("2d");
  const image = context.createImageData(SIDE, SIDE);
  for (let at = 0; at < image.data.length; at += 4) {
    const grey = 95 + next() * 90;
    const tint = () => grey + (next() - 0.5) * 44;
    image.data.set([tint(), tint(), tint(), 255], at);
  }
  context.putImageData(image, 0, 0);
  return made;
}

export class Grain {
  #colours;
  #noise;
  #context;

  /** `seed` (an integer) determines the look. */
  constructor(seed) {
    const next = generator(seed);
    this.#colours = colours(next);
    this.#noise = noise(next);
    this.element = canvas(SIDE);
    this.element.className = "grain";
    this.element.setAttribute("aria-hidden", "true");
    this.#context = this.element.getContext("2d");
    this.show(0);
  }

  /** Shows how much is done, from 0 to 1. */
  show(fraction) {
    const context = this.#context;
    context.globalAlpha = 1;
    context.imageSmoothingQuality = "high";
    context.drawImage(this.#colours, 0, 0, SIDE, SIDE);
    context.globalAlpha = 0.9 - 0.75 * fraction;
    context.drawImage(this.#noise, 0, 0);
  }
}
