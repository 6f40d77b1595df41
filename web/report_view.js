// Jano Report on its node: the table, and below it the chart of the steps.

import { StepChart } from "./chart.js";
import { TableView } from "./table_view.js";

const CHART = 190; // pixels that the chart has at least
const MOST_TABLE = 250; // pixels that the node grows for beside a chart: a longer table is scrolled

export class ReportView {
  constructor(words, onResize) {
    this.onResize = onResize;
    this.element = document.createElement("div");
    this.element.className = "jano-report";
    this.table = new TableView(words, onResize);
    this.element.appendChild(this.table.element);
    this.chart = new StepChart(words, this.element);
  }

  /** Show what the node gave to the page: its table, and its steps where it ran with any. Null for no table yet. */
  update(shown) {
    const { minHeight } = this;
    this.chart.show(shown?.steps ?? []);
    this.table.update(shown);
    if (this.minHeight !== minHeight) this.onResize();
  }

  dispose() {
    this.table.dispose();
    this.element.replaceChildren();
  }

  get minHeight() {
    const { minHeight: table } = this.table;
    return this.chart.element.hidden ? table : Math.min(table, MOST_TABLE) + CHART;
  }
}
