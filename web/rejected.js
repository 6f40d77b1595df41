// What the server refuses of this pack's nodes before anything runs. The host says of such an input that it was
// rejected, and no more: here the sentence is told that the node gave with it, and only inputs that it names are marked.

import { app } from "../../scripts/app.js";
import { nodeOf } from "./workflows.js";

const OURS = /^(Jano|FlashVAED)/; // classes of nodes
const told = []; // messages that stand until the next prompt is queued

/** `errors` by the server's id of a node, as its answer has them; nothing where all was accepted. */
export function tellRejected(errors) {
  const { toast } = app.extensionManager ?? {};
  for (const message of told.splice(0)) toast?.remove?.(message);
  markNamed(errors);
  for (const [summary, detail] of complaintsIn(errors)) {
    const message = { severity: "error", summary, detail };
    told.push(message);
    toast?.add(message);
  }
}

/** The host refuses every input that was asked about, and its page marks them all: leave those that are wrong. */
function markNamed(errors) {
  for (const refused of Object.values(errors ?? {}).filter(({ class_type: kind }) => OURS.test(kind))) {
    const wordsOf = (details) => sentenceIn(details).toLowerCase().split(/\W+/);
    const isNamed = ({ details, extra_info: info }) => wordsOf(details).includes(info?.input_name);
    const told = new Set(refused.errors?.filter(isNamed).map(({ details }) => sentenceIn(details)));
    refused.errors = refused.errors?.filter((error) => isNamed(error) || !told.has(sentenceIn(error.details)));
  }
}

/** [name of the node, sentence], each sentence once: the host repeats it for every input that was asked about. */
function complaintsIn(errors) {
  const ours = Object.entries(errors ?? {}).filter(([, { class_type: kind }]) => OURS.test(kind));
  return ours.flatMap(([id, { class_type: kind, errors }]) => {
    const sentences = new Set((errors ?? []).map(({ details }) => sentenceIn(details)).filter(Boolean));
    return [...sentences].map((sentence) => [nodeOf(id)?.title ?? kind, sentence]);
  });
}

/** "qualities - Jano: what is wrong." An input's name stays as the node has it. */
function sentenceIn(details) {
  const sentence = /\bJano: (.+)/s.exec(String(details ?? ""))?.[1] ?? "";
  return /^\w*_/.test(sentence) ? sentence : sentence.charAt(0).toUpperCase() + sentence.slice(1);
}
