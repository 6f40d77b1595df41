// The picture of a run with what was measured over it: the heat of forecast errors, or levels where they acted.

import { legendEntry, make } from "./element.js";
import { isShown, largest, paintHeat, scale } from "./heat.js";
import { LEVEL_COLOURS, paintLevels } from "./levels.js";
import { percent } from "./numbers.js";
import { pictureBlob } from "./picture.js";

const SIDE = 512; // pixels of the canvas behind its longer side
const UNDER_HEAT = "saturate(0.6) brightness(0.92)"; // so that the heat is the brightest colour
const LEVELS = ["static", "moderate", "active"];

export class RunMap {
  constructor(words, parent) {
    this.words = words.map;
    this.percent = (share) => percent(words, share);
    this.drawing = 0;
    const stage = make("div", "jano-stage", parent);
    this.canvas = make("canvas", "jano-map", stage);
    this.canvas.setAttribute("role", "img");
    this.caption = make("div", "jano-caption", parent);
    this.legend = make("div", "jano-legend jano-scale", parent);
  }

  /**
   * Show a step of a record (null: the whole run) in one frame. `isOn` tells whether anything is drawn over the
   * picture; what is drawn is told by `title` and by what was measured.
   */
  show(record, step, frame, title, isOn) {
    this.showLegend(record, step, isOn);
    return this.draw(record, step, frame, title, isOn); // a drawing that was overtaken while it waited is dropped
  }

  stop() {
    this.drawing = -1;
  }

  async draw(record, step, frame, title, isOn) {
    const turn = ++this.drawing;
    const [errors, levels, bits, picture] = await Promise.all([
      isOn && record.mapsErrors ? record.errors(step) : null,
      isOn && record.mapsLevels ? record.levels() : null,
      isOn && record.mapsLevels && step !== null ? record.computed(step) : null,
      backdrop(record, step),
    ]);
    if (turn === this.drawing) {
      const context = this.clear(record.data.grid);
      paintPicture(context, picture, errors);
      if (errors) paintHeat(context, errors, frame, record.data);
      else if (isOn && record.mapsLevels) paintLevels(context, record.data.grid, frame, levels, bits, Boolean(picture));
      const isMapped = record.mapsErrors || record.mapsLevels;
      this.canvas.hidden = !isMapped && !picture;
      this.tell(title, this.found(record, errors, frame, isOn), isMapped, record.mapsErrors);
    }
    picture?.close?.();
  }

  /** A canvas of the latent's shape. */
  clear([, rows, columns]) {
    const size = SIDE / Math.max(rows, columns);
    this.canvas.width = Math.max(1, Math.round(columns * size));
    this.canvas.height = Math.max(1, Math.round(rows * size));
    return this.canvas.getContext("2d"); // empty: the panel's ground is seen
  }

  /** What is to be seen in the map, in words. */
  found(record, errors, frame, isOn) {
    const { words } = this;
    if (!isOn) return "";
    if (record.mapsLevels) return this.shares(record).join(", ");
    if (!errors) return "";
    const { share, place } = largest(errors, frame, record.data);
    return isShown(share) ? words.largest(this.percent(share), words.places[place]) : words.none;
  }

  /** Levels are in the legend already: only those who do not see it are told of them here. */
  tell(title, found, isMapped, isCaptioned) {
    this.caption.textContent = [title, isCaptioned && found].filter(Boolean).join(" · ");
    this.caption.hidden = !this.caption.textContent;
    this.canvas.setAttribute("aria-label", [isMapped ? this.words.alt : this.words.picture, title, found].filter(Boolean).join(". "));
  }

  showLegend(record, step, isOn) {
    this.legend.replaceChildren();
    const isScaled = !record.ended || record.data.steps.some(({ kind }) => kind === "skipped");
    const isMapped = record.mapsErrors ? isScaled : record.mapsLevels;
    this.legend.hidden = !isOn || !isMapped; // where nothing was forecast, nothing is off
    if (record.mapsErrors) this.showScale();
    else if (isMapped) this.showLevels(record, step);
  }

  showScale() {
    const { background, marks } = scale();
    make("span", "jano-name", this.legend).textContent = this.words.scale;
    const bar = make("span", "jano-bar", this.legend);
    make("i", "", bar).style.background = background;
    for (const [share, place] of marks) {
      const mark = make("span", "jano-mark", bar);
      mark.textContent = this.percent(share);
      mark.style.left = `${100 * place}%`;
    }
  }

  showLevels(record, step) {
    this.shares(record).forEach((text, index) => {
      legendEntry(this.legend, "", text).style.background = `rgb(${LEVEL_COLOURS[index + 1]})`;
    });
    const { kind } = record.data.steps[step] ?? {};
    if (kind && kind !== "full" && kind !== "store") make("span", "", this.legend).append(this.words.left_out);
  }

  shares(record) {
    const share = record.data.level_share ?? {};
    return LEVELS.map((name) => {
      const part = share[name];
      const said = this.words.levels[name];
      return part === undefined ? said : this.words.share(said, this.percent(part));
    });
  }
}

/** The picture to draw on: the preview of the step, of the last step before it, or the one kept in the workflow. */
async function backdrop(record, step) {
  const blobs = record.pictures.slice(0, (step ?? record.length) + 1);
  const blob = blobs.findLast((candidate) => candidate) ?? record.pictures.find((candidate) => candidate);
  const picture = blob ?? pictureBlob(record.data.picture);
  return picture && createImageBitmap(picture).catch(() => null);
}

function paintPicture(context, picture, isUnderHeat) {
  if (!picture) return;
  context.filter = isUnderHeat ? UNDER_HEAT : "none";
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, 0, 0, context.canvas.width, context.canvas.height);
  context.filter = "none";
}
