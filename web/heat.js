// How far forecasts moved the picture, as heat over it. A byte a region, on a logarithmic scale; 0 is nothing.

// Codes as in jano/show/error_map.py, colours as in jano/show/render.py (tests hold them equal).
const LOWEST = 0.001;
const HIGHEST = 1;
const LAST_CODE = 255;
const SHOWN = [0.01, 0.3]; // where heat begins, and where it is brightest: shares of the prediction's strength
const MARKS = [0.01, 0.03, 0.1, 0.3];
const RAMP = [[66, 32, 124], [140, 41, 129], [216, 66, 103], [250, 140, 60], [255, 240, 170]];
const STRENGTH = 0.85; // of the brightest heat over the picture

/** The share that a code stands for. */
export function shareOf(code) {
  return code > 0 ? LOWEST * (HIGHEST / LOWEST) ** ((code - 1) / (LAST_CODE - 1)) : 0;
}

/** Where a share lies between the ends of what is shown, 0 to 1. */
function placeOf(share) {
  const [low, high] = SHOWN;
  return share <= low ? 0 : Math.min(1, Math.log(share / low) / Math.log(high / low));
}

/** Colour of a place on the scale, as [red, green, blue]. */
function colourAt(place) {
  const at = place * (RAMP.length - 1);
  const [left, right] = [Math.floor(at), Math.min(RAMP.length - 1, Math.floor(at) + 1)];
  return RAMP[left].map((part, index) => part + (at - left) * (RAMP[right][index] - part));
}

/** How much of the heat's colour is seen at a place: little where it begins, so that the picture stays to be seen. */
function strengthAt(place) {
  return STRENGTH * place;
}

const PIXELS = new Uint32Array(
  new Uint8ClampedArray(
    Array.from({ length: LAST_CODE + 1 }, (_, code) => placeOf(shareOf(code))).flatMap((place) => [
      ...colourAt(place),
      255 * strengthAt(place),
    ]),
  ).buffer,
);

/** Every region's larger one of two maps. */
export function larger(one, other) {
  return one && other ? one.map((code, index) => Math.max(code, other[index])) : one ?? other;
}

/** The largest share in a frame of a map, and its place in the picture: 0 to 8, row by row from the top left. */
export function largest(codes, frame, { regions: [, rows, columns], region }) {
  const first = Math.floor(frame / region[0]) * rows * columns;
  const seen = codes.subarray(first, first + rows * columns);
  const at = seen.reduce((best, code, index) => (code > seen[best] ? index : best), 0);
  const [row, column] = [Math.floor(at / columns), at % columns];
  const third = (index, count) => Math.min(2, Math.floor(((index + 0.5) * 3) / count));
  return { share: shareOf(seen[at]), place: 3 * third(row, rows) + third(column, columns) };
}

/** Whether a share is shown as any heat at all. */
export function isShown(share) {
  return share > SHOWN[0];
}

/**
 * Draw one frame's heat. `regions` and `grid` count (frames, rows, columns) of regions and of tokens, `region` the
 * tokens of a region; between the middles of regions it goes over from one to the next.
 */
export function paintHeat(context, codes, frame, { grid, regions, region }) {
  const { width, height } = context.canvas;
  const [across, down] = [
    places(width, grid[2] / region[2], regions[2]),
    places(height, grid[1] / region[1], regions[1]),
  ];
  const first = Math.floor(frame / region[0]) * regions[1] * regions[2];
  const image = new ImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  for (let y = 0, index = 0; y < height; y++) {
    const [top, bottom] = [first + down.low[y] * regions[2], first + down.high[y] * regions[2]];
    const below = down.share[y];
    for (let x = 0; x < width; x++, index++) {
      const [left, right, beside] = [across.low[x], across.high[x], across.share[x]];
      const upper = codes[top + left] + beside * (codes[top + right] - codes[top + left]);
      const lower = codes[bottom + left] + beside * (codes[bottom + right] - codes[bottom + left]);
      pixels[index] = PIXELS[Math.round(upper + below * (lower - upper))];
    }
  }
  const layer = new OffscreenCanvas(width, height);
  layer.getContext("2d").putImageData(image, 0, 0);
  context.drawImage(layer, 0, 0);
}

/** For each pixel of a side: the two regions between whose middles it lies, and its share of the way. */
function places(pixels, length, count) {
  const at = Array.from({ length: pixels }, (_, pixel) => ((pixel + 0.5) / pixels) * length - 0.5);
  const inside = at.map((place) => Math.min(count - 1, Math.max(0, place)));
  const low = inside.map(Math.floor);
  const high = low.map((index) => Math.min(count - 1, index + 1));
  return { low, high, share: inside.map((place, index) => place - low[index]) };
}

/** The scale as a CSS background, and its marks: [share, place from 0 to 1]. */
export function scale() {
  const stops = RAMP.map((colour, index) => `rgb(${colour}) ${(100 * index) / (RAMP.length - 1)}%`);
  return { background: `linear-gradient(to right, ${stops.join(", ")})`, marks: MARKS.map((share) => [share, placeOf(share)]) };
}
