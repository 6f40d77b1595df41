// Seen from afar, as a workflow that was fitted to the window is, a view says less in larger letters (far.css).

import { app } from "../../scripts/app.js";

const FAR = 0.75; // below this scale 12 pixels are fewer than 9 on the screen

/** Mark the page whenever the canvas comes to be seen from afar, and when no longer. */
export function watchZoom() {
  const { ds } = app.canvas ?? {};
  if (!ds) return;
  const mark = () => document.documentElement.classList.toggle("jano-far", ds.scale < FAR);
  const before = ds.onChanged;
  ds.onChanged = function (...args) {
    before?.apply(this, args);
    mark();
  };
  mark();
}
