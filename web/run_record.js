// What one sampling run did, as the server tells it step by step, and as it is kept in node.properties.
// Maps are base64 of zlib: a byte a token (levels 1 static, 2 moderate, 3 active), a bit a token (computed), or a byte a
// region (errors of forecasts, heat.js).

import { NOTICEABLE } from "./headline.js";
import { larger } from "./heat.js";
import { unpack } from "./packed.js";
import { thumbnail } from "./picture.js";
import { isGrid, MOST_CHARACTERS, readSaved, resultOf } from "./saved_run.js";
import { isSpoken } from "./told.js";
import { wordsFor } from "./words.js";

export const PROPERTY = "jano_run";
const NO_MAP = { grid: null, levels: null, regions: null, region: null, errors: null };
const NOTHING = new Uint8Array(0); // no bit of it is set

export class RunRecord {
  /** `prompt` and `node` are the server's ids of what was queued and of the node that shows it. */
  constructor(prompt = null, node = null) {
    this.prompt = prompt;
    this.data = { version: 1, node, grid: null, num_steps: 0, levels: null, steps: [], picture: null };
    this.failed = false; // not saved
    this.evaluations = 0;
    this.sampler = null; // the server's id of the node that sampled
    this.sampled = null; // its run as full_runs.js saw it
    this.run = null; // the server's id of the run, by which a report of it is known
    this.remarks = []; // what else the page says of it; not saved
    this.pictures = []; // Blob of every step; not saved
    this.unpacked = new Map();
  }

  /** A record from a saved property of the node with this id; null for what does not fit or is another node's. */
  static from(saved, node) {
    const data = readSaved(saved);
    if (!data || (data.node !== null && String(data.node) !== String(node))) return null;
    const record = new RunRecord();
    record.data = data;
    return record;
  }

  get length() {
    return this.data.steps.length;
  }

  get ended() {
    return this.data.summary != null;
  }

  /** Whether the errors of forecasts are what there is to see, region by region. */
  get mapsErrors() {
    return Boolean(this.data.regions);
  }

  /** How the run went, once it is over; empty for a run that nothing is known of. */
  get state() {
    const { verdict, fallbacks } = this.data;
    if (this.failed) return "error";
    if (!this.ended || verdict === "analysed") return "";
    return verdict === "accelerated" && (fallbacks?.length || this.isSlower) ? "partly" : verdict ?? "";
  }

  /** Whether it took noticeably longer than in full: its title is not that of a gain then. */
  get isSlower() {
    const { speedup, full_seconds, own_seconds } = this.data.result ?? {};
    const factor = full_seconds ? full_seconds / own_seconds : speedup;
    return Boolean(factor) && factor <= 1 - NOTICEABLE;
  }

  /** Whether levels are what there is to see: not where they decided nothing, as in runs that older versions kept. */
  get mapsLevels() {
    return Boolean(this.data.levels) && !this.mapsErrors && !this.data.result?.references_frozen;
  }

  /** Whether an event belongs to another run than the one kept here; only steps count their evaluations. */
  isOver({ prompt_id, evaluations = Infinity }) {
    return this.ended || prompt_id !== this.prompt || evaluations <= this.evaluations;
  }

  /** A step; `classes` and `levels` hold what this page has not been told yet. */
  add(event) {
    const { data } = this;
    for (const [step, kind] of Object.entries(event.classes)) {
      if (data.steps[step]?.kind !== kind) data.steps[step] = { kind, computed: null };
    }
    for (let step = 0; step < data.steps.length; step++) data.steps[step] ??= { kind: "full", computed: null };
    data.steps[event.step] = { ...data.steps[event.step], kind: event.step_class, computed: event.computed };
    for (const [step, measures] of Object.entries(event.measures ?? {})) {
      const known = Object.entries(measures).filter(([, value]) => value !== null);
      Object.assign(data.steps[step], Object.fromEntries(known));
    }
    this.evaluations = event.evaluations;
    Object.assign(data, {
      grid: isGrid(event.grid) ? event.grid : null,
      regions: isGrid(event.regions) ? event.regions : null,
      region: isGrid(event.region) ? event.region : null,
      num_steps: event.num_steps,
      levels: event.levels ?? data.levels,
      computed_fraction: event.computed_fraction,
      speedup: event.speedup,
    });
  }

