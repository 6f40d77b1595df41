// The run of one node as DOM: a line of text, and below it the map over the picture, the frames of a clip, the steps.

import { Clip } from "./clip.js";
import { make } from "./element.js";
import { Headline, NOTICEABLE, told } from "./headline.js";
import { RunMap } from "./map.js";
import { percent, times } from "./numbers.js";
import { Strip } from "./strip.js";

const IDLE = [2, 4]; // modes of a node that takes no part: muted, bypassed
const MIN_HEIGHT = { empty: 34, text: 60, map: 340, clip: 370 };
const MILESTONES = 4; // times that a run which goes on is read aloud

export class RunView {
  /** `isMapOn` tells whether anything is to be drawn over the picture, `quality` what the node asks of the next run. */
  constructor(words, onResize, isMapOn = () => true, quality = () => null) {
    this.words = words;
    this.onResize = onResize;
    this.isMapOn = isMapOn;
    this.quality = quality;
    this.record = null;
    this.chosen = null; // a step, or null: the whole run
    this.mode = 0;
    this.build();
    this.show();
  }

  build() {
    this.element = make("div", "jano-run");
    this.head = make("div", "jano-head", this.element);
    this.headline = new Headline(this.element);
    this.line = this.headline.line;
    this.said = make("div", "jano-said", this.element);
    this.said.setAttribute("role", "status"); // read aloud, politely
    const panel = make("div", "jano-panel", this.element);
    this.map = new RunMap(this.words, panel);
    this.clip = new Clip(this.words.clip, panel, () => this.show());
    this.strip = new Strip(this.words.strip, panel, (step) => this.choose(step));
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
    this.map.stop();
    this.clip.pause();
    this.element.replaceChildren();
  }

  get minHeight() {
    if (!this.record) return MIN_HEIGHT.empty;
    if (!this.hasMap) return MIN_HEIGHT.text + this.headline.height;
    return (this.record.data.grid[0] > 1 ? MIN_HEIGHT.clip : MIN_HEIGHT.map) + this.headline.height;
  }

  /** Why the run shown says nothing of the pictures that are made now; empty while it may. */
  get past() {
    const { record, words } = this;
    if (!record?.ended) return "";
    if (IDLE.includes(this.mode)) return words.past(words.modes[this.mode]);
    const quality = record.data.result?.quality;
    return quality && isAnother(quality, this.quality()) ? words.past_quality(quality) : "";
  }

  /** How the run went, where it says something of the pictures that are made now; empty for nothing. */
  get state() {
    return (!this.past && this.record?.state) || "";
  }

  get hasMap() {
    return Boolean(this.record?.data.grid);
  }

  /** The step that is told of: the chosen one, or the last one while the run goes on. */
  get step() {
    if (this.chosen !== null) return this.chosen;
    return this.record && !this.record.ended && this.record.length ? this.record.length - 1 : null;
  }

  show() {
    this.headline.show(this.told());
    const height = this.minHeight;
    this.element.classList.toggle("jano-empty", !this.hasMap);
    this.element.classList.toggle("jano-past", Boolean(this.past));
    this.element.dataset.state = this.state;
    this.head.hidden = !this.past;
    this.head.textContent = this.past;
    this.say();
    if (this.hasMap) this.showPanel();
    const resized = height !== this.height;
    this.height = height;
    if (resized) this.onResize();
  }

  /** What the lines above the map say: of a run that is over its result, else where it is. */
  told() {
    const { words, record, chosen } = this;
    const result = record?.ended && chosen === null ? told(words, record.data) : null;
    return result ? { ...result, more: [...result.more, ...record.remarks] } : { line: this.text() };
  }

  showPanel() {
    const { record, chosen, step } = this;
    const { steps, num_steps: count, grid } = record.data;
    this.clip.show(grid[0]);
    this.strip.show({ steps, count, chosen, shown: step, tell: (told) => this.tellStep(told) });
    const mapped = record.mapsErrors ? chosen : step; // a run that goes on shows all of its errors so far
    this.map.show(record, mapped, this.clip.frame, this.mapTitle(mapped), this.isMapOn());
  }

  /** What the map is of: the whole run or a step, and of a clip which frame. */
  mapTitle(step) {
    const { words, record, clip } = this;
    const parts = [step === null ? words.strip.whole : words.strip.short(step + 1, words.strip.cells[record.kind(step)])];
    if (clip.count > 1) parts.push(words.clip.frame(clip.frame + 1, clip.count));
    return parts.join(" · ");
  }

  /** What is known of a step, in one line. */
  tellStep(step) {
    const { words, record } = this;
    const { strip } = words;
    const { seconds, share } = record.data.steps[step];
    const at = record.measuredAt(step);
    const parts = [strip.short(step + 1, strip.cells[record.kind(step)])];
    if (Number.isFinite(share)) parts.push(strip.tokens(percent(words, share)));
    if (at !== null) parts.push(strip.moved(percent(words, record.data.steps[at].error ?? 0), at + 1));
    if (Number.isFinite(seconds)) parts.push(words.numbers.seconds(seconds.toFixed(2)));
    return parts.join(" · ");
  }

  text() {
    const { words, record, step } = this;
    if (!record || (!record.length && !record.ended)) return words.waiting;
    const { data } = record;
    if (record.ended && this.chosen === null) return words.speak(data.spoken?.summary ?? data.summary);
    const parts = [words.step(step + 1, data.num_steps), words.kinds[data.steps[step].kind] ?? data.steps[step].kind];
    if (this.chosen === null) {
      parts.push(words.computed(percent(words, data.computed_fraction)));
      if (data.speedup >= 1 + NOTICEABLE) parts.push(words.faster(times(words, data.speedup)));
    }
    return parts.join(" · ");
  }

  /** Read aloud what the lines say, of a run that goes on a few times only. */
  say() {
    const { record } = this;
    if (!record || this.chosen !== null) return; // what is chosen, the slider itself says
    const { text } = this.headline;
    const done = record.ended ? text : Math.floor((MILESTONES * record.length) / (record.data.num_steps + 1));
    if (this.toldOf === record && this.milestone === done) return; // of a run that is over again what was measured since
    this.said.textContent = this.toldOf === undefined && record.ended ? "" : text; // not what was loaded
    [this.toldOf, this.milestone] = [record, done];
  }
}

/** Whether a run of this quality is none of what is `chosen` now; "custom" with a speed-up to reach is told as "target". */
function isAnother(quality, chosen) {
  return Boolean(chosen) && quality !== chosen && !(chosen === "custom" && quality === "target");
}
