// The table of Jano Report and Jano Compare on their nodes: two columns of a markdown table, as text.

export const MIN_HEIGHT = { empty: 0, row: 16 };

export class TableView {
  constructor() {
    this.element = document.createElement("div");
    this.element.className = "jano-table";
    this.rows = 0;
  }

  /** Show the rows "| name | value |" of a markdown table; anything else in it is left out. */
  show(markdown) {
    const lines = String(markdown).split("\n").slice(2);
    const rows = lines.map((line) => line.replace(/^\| | \|$/g, "").split(" | "));
    this.rows = rows.length;
    this.element.replaceChildren();
    for (const [name, ...value] of rows) {
      const row = this.element.appendChild(document.createElement("div"));
      row.appendChild(document.createElement("b")).textContent = name;
      row.appendChild(document.createElement("span")).textContent = value.join(" | ");
    }
  }

  get minHeight() {
    return this.rows ? 8 + this.rows * MIN_HEIGHT.row : MIN_HEIGHT.empty;
  }
}
