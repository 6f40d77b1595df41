// Which workflow queued which prompt, and how the page writes into a workflow without making an edit of it.
// A workflow is one of the host's tabs; node ids repeat from one to the next, prompt ids never do.

import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";

const STORED = "Jano.queued"; // in sessionStorage: [prompt id, path of its workflow], for a page that is loaded again
const MOST_PROMPTS = 100;
const LOOK_AGAIN = 50; // ms

const queued = new Map(); // prompt id -> workflow
const queueing = new Set(); // workflows whose prompt has no id yet
const paths = new Map(storedPaths());

/**
 * Keep from now on which workflow queued which prompt; `onQueued` hears its id, and its nodes as the server has them,
 * `onJudged` what the server refuses of it, by the id of a node.
 */
export function watchQueue(onQueued = () => {}, onJudged = () => {}) {
  const queuePrompt = api.queuePrompt;
  api.queuePrompt = async function (...args) {
    const request = { workflow: openWorkflow() };
    queueing.add(request);
    try {
      const answer = await queuePrompt.apply(this, args);
      if (answer?.prompt_id) remember(answer.prompt_id, request.workflow);
      if (answer?.prompt_id) onQueued(answer.prompt_id, args[1]?.output);
      onJudged(answer?.node_errors);
      return answer;
    } catch (error) {
      onJudged(error?.response?.node_errors);
      throw error;
    } finally {
      queueing.delete(request);
    }
  };
}

/** The workflow whose tab is open, null where the host has no tabs. */
export function openWorkflow() {
  return app.extensionManager?.workflow?.activeWorkflow ?? null;
}

/** Whether the canvas shows this workflow: not while another one is being loaded. */
export function isOnCanvas(workflow) {
  return workflow === openWorkflow() && !isLoading();
}

/** Resolves when no workflow is being loaded. */
export async function loaded() {
  while (isLoading()) await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN));
}

function isLoading() {
  return Boolean(openWorkflow()?.changeTracker?.constructor?.isLoadingGraph);
}

/** The workflow that queued a prompt; undefined when it is not open any more. */
export function workflowOf(prompt) {
  if (queued.has(prompt)) return queued.get(prompt);
  if (queueing.size) return [...queueing].at(-1).workflow; // the server was faster with its event than with its answer
  const workflow = paths.has(prompt)
    ? app.extensionManager?.workflow?.getWorkflowByPath?.(paths.get(prompt)) ?? undefined
    : openWorkflow(); // another extension queued it past api.queuePrompt
  return workflow ? remember(prompt, workflow) : workflow;
}

function remember(prompt, workflow) {
  queued.set(prompt, workflow);
  if (queued.size > MOST_PROMPTS) queued.delete(queued.keys().next().value);
  const stored = [...queued].map(([id, workflow]) => [id, workflow?.path]);
  try {
    sessionStorage.setItem(STORED, JSON.stringify(stored));
  } catch {
    // no storage: a page that is loaded again shows the run in the workflow that is open then
  }
  return workflow;
}

function storedPaths() {
  try {
    return JSON.parse(sessionStorage.getItem(STORED)) ?? [];
  } catch {
    return [];
  }
}

/** The node that an id of the server's means on the canvas; inside of subgraphs it is a path such as "3:1:7". */
export function nodeOf(path) {
  let graph = app.rootGraph ?? app.graph;
  let node = null;
  for (const id of String(path).split(":")) {
    node = graph?.getNodeById(id) ?? graph?.getNodeById(Number(id)) ?? null;
    graph = node?.subgraph;
  }
  return node;
}

/** A path to a node as the server names it, null for a node that is in no graph. */
export function pathOf(node, graph = app.rootGraph ?? app.graph, above = "") {
  if (node.graph === graph) return `${above}${node.id}`;
  const inside = (graph.nodes ?? []).filter((holder) => holder.subgraph);
  return inside.map((holder) => pathOf(node, holder.subgraph, `${above}${holder.id}:`)).find(Boolean) ?? null;
}

/**
 * Change a node in all that a workflow remembers of itself: its present state, and those that undo and redo go to.
 * `change` gets the saved node and returns it changed. What is on the canvas is left alone.
 */
export function rewrite(workflow, path, change) {
  const tracker = workflow?.changeTracker;
  if (!tracker?.activeState) return;
  const ids = String(path).split(":");
  tracker.activeState = withNode(tracker.activeState, ids, change);
  for (const queue of [tracker.undoQueue ?? [], tracker.redoQueue ?? []]) {
    queue.forEach((state, index) => (queue[index] = withNode(state, ids, change)));
  }
  if (isOnCanvas(workflow)) tracker.updateModified?.();
  else workflow.isModified = true;
}

/** A state of a workflow with one node changed; the same state where it has no such node. */
function withNode(state, ids, change) {
  let holder = state;
  for (const id of ids.slice(0, -1)) {
    const { type } = holder.nodes?.find((node) => String(node.id) === id) ?? {};
    holder = state.definitions?.subgraphs?.find((subgraph) => subgraph.id === type);
    if (!holder) return state;
  }
  const nodes = holder.nodes?.map((node) => (String(node.id) === ids.at(-1) ? change(node) : node));
  if (holder === state) return { ...state, nodes };
  const subgraphs = state.definitions.subgraphs.map((one) => (one === holder ? { ...one, nodes } : one));
  return { ...state, definitions: { ...state.definitions, subgraphs } };
}
