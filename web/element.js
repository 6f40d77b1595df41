// Elements of the run view.

export function make(tag, name, parent) {
  const element = document.createElement(tag);
  element.className = name;
  parent?.append(element);
  return element;
}

/** Keep what is done to an element from the node under it, which would be dragged, and from the host's own keys. */
export function keepEvents(element) {
  for (const kind of ["pointerdown", "keydown"]) element.addEventListener(kind, (event) => event.stopPropagation());
}

/** A coloured box and what it stands for. */
export function legendEntry(parent, name, text) {
  const entry = make("span", "jano-entry", parent);
  const box = make("i", name, entry);
  entry.append(text);
  return box;
}
