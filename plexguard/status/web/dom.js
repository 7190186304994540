// Makes elements, and brings what is shown up to date with them. A text is always a text here: nothing parses HTML.

const SVG = "http://www.w3.org/2000/svg";

export function h(name, attributes, ...children) {
  return fill(document.createElement(name), attributes, children);
}

export function s(name, attributes, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

// Make the children of `target` what `fresh` is, and leave alone whatever is the same: focus, selection, scroll position and
// what somebody has unfolded stay. Nodes with data-key are recognised by it, wherever they go.
export function show(target, ...fresh) {
  const focused = document.activeElement;
  const fragment = document.createDocumentFragment();
  fragment.append(...fresh.flat(Infinity).filter(Boolean));
  patchChildren(target, [...fragment.childNodes]);
  if (focused && focused !== document.activeElement && focused.isConnected && target.contains(focused)) focused.focus({ preventScroll: true });
}

function patchChildren(target, fresh) {
  const wanted = new Set(fresh.map(keyOf).filter(Boolean));
  const byKey = new Map();
  for (const child of [...target.childNodes]) {
    const key = keyOf(child);
    if (key && !wanted.has(key)) child.remove();
    else if (key) byKey.set(key, child);
  }
  let next = target.firstChild;
  for (const node of fresh) {
    const key = keyOf(node);
    const old = key ? byKey.get(key) : next && !keyOf(next) ? next : null;
    byKey.delete(key);
    if (old && old.nodeName === node.nodeName) {
      if (old === next) next = next.nextSibling;
      else target.insertBefore(old, next);
      patch(old, node);
    } else {
      target.insertBefore(node, next);
    }
  }
  while (next) {
    const gone = next;
    next = next.nextSibling;
    gone.remove();
  }
}

function patch(old, fresh) {
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  for (const { name } of [...old.attributes]) if (!isOwn(old, name) && !fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of [...fresh.attributes]) if (!isOwn(old, name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
  patchChildren(old, [...fresh.childNodes]);
}

// What belongs to who looks at the page.
function isOwn(node, name) {
  return name === "open" && node.nodeName === "DETAILS";
}

function keyOf(node) {
  return node.nodeType === Node.ELEMENT_NODE ? node.getAttribute("data-key") : null;
}