  end(event) {
    const { summary, spoken, verdict, fallbacks, level_share, computed_token_fraction, speedup } = event;
    Object.assign(this.data, { summary, verdict, fallbacks, level_share, num_steps: event.steps });
    Object.assign(this.data, { computed_fraction: computed_token_fraction, speedup });
    this.data.spoken = isSpoken(spoken) ? spoken : null;
    this.data.errors = event.errors ?? null;
    this.data.result = resultOf(event);
    this.sampler = event.sampler ?? null;
    this.run = event.run ?? null;
  }

  /** Seconds saved, as well as they are known; 0 for none. */
  get saved_seconds() {
    const { seconds_saved, full_seconds, own_seconds } = this.data.result ?? {};
    const isFaster = this.data.verdict === "accelerated";
    return isFaster ? (full_seconds ? full_seconds - own_seconds : seconds_saved ?? 0) : 0;
  }

  /** A run in full of the same is known: { full_seconds, own_seconds }. */
  compare(seconds) {
    Object.assign(this.data.result, seconds);
  }

  /** The run was stopped in its midst, by somebody or because something failed. */
  stop(failed = false) {
    const told = { text: "stopped", key: "run_stopped", values: { step: this.length, count: this.data.num_steps } };
    this.data.summary = wordsFor("en").speak(told);
    this.data.spoken = { summary: { ...told, text: this.data.summary } };
    this.failed = failed;
  }

  /** A preview of the step that is under way. */
  addPicture(blob) {
    this.pictures[this.length - 1] = blob;
  }

  /** Make the last preview small enough to be kept in the workflow. */
  async keepPicture() {
    this.data.picture = await thumbnail(this.pictures.at(-1));
  }

  /** What goes into the workflow: plain JSON; where it would be large, the maps of the steps go first. */
  saved() {
    const { data } = this;
    const lighter = { ...data, steps: data.steps.map((step) => ({ ...step, errors: undefined })) };
    const light = { ...lighter, steps: lighter.steps.map((step) => ({ ...step, computed: null })) };
    const least = { ...data, ...NO_MAP, steps: [], picture: null };
    const texts = [data, lighter, light, least].map((record) => JSON.stringify(record));
    return JSON.parse(texts.find((text) => text.length <= MOST_CHARACTERS) ?? texts.at(-1));
  }

  /** Level of every token as Uint8Array, or null. */
  levels() {
    return this.#unpack(this.data.levels, this.#numTokens);
  }

  /** One bit a token for a step, or null when all were computed. */
  computed(step) {
    const { kind, computed } = this.data.steps[step] ?? {};
    if (!computed) return kind === "skipped" ? NOTHING : null;
    return this.#unpack(computed, Math.ceil(this.#numTokens / 8));
  }

  /**
   * Where the model was asked again after a step that was forecast, and how far the forecasts were off was measured: the
   * index of that step. Null for a step that was computed, and where nothing was measured.
   */
  measuredAt(step) {
    const { steps } = this.data;
    const at = steps.findIndex(({ kind }, index) => index >= step && kind !== "skipped");
    return at > step && Number.isFinite(steps[at]?.error) ? at : null;
  }

  /** How a step was computed, or "skipped". */
  kind(step) {
    return this.data.steps[step]?.kind;
  }

  /** Errors of a forecast step, of every region as Uint8Array, or the whole run's (null): the largest of its steps. */
  async errors(step) {
    const { steps, errors } = this.data;
    if (step !== null) return this.#unpackErrors(steps[this.measuredAt(step)]?.errors);
    if (errors) return this.#unpackErrors(errors);
    const maps = await Promise.all(steps.map((one) => this.#unpackErrors(one.errors)));
    return maps.reduce(larger, null);
  }

  #unpackErrors(text) {
    return this.#unpack(text, count(this.data.regions));
  }

  get #numTokens() {
    return count(this.data.grid);
  }

  async #unpack(text, size) {
    if (!text) return null;
    if (!this.unpacked.has(text)) this.unpacked.set(text, unpack(text, size));
    return this.unpacked.get(text);
  }
}

function count(sides) {
  return sides.reduce((product, side) => product * side, 1);
}
