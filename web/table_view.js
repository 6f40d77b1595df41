// The table of Jano Report, Jano Compare and what decoders cost on their nodes: two columns of a markdown table, as text.

const ROW = 16; // pixels, until the rows are drawn
const MARGIN = 28; // what lies above and below them

export class TableView {
  constructor(onResize) {
    this.onResize = onResize;
    this.element = document.createElement("div");
    this.element.className = "jano-table";
    this.rows = this.element.appendChild(document.createElement("div"));
    this.height = 0;
    this.observer = new ResizeObserver(() => this.measure()); // lines wrap where the node is narrow
    this.observer.observe(this.rows);
  }

  /** Show the rows "| name | value |" of a markdown table; anything else in it is left out. */
  update(markdown) {
    const lines = String(markdown).split("\n");
    const first = lines.findIndex((line) => line.startsWith("|---")) + 1;
    const rows = lines.slice(first).filter((line) => line.startsWith("| ")).map((line) => line.replace(/^\| | \|$/g, "").split(" | "));
    this.rows.replaceChildren();
    for (const [name, ...value] of rows) {
      const row = this.rows.appendChild(document.createElement("div"));
      row.appendChild(document.createElement("b")).textContent = name;
      row.appendChild(document.createElement("span")).textContent = value.join(" | ");
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
