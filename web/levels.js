// The levels of a run's tokens as colours over the picture, and what a step did not compute in the dark.

import { isSet } from "./packed.js";

// As in jano/show/render.py (a test holds them equal): told apart with any kind of colour blindness, in lightness too.
export const LEVEL_COLOURS = { 1: [26, 64, 153], 2: [242, 184, 51], 3: [217, 51, 64] };
const TINT = 0.42;
const SHADE = 0.62;

/** Draw one frame: tokens tinted by their level (a byte each), and those in the dark that have no bit set. */
export function paintLevels(context, [, rows, columns], frame, levels, bits, hasPicture) {
  const layer = new OffscreenCanvas(columns, rows);
  layer.getContext("2d").putImageData(tokens(rows, columns, frame, levels, bits, palette(hasPicture)), 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(layer, 0, 0, context.canvas.width, context.canvas.height);
}

/** A pixel a token of one frame. */
function tokens(rows, columns, frame, levels, bits, colours) {
  const image = new ImageData(columns, rows);
  const pixels = new Uint32Array(image.data.buffer);
  const first = frame * pixels.length;
  for (let index = 0; index < pixels.length; index++) {
    const dark = bits && !isSet(bits, first + index);
    pixels[index] = colours[(dark ? 4 : 0) + ((levels?.[first + index] ?? 0) & 3)];
  }
  return image;
}

/** Eight pixels: no level and levels 1 to 3, as they are and in the dark. */
function palette(hasPicture) {
  const tint = hasPicture ? TINT : 0.9;
  const levels = [0, 1, 2, 3].map((level) => LEVEL_COLOURS[level] ?? null);
  const lit = levels.map((colour) => [...(colour ?? [0, 0, 0]), 255 * (colour ? tint : 0)]);
  const dark = levels.map((colour) => shaded(colour, colour ? tint : 0));
  return new Uint32Array(new Uint8ClampedArray([...lit, ...dark].flat()).buffer);
}

/** A level's colour as seen in the dark: RGBA. */
function shaded(colour, tint) {
  return [...(colour ?? [0, 0, 0]).map((part) => part * (1 - SHADE) * 0.6), 255 * Math.max(SHADE, tint)];
}
