// The run of one node as DOM: a line of text, the level map over the picture, a cell for each step, frames of a clip.

import { isSet } from "./packed.js";
import { pictureBlob } from "./picture.js";

// As in jano/show/render.py (a test holds them equal): told apart with any kind of colour blindness, in lightness too.
const LEVEL_COLOURS = { 1: [26, 64, 153], 2: [242, 184, 51], 3: [217, 51, 64] };
const TINT = 0.42;
const SHADE = 0.62;
const MAP_SIDE = 512; // pixels of the canvas behind its longer side
const IDLE = [2, 4]; // modes of a node that takes no part: muted, bypassed
const MOST_CELLS = 200; // of the strip: longer runs show several steps in one
const MIN_HEIGHT = { empty: 34, text: 60, map: 250, clip: 275 };

export class RunView {
  constructor(words, onResize) {
    this.words = words;
    this.onResize = onResize;
    this.record = null;
    this.chosen = null; // a step, or null: the whole run
    this.frame = 0;
    this.mode = 0;
    this.drawing = 0;
    this.build();
    this.show();
  }

  build() {
    this.element = make("div", "jano-run");
    this.head = make("div", "jano-head", this.element);
    this.line = make("div", "jano-line", this.element);
    this.canvas = make("canvas", "jano-map", this.element);
    this.frames = make("input", "jano-frames", this.element);
    Object.assign(this.frames, { type: "range", min: 0, step: 1, title: this.words.frames });
    this.strip = make("div", "jano-strip", this.element);
    this.strip.tabIndex = 0;
    this.strip.title = this.words.steps;
    this.strip.setAttribute("role", "slider");
    this.strip.setAttribute("aria-label", this.words.steps);
    this.legend = make("div", "jano-legend", this.element);
    this.listen();
  }

  listen() {
    for (const part of [this.strip, this.frames]) {
      part.addEventListener("pointerdown", (event) => event.stopPropagation()); // the node must not be dragged
      part.addEventListener("keydown", (event) => event.stopPropagation());
    }
    this.strip.addEventListener("pointerdown", (event) => {
      const step = this.stepAt(event);
      this.choose(step === this.chosen ? null : step);
      if (event.isTrusted) this.strip.setPointerCapture(event.pointerId);
    });
    this.strip.addEventListener("pointermove", (event) => event.buttons && this.choose(this.stepAt(event)));
    this.strip.addEventListener("keydown", (event) => this.onKey(event));
    this.frames.addEventListener("input", () => {
      this.frame = Number(this.frames.value);
      this.show();
    });
  }

  onKey(event) {
    const last = (this.record?.length ?? 0) - 1;
    const now = this.chosen ?? last;
    const to = { ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: last, Escape: null }[event.key];
    if (to === undefined || last < 0) return;
    event.preventDefault();
    this.choose(to === null ? null : Math.min(last, Math.max(0, to)));
  }

  stepAt(event) {
    const { left, width } = this.strip.getBoundingClientRect();
    const step = Math.floor(((event.clientX - left) / width) * this.record.data.num_steps);
    return Math.min(this.record.length - 1, Math.max(0, step));
  }

  choose(step) {
    if (!this.record?.length) return;
    this.chosen = step;
    this.show();
  }

  /** Show a whole record (null: none yet). */
  load(record) {
    this.record = record;
    this.chosen = null;
    this.show();
  }

  /** The run that is shown has changed, or another one is shown from now on. */
  update(record) {
    if (record === this.record) this.show();
    else this.load(record);
  }

  /** What the host does with the node when it runs. */
  setMode(mode) {
    this.mode = mode;
    this.show();
  }

  dispose() {
    this.record = null;
    this.drawing = -1;
    this.element.replaceChildren();
  }

  get minHeight() {
    if (!this.record) return MIN_HEIGHT.empty;
    if (!this.hasMap) return MIN_HEIGHT.text;
    return this.record.data.grid[0] > 1 ? MIN_HEIGHT.clip : MIN_HEIGHT.map;
  }

  /** Why the run shown says nothing of the pictures that are made now; undefined while it may. */
  get past() {
    return this.record?.ended && IDLE.includes(this.mode) ? this.words.modes[this.mode] : undefined;
  }

  get hasMap() {
    return Boolean(this.record?.data.grid);
  }

  /** The step whose tokens are lit: the chosen one, or the last one while the run goes on. */
  get step() {
    if (this.chosen !== null) return this.chosen;
    return this.record && !this.record.ended && this.record.length ? this.record.length - 1 : null;
  }

  show() {
    const height = this.minHeight;
    this.element.classList.toggle("jano-empty", !this.hasMap);
    this.element.classList.toggle("jano-past", Boolean(this.past));
    this.head.hidden = !this.past;
    this.head.textContent = this.past ? this.words.past(this.past) : "";
    this.line.textContent = this.text();
    this.line.title = this.line.textContent;
    if (this.hasMap) {
      this.showStrip();
      this.showFrames();
      this.showLegend();
      this.draw();
    }
    const resized = height !== this.height;
    this.height = height;
    if (resized) this.onResize();
  }

