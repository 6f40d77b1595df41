// What a run did, in words: the factor and the seconds saved, large; under it the steps and the risk, and then where the
// numbers are from, notes and advice. The same as jano/show/headline.py says of the same numbers (a test holds them
// equal), until a run in full is known to measure against.

import { duration, percent, times } from "./numbers.js";

export const NOTICEABLE = 0.05; // as there
const SHORTEST = 0.05; // seconds
const CHARACTERS = 50; // about as many fit into a line of a node as wide as it is made
const HEIGHTS = { big: 28, line: 16 }; // pixels
const MOST_LINES = 5; // the rest is in the tooltip

/** A speed-up and the seconds that it saved. */
function faster(words, speedup, saved) {
  const { headline } = words;
  const factor = times(words, speedup);
  if (speedup >= 1 + NOTICEABLE) {
    return saved >= SHORTEST ? headline.faster_by(factor, duration(words, saved)) : headline.faster(factor);
  }
  if (speedup > 1 - NOTICEABLE) return headline.level;
  return saved <= -SHORTEST ? headline.slower_by(duration(words, -saved)) : headline.slower;
}

/** What a run that is over says of itself: { big, line, more }, plain text; null for a run of 0.1.0 or a stopped one. */
export function told(words, data) {
  const { result, verdict, spoken } = data;
  if (!result || !verdict) return null;
  const said = { ...result, ...spoken }; // in the reader's language where the server told how
  const { headline } = words;
  const joined = (sentences) => (sentences ?? []).map(words.speak).join(headline.between);
  const [reasons, notes] = [joined(spoken?.fallbacks ?? data.fallbacks), joined(said.notes)];
  if (verdict !== "accelerated") {
    const big = capital(verdict === "analysed" ? headline.analysed : headline.native);
    return { big, line: sentence(words, reasons || notes), more: [] };
  }
  const facts = [steps(words, data), headline.risks[result.risk], drift(words, result)];
  const line = facts.filter(Boolean).join(headline.between);
  const big = capital(result.speedup ? best(words, result) : headline.accelerated);
  return { big, line: sentence(words, line), more: remarks(words, result, reasons, notes, words.speak(said.advice)) };
}

/** Against a run in full where one is known. */
function best(words, { speedup, seconds_saved, full_seconds, own_seconds }) {
  if (!full_seconds) return faster(words, speedup, seconds_saved);
  return faster(words, full_seconds / own_seconds, full_seconds - own_seconds);
}

function steps(words, { result, computed_fraction }) {
  const { headline } = words;
  const { steps_computed: full, steps_in_part: part, steps_forecast: forecast } = result;
  const all = full + part + forecast;
  const said = [part ? headline.computed_in_full(full, all) : headline.computed(full, all)];
  if (part) said.push(result.references_frozen ? headline.without_references(part) : headline.in_part(part));
  if (forecast) said.push(headline.forecast(forecast));
  const list = said.join(headline.between_steps);
  return part ? headline.of_the_compute(list, percent(words, computed_fraction)) : list;
}

/** How far the references that were left out had drifted: what is known where no error of the picture is. */
function drift(words, { references_frozen, references_compared, references_drift }) {
  const { headline } = words;
  if (!references_frozen) return "";
  if (references_compared) return headline.drifted(percent(words, references_drift));
  return references_compared === false ? headline.not_compared : ""; // of a run of before it is not known
}

/** Of how many seconds a measured factor is made. */
function measured({ headline, ...words }, { full_seconds, own_seconds }) {
  return headline.measured(duration(words, own_seconds), duration(words, full_seconds));
}

/** The table of a run whose factor was estimated when it was made, with the one that the page has measured since. */
export function measuredRows(words, rows, seconds) {
  const { with_basis: withBasis } = words.headline;
  const isEstimated = ([name, told]) => name?.key === "row_result" && told?.key === "with_basis";
  if (!rows.some(isEstimated)) return rows;
  const result = withBasis(best(words, seconds), measured(words, seconds));
  const others = rows.filter(([name]) => name?.key !== "row_time"); // it is of the same seconds
  return others.map((row) => (isEstimated(row) ? [row[0], result] : row));
}

function remarks(words, result, reasons, notes, advice) {
  const { headline } = words;
  const basis = result.full_seconds ? measured(words, result) : result.speedup && headline.estimated;
  return [
    basis && sentence(words, basis),
    reasons && headline.remark(headline.partly, reasons),
    notes && headline.remark(headline.note, notes),
    advice && headline.remark(headline.advice, advice),
  ].filter(Boolean);
}

function sentence({ headline }, text) {
  return text && (/[.。]$/.test(text) ? capital(text) : headline.sentence(capital(text)));
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** In Latin letters: those of Chinese, Japanese and Korean are as wide as two. */
function widthOf(text) {
  return [...text].reduce((width, letter) => width + (letter > "\u2e80" ? 2 : 1), 0);
}

/** Three elements on the node: one large line, one of facts, and the small print. */
export class Headline {
  constructor(parent) {
    [this.big, this.line, this.more] = ["big", "line", "more"].map((name) => {
      const element = parent.appendChild(document.createElement("div"));
      element.className = `jano-${name}`;
      return element;
    });
    this.height = 0;
  }

  /** All of it, for who does not see it. */
  get text() {
    const [big, ...rest] = [this.big, this.line, this.more].map((part) => part.textContent);
    return [big && `${big}.`, ...rest].filter(Boolean).join(" ");
  }

  show({ big = "", line = "", more = [] }) {
    this.big.textContent = big;
    this.line.textContent = line;
    this.more.textContent = more.join(" ");
    this.big.hidden = !big;
    this.more.hidden = !more.length;
    const parts = [this.big, this.line, this.more];
    const all = parts.map((part) => part.textContent).filter(Boolean).join("\n");
    for (const part of parts) part.title = part === this.more ? part.textContent : all; // small print is not seen from afar
    const lines = Math.min(MOST_LINES, Math.ceil(widthOf(this.more.textContent) / CHARACTERS));
    this.height = (big ? HEIGHTS.big : 0) + lines * HEIGHTS.line;
  }
}
