// Sentences as they come from the server, or lie in a workflow file that may be anybody's (words.js speaks them).

const MOST_VALUES = 16;
const MOST_PARTS = 100; // of a list: reasons, levels
const MOST_CHARACTERS = 4000;
const DEEPEST = 8; // a summary holds remarks, these reasons, and these what they are about
const NAME = /^[a-z]\w{0,40}$/;

/** What a run says: its summary, and the reasons, notes and advice in it. */
export function isSpoken(spoken) {
  if (spoken === null || typeof spoken !== "object") return false;
  const { summary, fallbacks = [], notes = [], advice = "", ...rest } = spoken;
  return !Object.keys(rest).length && isTold(summary) && isTold(advice) && [fallbacks, notes].every((list) => Array.isArray(list) && isValue(list, 0));
}

/** Text, a finite number, or { text, key, values } whose values are the same again, or lists of them. */
export function isTold(told, depth = 0) {
  if (typeof told === "string") return told.length <= MOST_CHARACTERS;
  if (typeof told !== "object") return Number.isFinite(told);
  if (told === null || Array.isArray(told) || depth >= DEEPEST) return false;
  const { text, key, values, ...rest } = told;
  if (Object.keys(rest).length || typeof text !== "string" || !isTold(text)) return false;
  return typeof key === "string" && NAME.test(key) && areValues(values, depth);
}

function areValues(values, depth) {
  if (values === null || typeof values !== "object" || Array.isArray(values)) return false;
  const entries = Object.entries(values);
  return entries.length <= MOST_VALUES && entries.every(([name, value]) => NAME.test(name) && isValue(value, depth + 1));
}

function isValue(value, depth) {
  if (!Array.isArray(value)) return isTold(value, depth);
  return value.length <= MOST_PARTS && [...value].every((part) => isTold(part, depth));
}
