// Times, spans and sizes as people write them. Times are in the zone of the browser.

import { h } from "./dom.js";
import { text, when } from "./read.js";

const LOCALE = "en-GB";
const HOUR_MIN = { hour: "2-digit", minute: "2-digit" };
const CLOCK = new Intl.DateTimeFormat(LOCALE, HOUR_MIN);
const WEEKDAY = new Intl.DateTimeFormat(LOCALE, { weekday: "short", ...HOUR_MIN });
const DAY = new Intl.DateTimeFormat(LOCALE, { day: "numeric", month: "short", ...HOUR_MIN });
const YEAR = new Intl.DateTimeFormat(LOCALE, { day: "numeric", month: "short", year: "numeric" });
const EXACT = new Intl.DateTimeFormat(LOCALE, { dateStyle: "full", timeStyle: "long" });

const MIN_S = 60;
const HOUR_S = 3600;
const DAY_S = 86_400;

// How far the browser's clock is behind the server's. A clock that is wrong must not make an outage longer.
let behindMs = 0;

export function setClock(serverDate) {
  const at = Date.parse(serverDate ?? "");
  if (Number.isNaN(at)) return;
  const offset = at - Date.now();
  // An HTTP date has no fraction, and an answer takes its time.
  behindMs = Math.abs(offset) > 5000 ? offset : 0;
}

export function now() {
  return new Date(Date.now() + behindMs);
}

export function exactTime(at) {
  return EXACT.format(at);
}

export function clockTime(at) {
  const away_s = Math.abs(now() - at) / 1000;
  if (at.toDateString() === now().toDateString()) return CLOCK.format(at);
  if (away_s < 6 * DAY_S) return WEEKDAY.format(at);
  return away_s < 300 * DAY_S ? DAY.format(at) : YEAR.format(at);
}

export function span(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 2 * MIN_S) return `${whole} s`;
  if (whole < 2 * HOUR_S) return `${Math.floor(whole / MIN_S)} min`;
  if (whole < 2 * DAY_S) return join(Math.floor(whole / HOUR_S), "h", Math.floor((whole % HOUR_S) / MIN_S), "min");
  return join(Math.floor(whole / DAY_S), "d", Math.floor((whole % DAY_S) / HOUR_S), "h");
}

function join(big, bigUnit, small, smallUnit) {
  return small ? `${big} ${bigUnit} ${small} ${smallUnit}` : `${big} ${bigUnit}`;
}

export function ago(at) {
  const seconds = (now() - at) / 1000;
  if (Math.abs(seconds) < 2) return "just now";
  return seconds > 0 ? `${span(seconds)} ago` : `in ${span(-seconds)}`;
}

// style: "ago" (kept up to date by refreshTimes), "for" (a span since then, likewise), "clock" (with the day, where it is another) or "hour".
export function time(at, style = "clock") {
  return h("time", { datetime: at.toISOString(), title: exactTime(at), "data-time": style }, shownTime(at, style));
}

function shownTime(at, style) {
  if (style === "ago") return ago(at);
  if (style === "hour") return CLOCK.format(at);
  return style === "for" ? span((now() - at) / 1000) : clockTime(at);
}

export function refreshTimes() {
  for (const node of document.querySelectorAll("time[data-time]")) {
    const shown = shownTime(new Date(node.dateTime), node.dataset.time);
    if (node.textContent !== shown) node.textContent = shown;
  }
}

export function milliseconds(seconds) {
  if (seconds < 0.01) return `${(seconds * 1000).toFixed(1)} ms`;
  return seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
}

export function rate(bits) {
  const mega = bits / 1e6;
  return mega >= 1000 ? `${(mega / 1000).toFixed(1)} Gbit/s` : `${mega.toFixed(mega < 10 ? 1 : 0)} Mbit/s`;
}

export function bytes(count) {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  const power = count > 0 ? Math.min(units.length - 1, Math.floor(Math.log10(count) / 3)) : 0;
  const value = count / 1000 ** power;
  return `${value.toFixed(value < 10 && power ? 1 : 0)} ${units[power]}`;
}

export function euros(amount) {
  return `€ ${amount.toFixed(2)}`;
}

export function plural(count, one, many = `${one}s`) {
  return `${count} ${count === 1 ? one : many}`;
}

const UNITS = [
  ["_bit_per_s", rate],
  ["_bytes_per_s", (value) => `${bytes(value)}/s`],
  ["_bytes", bytes],
  ["_percent", (value) => `${value.toFixed(1)} %`],
  ["_euros", euros],
  ["_ms", (value) => `${value.toFixed(1)} ms`],
  ["_s", (value) => (value < 10 ? milliseconds(value) : span(value))],
];
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d/;

// A field by its name, which carries its unit: ["silent_s", 41.2] is "silent" and "41 s".
export function field(name, value) {
  const [ending, form] = UNITS.find(([end]) => name.endsWith(end)) ?? ["", null];
  const label = name.slice(0, name.length - ending.length).replaceAll("_", " ");
  const amount = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  if (form && typeof amount === "number" && Number.isFinite(amount)) return [label, form(amount)];
  if (typeof value === "boolean") return [label, value ? "yes" : "no"];
  const at = typeof value === "string" && ISO.test(value) ? when(value) : null;
  return [name.replaceAll("_", " "), at ? time(at) : text(value)];
}
