// What a node that ends in a table shows, and what of that is kept in the workflow: the table and the steps of its chart,
// not the pictures, which the server forgets. The file may be anybody's: every field is looked at before any is used.

import { isList, isMeasure, isObject, KINDS, missingOr } from "./saved_run.js";
import { isTold } from "./told.js";

export const TABLE_PROPERTY = "jano_table";
const MOST_CHARACTERS = 30_000; // a saved workflow travels inside of every picture
const DIGITS = 4; // of a figure of the chart
const isSeconds = (value) => Number.isFinite(value) && value > 0;
const isText = (value) => typeof value === "string";

export class ShownTable {
  /**
   * `node` is the id of the node, `steps` are those of the chart. Not saved: the id of the `run` that the table is of, and
   * `pictures` that are compared.
   */
  constructor(node, text, table, { run = null, pictures = null, steps = [] } = {}) {
    this.data = { version: 1, node, text, table: areRows(table) ? table : null, measured: null };
    this.run = run;
    this.pictures = pictures;
    this.steps = areSteps(steps) ? steps.map(figures) : [];
    this.ended = true;
  }

  /** From a saved property of the node with this id; null for what does not fit, or is another node's. */
  static from(saved, node) {
    const { version, node: of, text, table = null, measured = null, steps = [] } = saved ?? {};
    if (version !== 1 || String(of) !== String(node) || !isText(text)) return null;
    if (!(table === null || areRows(table)) || !isMeasured(measured) || !areSteps(steps)) return null;
    const shown = new ShownTable(of, text, table, { steps });
    shown.compare(measured);
    return shown.saved() && shown;
  }

  /** A run in full of the same is known: { full_seconds, own_seconds }; null for none. */
  compare(measured) {
    this.data.measured = measured && { full_seconds: measured.full_seconds, own_seconds: measured.own_seconds };
  }

  /** Plain JSON for the workflow, without the steps where it would be large; undefined where it is so even then. */
  saved() {
    const whole = this.steps.length ? { ...this.data, steps: this.steps } : this.data;
    const text = [whole, this.data].map((data) => JSON.stringify(data)).find(({ length }) => length <= MOST_CHARACTERS);
    return text && JSON.parse(text);
  }
}

function isMeasured(measured) {
  return measured === null || (isSeconds(measured.full_seconds) && isSeconds(measured.own_seconds));
}

/** What the chart is drawn from, see chart.js. */
function areSteps(steps) {
  const isFigure = missingOr(isMeasure);
  const fits = (step) =>
    isObject(step) && KINDS.has(step.kind) && isMeasure(step.seconds) && isFigure(step.cost) && isFigure(step.tolerance);
  return isList(steps, MOST_CHARACTERS, fits);
}

/** Those of a step that are shown, as exact as they are. */
function figures({ kind, seconds, cost = null, tolerance = null }) {
  const rounded = (value) => (value === null ? null : Number(value.toPrecision(DIGITS)));
  return { kind, seconds: rounded(seconds), cost: rounded(cost), tolerance: rounded(tolerance) };
}

/** Rows of sentences, all of one length. */
function areRows(table) {
  const isRow = (row) => Array.isArray(row) && row.length > 1 && row.every((told) => isTold(told));
  return Array.isArray(table) && table.every((row) => isRow(row) && row.length === table[0].length);
}
