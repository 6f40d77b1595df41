// What one sampling run did, as the server tells it step by step, and as it is kept in node.properties.
// Maps are base64 of zlib: a byte a token (levels 1 static, 2 moderate, 3 active) or a bit a token (computed).

import { unpack } from "./packed.js";
import { thumbnail } from "./picture.js";
import { isGrid, MOST_CHARACTERS, readSaved } from "./saved_run.js";
import { isSpoken } from "./told.js";
import { wordsFor } from "./words.js";

export const PROPERTY = "jano_run";
const NOTHING = new Uint8Array(0); // no bit of it is set

export class RunRecord {
  /** `prompt` and `node` are the server's ids of what was queued and of the node that shows it. */
  constructor(prompt = null, node = null) {
    this.prompt = prompt;
    this.data = { version: 1, node, grid: null, num_steps: 0, levels: null, steps: [], picture: null };
    this.evaluations = 0;
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
    data.steps[event.step] = { kind: event.step_class, computed: event.computed };
    this.evaluations = event.evaluations;
    Object.assign(data, {
      grid: isGrid(event.grid) ? event.grid : null,
      num_steps: event.num_steps,
      levels: event.levels ?? data.levels,
      computed_fraction: event.computed_fraction,
      speedup: event.speedup,
    });
  }

  end(event) {
    const { summary, spoken, verdict, fallbacks, level_share, computed_token_fraction, speedup_measured } = event;
    Object.assign(this.data, { summary, spoken: isSpoken(spoken) ? spoken : null, verdict, fallbacks, level_share, num_steps: event.steps });
    Object.assign(this.data, { computed_fraction: computed_token_fraction, speedup: speedup_measured });
  }

  /** The run was stopped in its midst. */
  stop() {
    const values = { step: this.length, count: this.data.num_steps };
    const told = { text: "stopped", key: "run_stopped", values };
    this.data.summary = wordsFor("en").speak(told);
    this.data.spoken = { summary: { ...told, text: this.data.summary } };
  }

  /** A preview of the step that is under way. */
  addPicture(blob) {
    this.pictures[this.length - 1] = blob;
  }

  /** Make the last preview small enough to be kept in the workflow. */
  async keepPicture() {
    this.data.picture = await thumbnail(this.pictures.at(-1));
  }

  /** What goes into the workflow: plain JSON, without the maps of the steps or any picture where it would be large. */
  saved() {
    const { data } = this;
    const light = { ...data, steps: data.steps.map(({ kind }) => ({ kind, computed: null })) };
    const least = { ...data, grid: null, levels: null, steps: [], picture: null };
    const texts = [data, light, least].map((record) => JSON.stringify(record));
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

  get #numTokens() {
    return this.data.grid.reduce((product, side) => product * side, 1);
  }

  async #unpack(text, size) {
    if (!text) return null;
    if (!this.unpacked.has(text)) this.unpacked.set(text, unpack(text, size));
    return this.unpacked.get(text);
  }
}
