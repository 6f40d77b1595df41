// How a view sits on its node, in both of the host's renderers: the canvas, and Nodes 2.0 where nodes are elements.

import { app } from "../../scripts/app.js";
import { isOnCanvas, openWorkflow, pathOf, rewrite } from "./workflows.js";

const [GROWS, LOOK_AGAIN] = [2000, 100]; // ms in which a result's picture loads; between two looks
const MARGIN = 20; // pixels that the canvas leaves above and below a view, taken together

/** Put the view that `make` returns below a node's widgets; it is given what to call when it needs more room. */
export function addView(node, name, make) {
  let view = null;
  view = make(() => view && makeRoom(node, view)); // not while it is being made
  const options = { serialize: false, hideOnZoom: false, getMinHeight: () => view.minHeight };
  node.addDOMWidget(name, name, view.element, options).serialize = false;
  view.element.style.minHeight = `${view.minHeight - MARGIN}px`;
  chain(node, "onRemoved", () => {
    if (view.element.isConnected) view.element.dataset.janoLeft = node.id;
    view.dispose();
  });
  return view;
}

export function chain(node, hook, after) {
  const before = node[hook];
  node[hook] = function (...args) {
    const result = before?.apply(this, args);
    after(...args);
    return result;
  };
}

/** Call `after` whenever a node is muted, bypassed or set going again; the host has no event for it. */
export function watchMode(node, after) {
  const { get, set } = Object.getOwnPropertyDescriptor(node, "mode") ?? {};
  let { mode } = node;
  Object.defineProperty(node, "mode", {
    configurable: true,
    enumerable: true,
    get: get ?? (() => mode),
    set(value) {
      mode = value;
      set?.call(this, value);
      after();
    },
  });
}

/** Whether a node is configured as a copy: pasted or cloned ones get an id only later. */
export function isCopy(saved) {
  return saved?.id === undefined || Number(saved.id) === -1;
}

/** Let a node grow where its view no longer fits; it never shrinks below what the user gave it. */
export function makeRoom(node, view) {
  view.element.style.minHeight = `${view.minHeight - MARGIN}px`;
  if (!node.graph) return;
  const needed = node.computeSize()[1];
  if (needed > node.size[1]) {
    node.setSize([node.size[0], needed]);
    rememberHeight(node, needed);
  }
  app.canvas?.setDirty(true, true);
}

/** A node's picture is put below its view when it has loaded, whenever that is: make room for it, too. */
export function keepRoom(node, view) {
  let pictures = null;
  chain(node, "onDrawBackground", () => {
    if (node.imgs === pictures || LiteGraph.vueNodesMode) return;
    pictures = node.imgs;
    requestAnimationFrame(() => makeRoom(node, view)); // by then it has its place
  });
  chain(node, "onExecuted", () => LiteGraph.vueNodesMode && followGrowth(node));
}

/** Nodes 2.0 makes room by itself, as the parts of a result come in: the workflow's past has to know of that, too. */
async function followGrowth(node) {
  let known = node.size[1];
  for (let looks = 0; looks < GROWS / LOOK_AGAIN && node.graph; looks++) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN));
    if (node.size[1] <= known || !node.graph) continue;
    known = node.size[1];
    rememberHeight(node, known);
  }
}

/** That a node is at least as high is no edit of the user's: the workflow knows it so in all of its past. */
function rememberHeight(node, height) {
  const workflow = openWorkflow();
  const grown = ({ size, ...saved }) => ({ ...saved, size: [size[0], Math.max(size[1], height)] });
  if (isOnCanvas(workflow)) rewrite(workflow, pathOf(node), grown);
}

/**
 * A node that samples and then shows a picture: the host goes on showing the sampler's last preview in its place, and
 * has no call of its own to end that. Where its store is another one by now, the preview stays.
 */
export function dropPreviews(node) {
  const store = app.extensionManager?._p?._s?.get("nodeOutput");
  const { graph, id } = node;
  store?.revokePreviewsByLocatorId?.(graph === graph.rootGraph ? String(id) : `${graph.id}:${id}`);
}

/**
 * Nodes 2.0 keeps the element of a node that was loaded anew under its old id, as undo does: put the view that lives
 * in the place of the one that was left.
 */
export async function putInPlace(views) {
  await new Promise(requestAnimationFrame); // by then the host has drawn its nodes
  for (const node of app.canvas?.graph?.nodes ?? []) {
    const element = views.get(node)?.element;
    if (!element || element.isConnected) continue;
    const [kind] = element.classList; // the others tell a state, which the one that was left may not be in
    document.querySelector(`.${kind}[data-jano-left="${CSS.escape(node.id)}"]`)?.replaceWith(element);
  }
}
