// Makes the document look as a view says, changing as little as possible: focus, selection and scrolling stay. Text only: nothing is ever parsed as HTML.

const SVG = "http://www.w3.org/2000/svg";
const NODES = new WeakMap();

/** A description of an element. `props`: attributes; `on…`: listeners; `key`: who it is among its siblings; `vars`: custom CSS properties; `value`, `checked`: of a control. */
export function h(type, props, ...children) {
  return { type, props: props ?? {}, children: children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false) };
}

/** Makes the children of an element be as described. */
export function patch(parent, ...described) {
  children(
    parent,
    described.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false),
  );
}

function children(parent, described) {
  const byKey = new Map();
  const unkeyed = [];
  for (const node of parent.childNodes) {
    const key = NODES.get(node)?.props.key;
    if (key === undefined) unkeyed.push(node);
    else byKey.set(key, node);
  }
  let place = parent.firstChild;
  for (const one of described) {
    const node = nodeFor(one, parent, byKey, unkeyed);
    if (node === place) place = place.nextSibling;
    else parent.insertBefore(node, place);
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

/** The node that stands for a description: one that was there, changed, or a new one. */
function nodeFor(described, parent, byKey, unkeyed) {
  if (typeof described !== "object") {
    const text = String(described);
    if (unkeyed[0]?.nodeType !== Node.TEXT_NODE) return document.createTextNode(text);
    const node = unkeyed.shift();
    if (node.data !== text) node.data = text;
    return node;
  }
  const { key } = described.props;
  let node;
  if (key !== undefined) {
    node = byKey.get(key);
    byKey.delete(key);
  } else if (unkeyed[0]?.nodeType === Node.ELEMENT_NODE && NODES.get(unkeyed[0])?.type === described.type) {
    node = unkeyed.shift();
  } else if (unkeyed.length > 0) {
    unkeyed.shift();
  }
  const known = node && NODES.get(node);
  if (!known || known.type !== described.type) node = make(described.type, parent);
  update(node, NODES.get(node), described);
  return node;
}

function make(type, parent) {
  const isSvg = type === "svg" || (parent.namespaceURI === SVG && parent.localName !== "foreignObject");
  const node = isSvg ? document.createElementNS(SVG, type) : document.createElement(type);
  NODES.set(node, { type, props: {} });
  return node;
}

function update(node, known, described) {
  const { props } = described;
  for (const name of Object.keys(known.props)) if (!(name in props)) set(node, name, undefined, known.props[name]);
  // What a control may hold is set before what it holds.
  NODES.set(node, { type: described.type, props });
  const late = [];
  for (const [name, value] of Object.entries(props)) {
    if (name === "value" || name === "checked") late.push([name, value]);
    else if (known.props[name] !== value) set(node, name, value, known.props[name]);
  }
  children(node, described.children);
  for (const [name, value] of late) if (node[name] !== value) node[name] = value;
}

function set(node, name, value, before) {
  if (name === "key") return;
  if (name.startsWith("on")) {
    const event = name.slice(2);
    if (before) node.removeEventListener(event, before);
    if (value) node.addEventListener(event, value);
  } else if (name === "vars") {
    for (const [variable, text] of Object.entries(value ?? {})) if (before?.[variable] !== text) node.style.setProperty(variable, text);
  } else if (value === undefined || value === null || value === false) {
    node.removeAttribute(name);
  } else {
    node.setAttribute(name, value === true ? "" : value);
  }
}
