// The table of Jano Report, Jano Compare, Jano Sweep and what decoders cost on their nodes: a markdown table, as text.
// Tables of more than two columns have a heading, and a button that copies all of it.

const ROW = 16; // pixels, until the rows are drawn
const MARGIN = 28; // what lies above and below them
const TOLD = 2000; // ms that the button says what it did

export class TableView {
  constructor(onResize, words) {
    this.onResize = onResize;
    this.words = words;
    this.element = document.createElement("div");
    this.element.className = "jano-table";
    this.rows = this.element.appendChild(document.createElement("div"));
    this.height = 0;
    this.observer = new ResizeObserver(() => this.measure()); // lines wrap where the node is narrow
    this.observer.observe(this.rows);
  }

  /** Show the rows of a markdown table; anything else in it is left out, but copied. */
  update(markdown) {
    const lines = String(markdown).split("\n");
    const first = lines.findIndex((line) => line.startsWith("|---")) + 1;
    const rows = lines.slice(first).filter((line) => line.startsWith("| ")).map(cellsOf);
    const heading = cellsOf(lines[first - 2] ?? "");
    this.rows.replaceChildren();
    this.rows.classList.toggle("jano-wide", heading.length > 2);
    if (heading.length > 2) this.drawWide(heading, rows, String(markdown));
    else for (const [name, ...value] of rows) this.drawRow([name, value.join(" | ")]);
    this.resize(this.rows.offsetHeight || (rows.length + 2) * ROW);
  }

  drawRow(cells) {
    const row = this.rows.appendChild(document.createElement("div"));
    cells.forEach((cell, column) => {
      row.appendChild(document.createElement(column ? "span" : "b")).textContent = cell;
    });
    return row;
  }

  drawWide([, ...names], rows, markdown) {
    this.rows.style.setProperty("--columns", names.length);
    this.drawRow(["", ...names]).className = "jano-heading";
    for (const cells of rows) this.drawRow(cells);
    const button = this.rows.appendChild(document.createElement("button"));
    button.textContent = this.words.copy;
    button.addEventListener("click", async () => {
      button.textContent = (await copied(markdown)) ? this.words.copied : this.words.notCopied;
      setTimeout(() => (button.textContent = this.words.copy), TOLD);
    });
  }

  measure() {
    if (this.rows.offsetHeight) this.resize(this.rows.offsetHeight);
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
