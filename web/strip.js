// The steps of a run: a cell for each, and what the kinds of cells are. Worked by pointer, touch and keys.

import { keepEvents, legendEntry, make } from "./element.js";

const MOST_CELLS = 200; // longer runs show several steps in one
const PAGE = 5; // steps that Page Up and Page Down go

export class Strip {
  /** `onChoose` gets a step, or null for the whole run. */
  constructor(words, parent, onChoose) {
    this.words = words;
    this.onChoose = onChoose;
    this.steps = [];
    this.count = 0;
    this.chosen = null;
    this.cells = make("div", "jano-strip", parent);
    this.cells.tabIndex = 0;
    this.cells.setAttribute("role", "slider");
    this.cells.setAttribute("aria-label", words.steps);
    const row = make("div", "jano-row", parent);
    this.legend = make("div", "jano-legend jano-kinds", row);
    this.back = make("button", "jano-whole", row);
    Object.assign(this.back, { type: "button", textContent: words.whole });
    this.listen();
  }

  listen() {
    [this.cells, this.back].forEach(keepEvents);
    this.cells.addEventListener("pointerdown", (event) => {
      const step = this.stepAt(event);
      this.onChoose(step === this.chosen ? null : step);
      if (event.isTrusted) this.cells.setPointerCapture(event.pointerId);
    });
    this.cells.addEventListener("pointermove", (event) => event.buttons && this.onChoose(this.stepAt(event)));
    this.cells.addEventListener("keydown", (event) => this.onKey(event));
    this.back.addEventListener("click", () => {
      this.cells.focus(); // the button goes
      this.onChoose(null);
    });
  }

  onKey(event) {
    const last = this.steps.length - 1;
    const now = this.chosen ?? last;
    const [back, on] = [now - 1, now + 1];
    const to = {
      ArrowLeft: back, ArrowDown: back, ArrowRight: on, ArrowUp: on,
      PageDown: now - PAGE, PageUp: now + PAGE, Home: 0, End: last, Escape: null,
    }[event.key];
    if (to === undefined || last < 0) return;
    event.preventDefault();
    this.onChoose(to === null ? null : Math.min(last, Math.max(0, to)));
  }

  stepAt(event) {
    const { left, width } = this.cells.getBoundingClientRect();
    const step = Math.floor(((event.clientX - left) / width) * this.count);
    return Math.min(this.steps.length - 1, Math.max(0, step));
  }

  /**
   * Show a run's steps, of which `count` are planned; `chosen` by the user and `shown` (the same, or the last one of a
   * run that goes on) may be null. `tell` says what there is to know of a step.
   */
  show({ steps, count, chosen, shown, tell }) {
    Object.assign(this, { steps, count, chosen });
    const drawn = Math.min(count, MOST_CELLS);
    while (this.cells.childElementCount > drawn) this.cells.lastElementChild.remove();
    while (this.cells.childElementCount < drawn) make("span", "", this.cells);
    const marked = shown === null ? -1 : Math.floor((shown * drawn) / count);
    [...this.cells.children].forEach((cell, index) => {
      const step = Math.floor((index * count) / drawn);
      const kind = steps[step]?.kind;
      cell.className = kind ? `jano-${kind}` : "";
      cell.classList.toggle("jano-chosen", index === marked);
      cell.title = kind ? tell(step) : "";
    });
    const now = shown ?? steps.length - 1;
    for (const [name, value] of Object.entries({ valuemin: 1, valuemax: count, valuenow: now + 1 })) {
      this.cells.setAttribute(`aria-${name}`, value);
    }
    this.cells.setAttribute("aria-valuetext", chosen === null ? this.words.whole : tell(chosen));
    this.back.hidden = chosen === null;
    this.showLegend();
  }

  /** The kinds of steps that there are, and how many of each. */
  showLegend() {
    this.legend.replaceChildren();
    for (const [kind, name] of Object.entries(this.words.cells)) {
      const count = this.steps.filter((step) => step.kind === kind).length;
      if (count) legendEntry(this.legend, `jano-${kind}`, `${count} ${name}`);
    }
  }
}
