// What a run did, in words: the factor and the seconds saved, large; under it the steps and the risk, and then where the
// numbers are from, notes and advice. The same as jano/show/headline.py says of the same numbers (a test holds them
// equal), until a run in full is known to measure against.

export const NOTICEABLE = 0.05; // as there
const SHORTEST = 0.05; // seconds
const CHARACTERS = 50; // about as many fit into a line of a node as wide as it is made
const HEIGHTS = { big: 28, line: 15 }; // pixels
const MOST_LINES = 6;

/** A speed-up as "2.2x". */
export function times(factor) {
  return `${rounded(factor, factor < 9.95 ? 1 : 0)}x`;
}

/** As "3.4 s", "41 s", "3 min 20 s" or "2 h 5 min". */
export function duration(seconds) {
  if (seconds < 9.95) return `${rounded(seconds, 1)} s`;
  const whole = Math.floor(seconds + 0.5);
  if (whole < 120) return `${whole} s`;
  const minutes = Math.floor(seconds / 60 + 0.5);
  return whole < 3600 ? `${Math.floor(whole / 60)} min ${whole % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** As "39 %"; all and nothing are said only of all and of nothing. */
export function percent(share) {
  if (share === 0 || share === 1) return `${100 * share} %`;
  if (share < 0.0005) return "under 0.1 %";
  if (share < 0.01) return `${rounded(100 * share, 1)} %`;
  return share >= 0.995 && share < 1 ? "over 99 %" : `${rounded(100 * share, 0)} %`;
}

function rounded(value, digits) {
  const scale = 10 ** digits;
  return (Math.floor(value * scale + 0.5) / scale).toFixed(digits);
}

/** A speed-up and the seconds that it saved. */
export function faster(words, speedup, saved) {
  if (speedup >= 1 + NOTICEABLE) return words.faster(times(speedup), saved >= SHORTEST ? duration(saved) : null);
  if (speedup > 1 - NOTICEABLE) return words.level;
  return words.slower(saved <= -SHORTEST ? duration(-saved) : null);
}

/** What a run that is over says of itself: { big, line, more }, plain text; null for a run of 0.1.0 or a stopped one. */
export function told(words, data) {
  const { result, verdict } = data;
  if (!result || !verdict) return null;
  const reasons = (data.fallbacks ?? []).join("; ");
  if (verdict !== "accelerated") {
    return { big: verdict === "analysed" ? words.analysed : words.native, line: sentence(reasons || result.notes.join("; ")), more: [] };
  }
  const line = [steps(words, data), risk(words, result)].filter(Boolean).join("; ");
  return { big: result.speedup ? capital(best(words, result)) : words.accelerated, line: sentence(line), more: remarks(words, data, reasons) };
}

/** Against a run in full where one is known. */
function best(words, { speedup, seconds_saved, full_seconds, own_seconds }) {
  if (!full_seconds) return faster(words, speedup, seconds_saved);
  return faster(words, full_seconds / own_seconds, full_seconds - own_seconds);
}

function steps(words, { result, computed_fraction }) {
  const { steps_computed: full, steps_in_part: part, steps_forecast: forecast } = result;
  const said = [words.computed(full, full + part + forecast, part > 0)];
  if (part) said.push(result.references_frozen ? words.without_references(part) : words.in_part(part));
  if (forecast) said.push(words.forecast(forecast));
  return said.join(", ") + (part ? ` (${words.of_the_compute(percent(computed_fraction))})` : "");
}

function risk(words, { risk, largest_forecast_error }) {
  return words.risks[risk] && words.risk(words.risks[risk], percent(largest_forecast_error ?? 0));
}

function remarks(words, { result }, reasons) {
  const { full_seconds, own_seconds, notes, advice, speedup } = result;
  const basis = full_seconds ? words.measured(duration(own_seconds), duration(full_seconds)) : speedup && words.estimated;
  return [
    basis && sentence(basis),
    reasons && `${words.partly}: ${reasons}.`,
    notes.length && `${words.note}: ${notes.join("; ")}.`,
    advice && `${words.advice}: ${advice}.`,
  ].filter(Boolean);
}

function sentence(text) {
  return text && `${capital(text)}${/[.。]$/.test(text) ? "" : "."}`;
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
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

  get text() {
    return [this.big, this.line].map((part) => part.textContent).filter(Boolean).join(". ");
  }

  show({ big = "", line = "", more = [] }) {
    this.big.textContent = big;
    this.line.textContent = line;
    this.more.textContent = more.join(" ");
    this.big.hidden = !big;
    this.more.hidden = !more.length;
    for (const part of [this.big, this.line, this.more]) part.title = part.textContent;
    const lines = Math.min(MOST_LINES, Math.ceil(this.more.textContent.length / CHARACTERS));
    this.height = (big ? HEIGHTS.big : 0) + lines * HEIGHTS.line;
  }
}
