// The choices of the form's chips. Sizes have a side of 512 pixels, which the models were trained
// with; numbers of steps are some that the samplers can run (sdrest/sampling_steps.py).

const size = (text, width, height) => ({ text, title: `${width} × ${height}`, values: { width, height } });

export const PROPORTIONS = [
  size("1:1", 512, 512),
  size("4:3", 704, 512),
  size("3:2", 768, 512),
  size("16:9", 896, 512),
  size("3:4", 512, 704),
  size("2:3", 512, 768),
  size("9:16", 512, 896),
];

export const COUNTS = [1, 2, 4, 8].map((iterations) => ({ text: String(iterations), values: { iterations } }));

const quality = (draft, good, fine) =>
  Object.entries({ Draft: draft, Good: good, Fine: fine })
    .map(([text, steps]) => ({ text, title: `${steps} steps`, values: { steps } }));

export const QUALITIES = {
  "text-to-image": quality(8, 20, 50),
  "image-to-image": quality(12, 24, 50),
  "inpaint-image": quality(16, 32, 50),
};

/** What a new form starts with, besides the server's defaults. */
export const startOf = (type) => QUALITIES[type]?.[1].values ?? {};
