// The steps of a run as a chart, in the theme's own colours: what each took, and what its forecasts cost the picture.

import { make } from "./element.js";
import { percent } from "./numbers.js";

const LOWEST = 0.001; // where the scale of costs begins; it is logarithmic. As in jano/show/chart.py
const HEADROOM = 1.2; // above the largest of them
const LEAST = 2; // per cent of the height that a bar has, so that it is seen

export class StepChart {
  constructor(words, parent) {
    this.words = words;
    this.element = make("div", "jano-chart", parent);
    this.element.setAttribute("role", "img");
    this.element.hidden = true;
  }

  /** Show [{ kind, seconds, cost, tolerance }] of each step; `cost` and `tolerance` are null where there was none. */
  show(steps) {
    const { chart } = this.words;
    this.element.replaceChildren();
    this.element.hidden = !steps.length;
    if (!steps.length) return;
    const most = Math.max(...steps.map(({ seconds }) => seconds));
    this.panel(chart.seconds, steps, [this.seconds(most)], (cell, { kind, seconds }) => {
      make("i", `jano-${kind}`, cell).style.height = `${Math.max(LEAST, most ? (100 * seconds) / most : 0)}%`;
    });
    this.showCosts(steps);
    this.element.setAttribute("aria-label", [chart.alt, ...steps.map((step, index) => this.tell(step, index))].join(". "));
  }

  showCosts(steps) {
    const costs = steps.flatMap(({ cost, tolerance }) => [cost, tolerance]).filter((share) => share !== null);
    if (!steps.some(({ cost }) => cost !== null)) return;
    const most = HEADROOM * Math.max(LOWEST, ...costs);
    const place = (share) => `${(100 * Math.max(0, Math.log(share / LOWEST))) / Math.log(most / LOWEST)}%`;
    const marks = [LOWEST, most / HEADROOM].map((share) => percent(this.words, share));
    const { chart } = this.words;
    const panel = this.panel(chart.cost, steps, marks.reverse(), (cell, { cost, tolerance }) => {
      if (tolerance) make("i", "jano-limit", cell).style.bottom = place(tolerance);
      if (cost !== null) make("i", "jano-cost", cell).style.bottom = place(cost);
    });
    const heading = panel.querySelector("b");
    heading.firstChild.className = "jano-name";
    const limit = make("span", "jano-entry", heading);
    make("i", "jano-limit", limit);
    limit.append(chart.tolerance);
  }

  /** A heading, the ends of the scale, and a cell a step that `draw` fills. */
  panel(name, steps, marks, draw) {
    const panel = make("div", "jano-figure", this.element);
    make("span", "", make("b", "", panel)).textContent = name;
    const axis = make("div", "jano-axis", panel);
    for (const mark of marks) make("span", "", axis).textContent = mark;
    const cells = make("div", "jano-cells", panel);
    steps.forEach((step, index) => {
      const cell = make("span", "", cells);
      cell.title = this.tell(step, index);
      draw(cell, step);
    });
    return panel;
  }

  tell({ kind, seconds, cost }, index) {
    const { strip, chart } = this.words;
    const parts = [strip.short(index + 1, strip.cells[kind] ?? kind), this.seconds(seconds)];
    if (cost !== null) parts.push(chart.cost_was(percent(this.words, cost)));
    return parts.join(" · ");
  }

  seconds(seconds) {
    return this.words.numbers.seconds(seconds.toPrecision(seconds < 1 ? 2 : 3));
  }
}