  text() {
    const { words, record, step } = this;
    if (!record || (!record.length && !record.ended)) return words.waiting;
    const { data } = record;
    if (record.ended && this.chosen === null) return words.speak(data.spoken?.summary ?? data.summary);
    const parts = [words.step(step + 1, data.num_steps), words.kinds[data.steps[step].kind] ?? data.steps[step].kind];
    if (this.chosen === null) {
      parts.push(words.computed(data.computed_fraction));
      if (data.speedup) parts.push(words.faster(data.speedup));
    }
    return parts.join(" · ");
  }

  showStrip() {
    const { steps, num_steps } = this.record.data;
    const count = Math.min(num_steps, MOST_CELLS);
    while (this.strip.childElementCount > count) this.strip.lastElementChild.remove();
    while (this.strip.childElementCount < count) make("span", "", this.strip);
    const chosen = this.step === null ? -1 : Math.floor((this.step * count) / num_steps);
    [...this.strip.children].forEach((cell, index) => {
      const kind = steps[Math.floor((index * num_steps) / count)]?.kind;
      cell.className = kind ? `jano-${kind}` : "";
      cell.classList.toggle("jano-chosen", index === chosen);
    });
    const now = (this.step ?? this.record.length - 1) + 1;
    for (const [name, value] of Object.entries({ valuemin: 1, valuemax: num_steps, valuenow: now })) {
      this.strip.setAttribute(`aria-${name}`, value);
    }
    this.strip.setAttribute("aria-valuetext", this.text());
  }

  showFrames() {
    const count = this.record.data.grid[0];
    this.frames.hidden = count < 2;
    this.frames.max = count - 1;
    this.frame = Math.min(this.frame, count - 1);
    this.frames.value = this.frame;
    this.frames.title = this.words.frame(this.frame + 1, count);
  }

  showLegend() {
    const share = this.record.data.level_share ?? {};
    const entries = Object.entries(LEVEL_COLOURS).map(([level, colour]) => {
      const part = share[{ 1: "static", 2: "moderate", 3: "active" }[level]];
      const name = this.words.levels[level];
      return [`rgb(${colour})`, part === undefined ? name : this.words.share(name, part)];
    });
    this.legend.replaceChildren();
    for (const [colour, text] of entries) {
      const entry = make("span", "", this.legend);
      make("i", "", entry).style.background = colour;
      entry.append(text);
    }
    const { kind } = this.record.data.steps[this.step] ?? {};
    if (kind && kind !== "full" && kind !== "store") make("span", "", this.legend).append(this.words.left_out);
  }

  /** Draw the newest state; a drawing that was overtaken while it waited is dropped. */
  async draw() {
    const turn = ++this.drawing;
    const { record, step, frame } = this;
    const [levels, bits, picture] = await Promise.all([
      record.levels(),
      step === null ? null : record.computed(step),
      backdrop(record, step),
    ]);
    if (turn === this.drawing) paint(this.canvas, record.data.grid, frame, levels, bits, picture);
    picture?.close?.();
  }
}

function make(tag, name, parent) {
  const element = document.createElement(tag);
  element.className = name;
  parent?.append(element);
  return element;
}

/** The picture to draw on: the preview of the step, of the last step before it, or the one kept in the workflow. */
async function backdrop(record, step) {
  const blobs = record.pictures.slice(0, (step ?? record.length) + 1);
  const blob = blobs.findLast((candidate) => candidate) ?? record.pictures.find((candidate) => candidate);
  const picture = blob ?? pictureBlob(record.data.picture);
  return picture && createImageBitmap(picture).catch(() => null);
}

/** The picture, tokens tinted by their level, and those that were not computed in the dark. */
function paint(canvas, [, rows, columns], frame, levels, bits, picture) {
  const scale = MAP_SIDE / Math.max(rows, columns);
  canvas.width = Math.max(1, Math.round(columns * scale));
  canvas.height = Math.max(1, Math.round(rows * scale));
  const context = canvas.getContext("2d");
  context.fillStyle = "#2a2a2e";
  context.fillRect(0, 0, canvas.width, canvas.height);
  if (picture) context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  const layer = document.createElement("canvas");
  layer.width = columns;
  layer.height = rows;
  layer.getContext("2d").putImageData(tokens(rows, columns, frame, levels, bits, palette(picture)), 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(layer, 0, 0, canvas.width, canvas.height);
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
function palette(picture) {
  const tint = picture ? TINT : 0.9;
  const levels = [0, 1, 2, 3].map((level) => LEVEL_COLOURS[level] ?? null);
  const lit = levels.map((colour) => [...(colour ?? [0, 0, 0]), 255 * (colour ? tint : 0)]);
  const dark = levels.map((colour) => shaded(colour, colour ? tint : 0));
  return new Uint32Array(new Uint8ClampedArray([...lit, ...dark].flat()).buffer);
}

/** A level's colour as seen in the dark: RGBA. */
function shaded(colour, tint) {
  return [...(colour ?? [0, 0, 0]).map((part) => part * (1 - SHADE) * 0.6), 255 * Math.max(SHADE, tint)];
}
