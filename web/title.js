// The title bar's colour tells how the last run went. The page alone knows it: nothing of it is saved, and the colour
// that a user gave the node is left as it is. In Nodes 2.0 the style sheet does this by what the view says of itself.

import { app } from "../../scripts/app.js";

// Dark enough for the host's light title, light enough for its dark one (a test computes the contrast).
export const COLOURS = {
  dark: { accelerated: "#0d3a21", partly: "#443208", native: "#34343b", error: "#5c1519" },
  light: { accelerated: "#a9d8b8", partly: "#ecd08a", native: "#c9c9d0", error: "#f0b3b3" },
};

/** Let `state` colour a node's title on the canvas; empty for the node's own colour. */
export function colourTitle(node, state) {
  const colour = () => COLOURS[document.documentElement.classList.contains("dark-theme") ? "dark" : "light"][state()];
  const { get } = property(Object.getPrototypeOf(node), "renderingColor") ?? {};
  if (!get) return; // another frontend: no colour
  Object.defineProperty(node, "renderingColor", { configurable: true, get: () => colour() ?? get.call(node) });
}

/** Draw the canvas again, where a title may have another colour now. */
export function redraw() {
  app.canvas?.setDirty(true, true);
}

function property(prototype, name) {
  if (!prototype) return undefined;
  return Object.getOwnPropertyDescriptor(prototype, name) ?? property(Object.getPrototypeOf(prototype), name);
}
