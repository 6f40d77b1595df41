// The table of Jano Report, Jano Compare, Jano Sweep and what decoders cost on their nodes: a markdown table, as text.
// Tables of more than two columns have a heading, and a button that copies all of it.

import { measuredRows } from "./headline.js";

const ROW = 17; // pixels, until the rows are drawn
const MARGIN = 28; // what lies above and below them
const TOLD = 2000; // ms that the button says what it did

export class TableView {
  constructor(words, onResize) {
    this.words = words;
    this.onResize = onResize;
    this.element = document.createElement("div");
    this.element.className = "jano-table";
    this.rows = this.element.appendChild(document.createElement("div"));
    this.rows.setAttribute("role", "table");
    this.height = 0;
    this.observer = new ResizeObserver(() => this.measure()); // lines wrap where the node is narrow
    this.observer.observe(this.rows);
    this.update(null);
  }

  /**
   * Show a table: its rows as sentences where the server tells them, else those of its markdown; anything else in that
   * is left out, but copied. Null for no table yet.
   */
  update(shown) {
    this.element.classList.toggle("jano-waiting", !shown);
    if (shown) return this.draw(shown.data);
    this.rows.classList.remove("jano-wide");
    this.rows.replaceChildren(this.words.table.waiting);
    this.resize(this.rows.offsetHeight || 2 * ROW);
  }

  draw({ text, table, measured }) {
    const told = table && measured ? measuredRows(this.words, table, measured) : table;
    const rows = told ? told.map((row) => row.map(this.words.speak)) : rowsOf(text);
    const isWide = rows[0]?.length > 2; // then the first is a heading
    this.rows.replaceChildren();
    this.rows.classList.toggle("jano-wide", isWide);
    if (isWide) this.drawWide(rows, text);
    else rows.forEach((cells) => this.drawRow(cells));
    this.resize(this.drawnHeight() || (rows.length + 2) * ROW);
  }

  drawRow(cells) {
    const row = this.rows.appendChild(document.createElement("div"));
    row.setAttribute("role", "row");
    cells.forEach((text, column) => {
      const cell = row.appendChild(document.createElement(column ? "span" : "b"));
      cell.setAttribute("role", column ? "cell" : "rowheader");
      cell.textContent = text;
    });
    return row;
  }

  drawWide([[, ...names], ...rows], markdown) {
    const words = this.words.table;
    this.rows.style.setProperty("--columns", names.length);
    this.drawRow(["", ...names]).className = "jano-heading";
    for (const cells of rows) this.drawRow(cells);
    const button = this.rows.appendChild(document.createElement("button"));
    button.type = "button";
    button.setAttribute("aria-live", "polite"); // it says what it did
    button.textContent = words.copy;
    button.addEventListener("click", async () => {
      button.textContent = (await copied(markdown)) ? words.copied : words.not_copied;
      setTimeout(() => (button.textContent = words.copy), TOLD);
    });
  }

  measure() {
    const height = this.drawnHeight();
    if (height) this.resize(height);
  }

  /** The rows' height as read from near: a node does not grow with the letters that are read from afar. */
  drawnHeight() {
    this.element.classList.add("jano-near");
    const { offsetHeight } = this.rows;
    this.element.classList.remove("jano-near");
    return offsetHeight;
  }

  resize(height) {
    if (height === this.height) return;
    this.height = height;
    this.onResize();
  }

  dispose() {
    this.observer.disconnect();
    this.element.replaceChildren();
  }

  get minHeight() {
    return this.height && this.height + MARGIN;
  }
}

/** The rows of a markdown table: [name, value] each, or of a wide one all cells, its heading first. */
function rowsOf(markdown) {
  const lines = markdown.split("\n");
  const first = lines.findIndex((line) => line.startsWith("|---")) + 1;
  const rows = lines.slice(first).filter((line) => line.startsWith("| ")).map(cellsOf);
  const heading = cellsOf(lines[first - 2] ?? "");
  return heading.length > 2 ? [heading, ...rows] : rows.map(([name, ...value]) => [name, value.join(" | ")]);
}

function cellsOf(line) {
  return line.replace(/^\| | ?\|$/g, "").split(" | ").map((cell) => cell.trim());
}

/** Whether a text is in the clipboard now; pages that are not served safely have none. */
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
