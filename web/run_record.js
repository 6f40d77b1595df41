// What one sampling run did, as the server tells it step by step, and as it is kept in node.properties.
// Maps are base64 of zlib: a byte a token (levels 1 static, 2 moderate, 3 active) or a bit a token (computed).

export const PROPERTY = "jano_run";
const MOST_CHARACTERS = 150_000; // a saved workflow travels inside of every picture: larger runs lose their step maps

export class RunRecord {
  constructor() {
    this.data = { version: 1, grid: null, num_steps: 0, levels: null, steps: [], picture: null };
    this.pictures = []; // Blob of every step; not saved
    this.unpacked = new Map();
  }

  /** A record from a saved property; null for what this version does not understand. */
  static from(saved) {
    if (saved?.version !== 1 || !Array.isArray(saved.steps)) return null;
    const record = new RunRecord();
    record.data = structuredClone(saved);
    return record;
  }

  get length() {
    return this.data.steps.length;
  }

  get ended() {
    return this.data.summary != null;
  }

  /** Whether a step event belongs to another run than the one kept here. */
  isOver(event) {
    return this.ended || event.step < this.length - 1 || event.num_steps !== this.data.num_steps;
  }

  add(event) {
    const { data } = this;
    for (const [step, kind] of Object.entries(event.classes)) data.steps[step] ??= { kind, computed: null };
    for (let step = 0; step < data.steps.length; step++) data.steps[step] ??= { kind: "full", computed: null };
    data.steps[event.step] = { kind: event.step_class, computed: event.computed };
    Object.assign(data, {
      grid: event.grid,
      num_steps: event.num_steps,
      levels: event.levels ?? data.levels,
      computed_fraction: event.computed_fraction,
      speedup: event.speedup,
    });
  }

  end(event) {
    const { summary, verdict, fallbacks, level_share, computed_token_fraction, speedup_measured } = event;
    Object.assign(this.data, { summary, verdict, fallbacks, level_share, num_steps: event.steps });
    Object.assign(this.data, { computed_fraction: computed_token_fraction, speedup: speedup_measured });
  }

  /** What goes into the workflow: small, plain JSON. */
  saved() {
    const text = JSON.stringify(this.data);
    const saved = JSON.parse(text);
    if (text.length > MOST_CHARACTERS) saved.steps = saved.steps.map(({ kind }) => ({ kind, computed: null }));
    return saved;
  }

  /** Level of every token as Uint8Array, or null. */
  levels() {
    return this.#unpack(this.data.levels);
  }

  /** One bit a token for a step, or null when all were computed. */
  computed(step) {
    return this.#unpack(this.data.steps[step]?.computed ?? null);
  }

  async #unpack(text) {
    if (text === null) return null;
    if (!this.unpacked.has(text)) this.unpacked.set(text, inflate(text));
    return this.unpacked.get(text);
  }
}

export function isSet(bits, index) {
  return (bits[index >> 3] >> (7 - (index & 7))) & 1;
}

async function inflate(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
