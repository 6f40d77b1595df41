// The table of Jano Report, Jano Compare and what decoders cost on their nodes: two columns of a markdown table, as text.

const ROW = 16; // pixels, until the rows are drawn
const MARGIN = 28; // what lies above and below them

export class TableView {
  constructor(words, onResize) {
    this.words = words;
    this.onResize = onResize;
    this.element = document.createElement("div");
    this.element.className = "jano-table";
    this.rows = this.element.appendChild(document.createElement("div"));
    this.height = 0;
    this.observer = new ResizeObserver(() => this.measure()); // lines wrap where the node is narrow
    this.observer.observe(this.rows);
  }

  /** Show a table: its rows as sentences [name, value] where the server tells them, else those of its markdown. */
  update({ text, table }) {
    const rows = table ?? rowsOf(text);
    this.rows.replaceChildren();
    for (const row of rows) {
      const line = this.rows.appendChild(document.createElement("div"));
      const [name, value] = row.map((told) => this.words.speak(told));
      line.appendChild(document.createElement("b")).textContent = name;
      line.appendChild(document.createElement("span")).textContent = value;
    }
    this.resize(this.rows.offsetHeight || rows.length * ROW);
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

/** Name and value of the rows "| name | value |" of a markdown table; anything else in it is left out. */
function rowsOf(markdown) {
  const lines = markdown.split("\n");
  const first = lines.findIndex((line) => line.startsWith("|---")) + 1;
  const rows = lines.slice(first).filter((line) => line.startsWith("| "));
  return rows.map((line) => line.replace(/^\| | \|$/g, "").split(" | ")).map(([name, ...value]) => [name, value.join(" | ")]);
}
