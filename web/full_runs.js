// What the same run takes in full: the seconds of runs without Jano, as this page saw them, for as long as it is open.
// The same is: all that the sampler depends on, but for seeds, texts, and Jano's own nodes.
// Timed from the end of the first step to the end of the node, so that what is loaded before counts on neither side.

import { api } from "../../scripts/api.js";

const MOST_PROMPTS = 100;
const THROUGH = new Set(["JanoScheduler", "JanoAnalyzer"]); // give the model that they are given
const LOADERS = { JanoModelLoader: ["UNETLoader", ["unet_name", "weight_dtype"]] }; // do the work of another node first
const ACCELERATING = new Set(["JanoScheduler", "JanoModelLoader"]);
const OF_NO_WEIGHT = /seed|text|prompt|^clip_[lg]$|^t5xxl$/i; // inputs that change what is drawn, not how long it takes

const prompts = new Map(); // id -> { output: what was queued, nodes: id of a node -> { first, value, max } }
const inFull = new Map(); // signature -> seconds after the first step

/** Call `onSampled(prompt, node, run)` whenever a node has sampled; `run` has steps, seconds and signature. */
export function watchSamplers(onSampled) {
  api.addEventListener("progress", ({ detail }) => onProgress(detail));
  api.addEventListener("progress_state", ({ detail: { prompt_id, nodes } }) => {
    for (const [node, { state }] of Object.entries(nodes ?? {})) {
      const run = state === "finished" && finished(prompt_id, node);
      if (run) onSampled(prompt_id, node, run);
    }
  });
}

/** A prompt was queued: the nodes as the server knows them. */
export function queuedAs(prompt, output) {
  if (output) promptOf(prompt).output = output;
}

function promptOf(id) {
  if (!prompts.has(id)) prompts.set(id, { output: null, nodes: new Map() });
  if (prompts.size > MOST_PROMPTS) prompts.delete(prompts.keys().next().value);
  return prompts.get(id);
}

function onProgress({ prompt_id, node, value, max }) {
  if (node === null || node === undefined) return;
  const { nodes } = promptOf(prompt_id);
  const known = nodes.get(String(node));
  if (!known) nodes.set(String(node), { first: performance.now(), began: value, value, max });
  else if (value <= known.value || max !== known.max) known.began = NaN; // it samples more than once
  else known.value = value;
}

/** The run of a node that is over, once; null for nodes that do not sample, or not step by step. */
function finished(prompt, node) {
  const { output, nodes } = promptOf(prompt);
  const known = nodes.get(node);
  if (!known || known.isOver) return null;
  known.isOver = true;
  const { first, began, value, max } = known;
  if (!output?.[node] || began !== 1 || value !== max || max < 2) return null;
  const { signature, accelerates } = signatureOf(output, node);
  return { steps: max, seconds: (performance.now() - first) / 1000, signature, accelerates };
}

/** A run in full: the shortest one counts, so that no saving is said to be larger than it is. */
export function keepFull({ signature, seconds }) {
  inFull.set(signature, Math.min(seconds, inFull.get(signature) ?? Infinity));
}

/** Seconds of a run in full and of this one, the first step included; null where none was seen. */
export function against({ signature, seconds, steps }) {
  const rest = inFull.get(signature);
  if (!(rest > 0)) return null;
  const first = rest / (steps - 1); // as long as the others: what came before it is not counted
  return { full_seconds: rest + first, own_seconds: seconds + first };
}

/** What a node does and depends on as a short text, and whether a node of Jano's accelerates it. */
export function signatureOf(output, id) {
  const known = new Map(); // text -> its number: what two inputs share is written once
  const seen = new Map();
  let accelerates = false;
  const told = (id) => {
    if (!seen.has(id)) {
      seen.set(id, null);
      seen.set(id, number(written(id)));
    }
    return seen.get(id);
  };
  const number = (text) => {
    if (!known.has(text)) known.set(text, known.size);
    return known.get(text);
  };
  const written = (id) => {
    const { class_type: kind, inputs = {} } = output[id] ?? {};
    accelerates ||= ACCELERATING.has(kind);
    const [type, names] = LOADERS[kind] ?? [kind, Object.keys(inputs).filter((name) => !OF_NO_WEIGHT.test(name))];
    return JSON.stringify([type, ...names.sort().map((name) => [name, value(inputs[name])])]);
  };
  const value = (input) => {
    if (!Array.isArray(input) || input.length !== 2 || !(input[0] in output)) return input;
    const { class_type: kind, inputs } = output[input[0]];
    if (!THROUGH.has(kind)) return ["from", told(input[0]), input[1]];
    accelerates ||= ACCELERATING.has(kind);
    return value(inputs.model);
  };
  const last = told(id);
  return { signature: JSON.stringify([[...known.keys()], last]), accelerates };
}
