// What a node that ends in a table shows, and what of that is kept in the workflow: the table, not the pictures, which
// the server forgets. The file may be anybody's: every field is looked at before any is used.

import { isTold } from "./told.js";

export const TABLE_PROPERTY = "jano_table";
const MOST_CHARACTERS = 30_000; // a saved workflow travels inside of every picture
const isSeconds = (value) => Number.isFinite(value) && value > 0;
const isText = (value) => typeof value === "string";

export class ShownTable {
  /**
   * `node` is the id of the node. Not saved: the id of the `run` that the table is of, `pictures` that are compared,
   * `steps` of the chart.
   */
  constructor(node, text, table, { run = null, pictures = null, steps = [] } = {}) {
    this.data = { version: 1, node, text, table: areRows(table) ? table : null, measured: null };
    this.run = run;
    this.pictures = pictures;
    this.steps = steps;
    this.ended = true;
  }

  /** From a saved property of the node with this id; null for what does not fit, or is another node's. */
  static from(saved, node) {
    const { version, node: of, text, table = null, measured = null } = saved ?? {};
    if (version !== 1 || String(of) !== String(node) || !isText(text)) return null;
    if (!(table === null || areRows(table)) || !isMeasured(measured)) return null;
    const shown = new ShownTable(of, text, table);
    shown.compare(measured);
    return shown.saved() && shown;
  }

  /** A run in full of the same is known: { full_seconds, own_seconds }; null for none. */
  compare(measured) {
    this.data.measured = measured && { full_seconds: measured.full_seconds, own_seconds: measured.own_seconds };
  }

  /** Plain JSON for the workflow; undefined where that would be large. */
  saved() {
    const text = JSON.stringify(this.data);
    return text.length <= MOST_CHARACTERS ? JSON.parse(text) : undefined;
  }
}

function isMeasured(measured) {
  return measured === null || (isSeconds(measured.full_seconds) && isSeconds(measured.own_seconds));
}

/** Rows of sentences, all of one length. */
function areRows(table) {
  const isRow = (row) => Array.isArray(row) && row.length > 1 && row.every((told) => isTold(told));
  return Array.isArray(table) && table.every((row) => isRow(row) && row.length === table[0].length);
}
