// A run as it lies in a workflow file. The file may be anybody's: every field is looked at before any is used.

import { isPacked } from "./packed.js";
import { pictureBlob } from "./picture.js";
import { isSpoken } from "./told.js";

export const MOST_CHARACTERS = 150_000; // a saved workflow travels inside of every picture
const MOST_STEPS = 10_000; // the most that the host's samplers take
const MOST_TOKENS = 2 ** 20; // 16 frames of 256 x 256; Wan's 81 frames at 720p have 75 600
const KINDS = new Set(["full", "store", "moderate", "active", "picture", "skipped"]);
const LEVELS = ["static", "moderate", "active"];

const isText = (value) => typeof value === "string";
const isShare = (value) => Number.isFinite(value) && value >= 0 && value <= 1;
const isCount = (value, most) => Number.isInteger(value) && value >= 0 && value <= most;
const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const isList = (value, most, fits) => Array.isArray(value) && value.length <= most && [...value].every(fits);
const missingOr = (fits) => (value) => value === undefined || value === null || fits(value);

/** A map of [frames, rows, columns] tokens that can be drawn. */
export function isGrid(value) {
  if (!isList(value, 3, (side) => isCount(side, MOST_TOKENS) && side > 0) || value.length < 3) return false;
  return value[0] * value[1] * value[2] <= MOST_TOKENS;
}

const isStep = (step) => isObject(step) && KINDS.has(step.kind) && missingOr(isMap)(step.computed);
const isLevelShare = (share) => isObject(share) && LEVELS.every((level) => missingOr(isShare)(share[level]));
const isMap = (value) => isText(value) && value.length <= MOST_CHARACTERS && isPacked(value);
const isNode = (id) => isCount(id, Number.MAX_SAFE_INTEGER) || (isText(id) && id.length < 100);

const FIELDS = {
  grid: missingOr(isGrid),
  num_steps: (value) => isCount(value, MOST_STEPS),
  levels: missingOr(isMap),
  steps: (value) => isList(value, MOST_STEPS + 1, isStep),
  picture: missingOr((value) => pictureBlob(value) !== null),
  computed_fraction: missingOr(isShare),
  speedup: missingOr((value) => Number.isFinite(value) && value > 0),
  summary: isText,
  spoken: missingOr(isSpoken),
  verdict: missingOr(isText),
  fallbacks: missingOr((value) => isList(value, MOST_CHARACTERS, isText)),
  level_share: missingOr(isLevelShare),
  node: missingOr(isNode),
};

/** What is known of a saved run, as a copy; null when any part of it is not as this pack saves it. */
export function readSaved(saved) {
  if (!isObject(saved) || saved.version !== 1) return null;
  const known = { version: 1 };
  for (const [name, fits] of Object.entries(FIELDS)) {
    if (!fits(saved[name])) return null;
    known[name] = saved[name] ?? null;
  }
  if (known.steps.length > known.num_steps + 1) return null;
  known.steps = known.steps.map(({ kind, computed = null }) => ({ kind, computed }));
  known.level_share &&= Object.fromEntries(LEVELS.map((level) => [level, known.level_share[level] ?? undefined]));
  const text = JSON.stringify(known);
  return text.length <= MOST_CHARACTERS ? JSON.parse(text) : null;
}
