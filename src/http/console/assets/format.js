// Numbers, times and lists as words, short and always the same. Pure: no page, no clock.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const SECOND = 1_000,
  MINUTE = 60 * SECOND,
  HOUR = 60 * MINUTE,
  DAY = 24 * HOUR;

/** What stands where nothing is known. */
export const NONE = "–";

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

/** A count: `1,234`, from a hundred thousand on `123k`, `4.5M`. */
export function count(value) {
  if (!isNumber(value)) return NONE;
  if (Math.abs(value) < 100_000) return whole.format(value);
  const units = ["k", "M", "G", "T"];
  let scaled = value,
    unit = "";
  while (Math.abs(scaled) >= 1_000 && units.length > 0) [scaled, unit] = [scaled / 1_000, units.shift()];
  return `${digits(scaled)}${unit}`;
}

/** So many a second: `0`, `0.3`, `12`, `1,234`. */
export function rate(value) {
  if (!isNumber(value)) return NONE;
  if (value === 0 || value >= 100) return count(value);
  return digits(value);
}

/** Bytes: `12 B`, `3.4 kB`, `56 MB`. */
export function bytes(value) {
  if (!isNumber(value)) return NONE;
  const units = ["B", "kB", "MB", "GB", "TB"];
  let scaled = value,
    unit = 0;
  while (scaled >= 1_000 && unit < units.length - 1) [scaled, unit] = [scaled / 1_000, unit + 1];
  return `${unit === 0 ? whole.format(scaled) : digits(scaled)} ${units[unit]}`;
}

/** How long something took, given in seconds: `0.42 ms`, `12 ms`, `1.2 s`. */
export function took(seconds) {
  if (!isNumber(seconds)) return NONE;
  if (seconds < 1) return `${digits(seconds * 1_000)} ms`;
  return `${digits(seconds)} s`;
}

/** A length of time, given in ms, in its two largest units: `3 min 20 s`, `2 d 4 h`. */
export function span(ms) {
  if (!isNumber(ms)) return NONE;
  const parts = [
    [DAY, "d"],
    [HOUR, "h"],
    [MINUTE, "min"],
    [SECOND, "s"],
  ];
  let left = Math.max(0, Math.round(ms / SECOND) * SECOND);
  const words = [];
  for (const [length, unit] of parts) {
    const times = Math.floor(left / length);
    left -= times * length;
    if (times > 0) words.push(`${times} ${unit}`);
    else if (words.length > 0) break;
  }
  return words.slice(0, 2).join(" ") || "0 s";
}

/** The time of day: `14:02:11`. */
export function time(at) {
  if (!isNumber(at)) return NONE;
  return new Date(at).toLocaleTimeString("en-GB");
}

/** Day and time: `23 Nov, 14:02:11`. */
export function date(at) {
  if (!isNumber(at)) return NONE;
  const day = new Date(at).toLocaleDateString("en-GB", { day: "numeric", month: "short" });
  return `${day}, ${time(at)}`;
}

/** A part of a whole: `12 %`. */
export function percent(part) {
  return isNumber(part) ? `${whole.format(part * 100)} %` : NONE;
}

/** `a`, `a and b`, `a, b and c`; beyond `most`, `a, b and 5 more`. */
export function list(words, most = 6) {
  const shown = words.length > most ? [...words.slice(0, most - 1), `${words.length - most + 1} more`] : words;
  if (shown.length < 2) return shown.join("");
  return `${shown.slice(0, -1).join(", ")} and ${shown.at(-1)}`;
}

/** `1 node`, `3 nodes`. */
export function plural(number, word, words = `${word}s`) {
  return `${count(number)} ${number === 1 ? word : words}`;
}

function digits(value) {
  if (value === 0) return "0";
  const places = value < 1 ? 2 : value < 10 ? 1 : 0;
  return whole.format(value) === value.toFixed(places) ? whole.format(value) : places > 0 ? trim(value.toFixed(places)) : whole.format(value);
}

function trim(text) {
  const shorter = text.replace(/\.?0+$/, "");
  return shorter === "0" ? "<0.01" : shorter;
}
