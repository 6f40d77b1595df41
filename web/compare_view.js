// Jano Compare on its node: both pictures under a line that the pointer moves, in either of the host's renderers (the
// host's own slider is drawn in Nodes 2.0 alone), and the table below.

import { api } from "../../scripts/api.js";
import { TableView } from "./table_view.js";

const STAGE = 220; // pixels that pictures have at least
const STEP = 5; // per cent of the width that an arrow key moves the line

export class CompareView {
  constructor(words, onResize) {
    this.words = words.compare;
    this.onResize = () => requestAnimationFrame(onResize);
    this.element = document.createElement("div");
    this.element.className = "jano-compare";
    this.stage = this.element.appendChild(this.makeStage());
    this.frames = this.element.appendChild(document.createElement("label"));
    this.chosen = this.frames.appendChild(document.createElement("input"));
    Object.assign(this.chosen, { type: "range", min: 0, value: 0 });
    this.chosen.setAttribute("aria-label", words.compare.frames);
    this.chosen.addEventListener("input", () => this.draw());
    this.caption = this.frames.appendChild(document.createElement("span"));
    this.table = new TableView(words, onResize);
    this.element.appendChild(this.table.element);
    this.stage.hidden = this.frames.hidden = true;
    this.moveTo(50);
  }

  makeStage() {
    const stage = document.createElement("div");
    stage.className = "jano-stage";
    stage.tabIndex = 0;
    stage.setAttribute("role", "slider");
    stage.setAttribute("aria-label", this.words.slider);
    stage.setAttribute("aria-valuemin", 0);
    stage.setAttribute("aria-valuemax", 100);
    this.b = stage.appendChild(new Image());
    this.b.addEventListener("load", this.onResize); // by then the host has its picture below the view
    this.a = stage.appendChild(new Image());
    this.line = stage.appendChild(document.createElement("i"));
    for (const [picture, name] of [[this.a, this.words.reference], [this.b, this.words.image]]) {
      picture.alt = name;
      picture.draggable = false;
      stage.appendChild(document.createElement("span")).textContent = name;
    }
    stage.addEventListener("pointermove", (event) => {
      const { left, width } = stage.getBoundingClientRect();
      if (width) this.moveTo((100 * (event.clientX - left)) / width);
    });
    stage.addEventListener("keydown", (event) => {
      const { place } = this;
      const to = {
        ArrowLeft: place - STEP, ArrowDown: place - STEP, ArrowRight: place + STEP, ArrowUp: place + STEP, Home: 0, End: 100,
      }[event.key];
      if (to === undefined) return;
      this.moveTo(to);
      event.preventDefault();
      event.stopPropagation(); // the canvas moves nodes by these keys
    });
    return stage;
  }

  /** Show the reference left of `place` per cent of the width, and the image right of it. */
  moveTo(place) {
    this.place = Math.max(0, Math.min(100, place));
    this.a.style.clipPath = `inset(0 ${100 - this.place}% 0 0)`;
    this.line.style.left = `${this.place}%`;
    const share = Math.round(this.place);
    this.stage.setAttribute("aria-valuenow", share);
    this.stage.setAttribute("aria-valuetext", this.words.place(this.words.reference, share, this.words.image, 100 - share));
  }

  /** Show what the node gave to the page: its table, and pictures with their numbers, which a saved table has not. */
  update(shown) {
    this.table.update(shown);
    this.shown = shown?.pictures;
    this.stage.hidden = this.frames.hidden = !this.shown;
    if (!this.shown) return;
    const { a, frames, worst } = this.shown;
    this.frames.hidden = a.length < 2;
    this.chosen.max = a.length - 1;
    this.chosen.value = Math.max(0, frames.indexOf(worst)); // there most is to be seen
    this.draw();
  }

  draw() {
    const at = Number(this.chosen.value);
    const { a, b, frames, worst } = this.shown;
    this.a.src = urlOf(a[at]);
    this.b.src = urlOf(b[at]);
    const { frame, worst: worstFrame } = this.words;
    this.caption.textContent = (frames[at] === worst ? worstFrame : frame)(frames[at]);
  }

  dispose() {
    this.table.dispose();
    this.element.replaceChildren();
  }

  get minHeight() {
    return this.table.minHeight + (this.shown ? STAGE : 0);
  }
}

function urlOf({ filename, subfolder, type }) {
  return api.apiURL(`/view?${new URLSearchParams({ filename, subfolder, type })}`);
}
