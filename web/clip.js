// The latent frames of a clip: a slider, and a button that plays them, or goes on by one where motion is unwelcome.

import { keepEvents, make } from "./element.js";

const A_FRAME = 160; // ms
const STILL = "(prefers-reduced-motion: reduce)";

export class Clip {
  /** `onFrame` gets the frame that is to be shown. */
  constructor(words, parent, onFrame) {
    this.words = words;
    this.onFrame = onFrame;
    this.frame = 0;
    this.count = 1;
    this.timer = null;
    this.element = make("div", "jano-row jano-clip", parent);
    this.button = make("button", "jano-play", this.element);
    this.button.type = "button";
    this.slider = make("input", "jano-frames", this.element);
    Object.assign(this.slider, { type: "range", min: 0, step: 1 });
    this.slider.setAttribute("aria-label", words.frames);
    [this.button, this.slider].forEach(keepEvents);
    this.button.addEventListener("click", () => this.onButton());
    this.slider.addEventListener("input", () => {
      this.pause();
      this.go(Number(this.slider.value));
    });
  }

  /** Show that there are so many frames; the one that is seen stays if it can. */
  show(count) {
    this.count = count;
    this.element.hidden = count < 2;
    if (count < 2) this.pause();
    this.frame = Math.min(this.frame, count - 1);
    Object.assign(this.slider, { max: count - 1, value: this.frame, title: this.words.frame(this.frame + 1, count) });
    this.slider.setAttribute("aria-valuetext", this.slider.title);
    const name = this.words[this.does];
    this.button.title = name;
    this.button.setAttribute("aria-label", name);
    this.button.dataset.does = this.does;
  }

  /** What the button does. */
  get does() {
    if (this.isStill) return "next";
    return this.timer === null ? "play" : "pause";
  }

  get isStill() {
    return window.matchMedia(STILL).matches;
  }

  onButton() {
    if (this.isStill) this.goOn();
    else if (this.timer === null) this.play();
    else this.pause();
  }

  play() {
    this.timer = setInterval(() => (this.element.isConnected && !this.isStill ? this.goOn() : this.pause()), A_FRAME);
    this.show(this.count);
  }

  pause() {
    if (this.timer === null) return;
    clearInterval(this.timer);
    this.timer = null;
    this.show(this.count);
  }

  goOn() {
    this.go((this.frame + 1) % this.count);
  }

  go(frame) {
    this.frame = frame;
    this.onFrame(frame);
  }
}
