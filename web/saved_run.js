// A run as it lies in a workflow file. The file may be anybody's: every field is looked at before any is used.

import { isPacked } from "./packed.js";
import { pictureBlob } from "./picture.js";
import { isSpoken } from "./told.js";

export const MOST_CHARACTERS = 150_000; // a saved workflow travels inside of every picture
const MOST_STEPS = 10_000; // the most that the host's samplers take
const MOST_TOKENS = 2 ** 20; // 16 frames of 256 x 256; Wan's 81 frames at 720p have 75 600
const MOST_REGIONS = 2 ** 16; // those have 19 320
export const KINDS = new Set(["full", "store", "moderate", "active", "picture", "skipped"]);
const LEVELS = ["static", "moderate", "active"];

const isText = (value) => typeof value === "string";
const isShare = (value) => Number.isFinite(value) && value >= 0 && value <= 1;
const isCount = (value, most) => Number.isInteger(value) && value >= 0 && value <= most;
export const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
export const isList = (value, most, fits) => Array.isArray(value) && value.length <= most && [...value].every(fits);
const isMap = (value) => isText(value) && value.length <= MOST_CHARACTERS && isPacked(value);
export const missingOr = (fits) => (value) => value === undefined || value === null || fits(value);

/** A map of [frames, rows, columns] tokens that can be drawn. */
export function isGrid(value) {
  if (!isList(value, 3, (side) => isCount(side, MOST_TOKENS) && side > 0) || value.length < 3) return false;
  return value[0] * value[1] * value[2] <= MOST_TOKENS;
}

export const isMeasure = (value) => Number.isFinite(value) && value >= 0;
const MEASURES = { computed: isMap, seconds: isMeasure, share: isShare, error: isMeasure, errors: isMap };

const isStep = (step) =>
  isObject(step) && KINDS.has(step.kind) && Object.entries(MEASURES).every(([name, fits]) => missingOr(fits)(step[name]));
const isRegions = (value) => isGrid(value) && value[0] * value[1] * value[2] <= MOST_REGIONS;
const isLevelShare = (share) => isObject(share) && LEVELS.every((level) => missingOr(isShare)(share[level]));
const isNode = (id) => isCount(id, Number.MAX_SAFE_INTEGER) || (isText(id) && id.length < 100);

// Numbers and words of the headline: what the server tells at a run's end, and what the page measured beside it.
const RISKS = new Set(["hard_to_see", "details", "composition"]);
const isTime = (value) => Number.isFinite(value) && value > 0;
const RESULT = {
  quality: missingOr((value) => isText(value) && value.length < 100),
  speedup: missingOr(isTime),
  seconds_saved: missingOr(Number.isFinite),
  steps_computed: (value) => isCount(value, MOST_STEPS),
  steps_in_part: (value) => isCount(value, MOST_STEPS),
  steps_forecast: (value) => isCount(value, MOST_STEPS),
  risk: missingOr((value) => RISKS.has(value)),
  references_frozen: missingOr((value) => typeof value === "boolean"),
  references_compared: missingOr((value) => typeof value === "boolean"), // these two: not in runs of before
  references_drift: missingOr(isMeasure),
  notes: (value) => isList(value, MOST_CHARACTERS, isText),
  advice: missingOr(isText),
  full_seconds: missingOr(isTime),
  own_seconds: missingOr(isTime),
};
const isResult = (value) => isObject(value) && Object.entries(RESULT).every(([name, fits]) => fits(value[name]));

/** Of an event or a saved run, what the headline is made of. */
export function resultOf(told) {
  return Object.fromEntries(Object.keys(RESULT).map((name) => [name, told[name] ?? null]));
}

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
  regions: missingOr(isRegions), // these four: not in runs that 0.1.0 saved
  region: missingOr(isGrid),
  errors: missingOr(isMap),
  result: missingOr(isResult),
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
  if (!areRegionsOf(known)) return null;
  known.steps = known.steps.map(readStep);
  known.result &&= resultOf(known.result);
  known.level_share &&= Object.fromEntries(LEVELS.map((level) => [level, known.level_share[level] ?? undefined]));
  const text = JSON.stringify(known);
  return text.length <= MOST_CHARACTERS ? JSON.parse(text) : null;
}

/** Without what is not known: a run may have thousands of steps. */
function readStep({ kind, computed = null, ...measures }) {
  const known = ["seconds", "share", "error", "errors"].filter((name) => (measures[name] ?? null) !== null);
  return { kind, computed, ...Object.fromEntries(known.map((name) => [name, measures[name]])) };
}

/** Whether the regions, where there are any, are those of the grid. */
function areRegionsOf({ grid, regions, region }) {
  if (!regions) return !region;
  return Boolean(grid && region) && regions.every((count, side) => count === Math.ceil(grid[side] / region[side]));
}
