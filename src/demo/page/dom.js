// Makes elements, without markup in strings: the page's policy forbids those, and nothing that was published can become part of the page by accident.

const SVG = "http://www.w3.org/2000/svg";

/** An element: `h("button", { class: "primary", onclick: run, "aria-label": "Close" }, "×")`. What is `null`, `undefined` or `false` is left out. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  dress(element, properties);
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** The same for a drawing. */
export function svg(tag, properties = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  dress(element, properties);
  element.append(...children);
  return element;
}

function dress(element, properties) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
}

/** The element of the page with this id, which must be there. */
export function by(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no #${id}`);
  return element;
}

/** Sets a text where it differs, so that nothing is announced or drawn anew for no reason. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Sets an attribute where it differs; `null` takes it away. */
export function mark(element, name, value) {
  if (value === null || value === false) {
    if (element.hasAttribute(name)) element.removeAttribute(name);
    return;
  }
  const text = value === true ? "" : String(value);
  if (element.getAttribute(name) !== text) element.setAttribute(name, text);
}

const PATHS = {
  survey: ["M9 5h11", "M9 12h11", "M9 19h7", "M4 5h.01", "M4 12h.01", "M4 19h.01"],
  tour: ["M12 21s7-5.6 7-11a7 7 0 1 0-14 0c0 5.4 7 11 7 11z", "M12 12.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z"],
  banner: ["M3 7h18v6H3z", "M7 17h10"],
  notice: ["M6 9a6 6 0 0 1 12 0c0 6 2 7 2 7H4s2-1 2-7", "M10 20a2 2 0 0 0 4 0"],
  phone: ["M7 2.5h10v19H7z", "M11 18.5h2"],
  laptop: ["M4.5 5h15v10.5h-15z", "M2 19.5h20"],
  eye: ["M2 12s3.6-7 10-7 10 7 10 7-3.6 7-10 7-10-7-10-7z", "M12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6z"],
  offline: ["M2 2l20 20", "M8.5 16.4a5 5 0 0 1 7 0", "M5 12.9a10 10 0 0 1 5.2-2.7", "M19 12.9a10 10 0 0 0-2-1.5", "M2 8.8a15 15 0 0 1 4.2-2.6", "M22 8.8A15 15 0 0 0 10.7 5", "M12 20h.01"],
  online: ["M8.5 16.4a5 5 0 0 1 7 0", "M5 12.9a10 10 0 0 1 14 0", "M2 8.8a15 15 0 0 1 20 0", "M12 20h.01"],
  lose: ["M4 12h5", "M15 12h5", "M10.5 8.5l3 7"],
  kill: ["M18 6L6 18", "M6 6l12 12"],
  back: ["M3 12a9 9 0 1 0 3-6.7", "M3 4v5h5"],
  crown: ["M3 8l4.5 4L12 5l4.5 7L21 8l-2 11H5z"],
  bolt: ["M13 2L4 14h7l-1 8 9-12h-7z"],
  check: ["M5 12.5l4.5 4.5L19 7.5"],
  sun: ["M12 17a5 5 0 1 0 0-10 5 5 0 0 0 0 10z", "M12 1.5v2", "M12 20.5v2", "M4.6 4.6L6 6", "M18 18l1.4 1.4", "M1.5 12h2", "M20.5 12h2", "M4.6 19.4L6 18", "M18 6l1.4-1.4"],
  moon: ["M20.5 14.5A8.5 8.5 0 0 1 9.5 3.5a8.5 8.5 0 1 0 11 11z"],
  star: ["M12 3.5l2.6 5.4 5.9.8-4.3 4.1 1 5.9-5.2-2.8-5.2 2.8 1-5.9L3.5 9.7l5.9-.8z"],
  search: ["M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14z", "M20.5 20.5L16 16"],
  bag: ["M5 8h14l1 13H4z", "M9 11V7a3 3 0 0 1 6 0v4"],
  undo: ["M9 14L4 9l5-5", "M4 9h10a6 6 0 0 1 0 12h-3"],
  repeat: ["M17 2l4 4-4 4", "M3 11V9a3 3 0 0 1 3-3h15", "M7 22l-4-4 4-4", "M21 13v2a3 3 0 0 1-3 3H3"],
};

/** A small drawing beside a word that says the same: hidden from those who listen. */
export function icon(name) {
  return svg("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" }, ...PATHS[name].map((d) => svg("path", { d })));
}
