// Charts of values over time. Each can be read without seeing it: point by point with the arrow keys, and as a table.
//
// A kind of chart is data: its lines, the words of a point, and how its axis is divided. Debian's libjs-chart.js was looked at and
// left: it draws on a canvas, which has no text, takes no colours from a style sheet, and wants an adapter for times.

import { h, s } from "./dom.js";
import { clockTime, exactTime, milliseconds, rate, time } from "./format.js";
import { linearTicks, powerTicks, timeScale, timeTicks } from "./scale.js";

const HEIGHT = 190;
const LEFT = 72;
const RIGHT = 10;
const TOP = 10;
const BOTTOM = 24;
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const HOUR = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });

export const RESPONSE = {
  id: "response",
  name: "Response time of Plex",
  none: "No check in this time.",
  lines: [
    { name: "usual", mark: "first", value: (point) => point.seconds },
    { name: "slowest", mark: "above", value: (point) => point.slowest },
  ],
  isLogarithmic: true,
  form: milliseconds,
  failure: (point) => (point.seconds === null ? point.verdict || "no answer" : ""),
  failed: "no answer",
  dots: false,
};
export const SPEED = {
  id: "speed",
  name: "Speed of the line",
  none: "No speed test in this time.",
  lines: [
    { name: "download", mark: "first", value: (point) => point.download },
    { name: "upload", mark: "second", value: (point) => point.upload },
  ],
  isLogarithmic: false,
  form: rate,
  extra: (point) => (point.pingMs === null ? "" : `ping ${point.pingMs.toFixed(0)} ms`),
  failure: (point) => point.failure || (point.download === null ? "no result" : ""),
  failed: "failed",
  dots: true,
};

export function describePoint(kind, point) {
  const failure = kind.failure(point);
  const values = kind.lines.filter((line) => line.value(point) !== null).map((line) => `${line.name} ${kind.form(line.value(point))}`);
  return [clockTime(point.at), [...(failure ? [failure] : values), kind.extra?.(point)].filter(Boolean).join(", ")].join(": ");
}

// at: which point is looked at, null for none. isOpen: whether the table is.
export function chart(kind, data, points, width, at, isOpen) {
  if (points.length === 0 || !data.from || !data.to) return h("p", { class: "none" }, kind.none);
  const point = at === null ? points.at(-1) : points[at];
  return [
    legend(kind, points),
    h("div", {
      class: "plot", role: "slider", tabindex: 0, "data-plot": kind.id, "aria-label": `${kind.name}, point by point`, "aria-valuemin": 0,
      "aria-valuemax": points.length - 1, "aria-valuenow": at ?? points.length - 1, "aria-valuetext": describePoint(kind, point),
    }, drawing(kind, data, points, width, at)),
    h("p", { class: "readout" }, at === null ? h("span", { class: "quiet" }, "latest: ") : null, h("span", { title: exactTime(point.at) }, describePoint(kind, point))),
    h("details", { class: "table", "data-table": kind.id }, h("summary", {}, "As a table"), isOpen && table(kind, points)),
  ];
}

function legend(kind, points) {
  const hasFailed = points.some((point) => kind.failure(point));
  return h("p", { class: "legend" }, kind.lines.map((line) => h("span", {}, s("svg", { width: 22, height: 10, "aria-hidden": "true" }, sample(line)), ` ${line.name}`)), hasFailed && h("span", {}, s("svg", { width: 12, height: 10, "aria-hidden": "true" }, cross(6, 5)), ` ${kind.failed}`));
}

function sample(line) {
  if (line.mark === "above") return s("rect", { class: "area", x: 1, y: 0, width: 20, height: 10 });
  return s("line", { class: `line ${line.mark}`, x1: 1, x2: 21, y1: 5, y2: 5 });
}

function drawing(kind, data, points, width, at) {
  const right = Math.max(LEFT + 10, width - RIGHT);
  const bottom = HEIGHT - BOTTOM;
  const x = timeScale(data.from, data.to, LEFT, right);
  const { y, ticks } = valueScale(kind, points, bottom);
  const marks = timeTicks(data.from, data.to, Math.max(2, Math.floor((right - LEFT) / 80)));
  return s("svg", { class: "drawing", width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, "aria-hidden": "true" },
    ticks.map((value) => [
      s("line", { class: "grid", x1: LEFT, x2: right, y1: y(value), y2: y(value) }),
      s("text", { class: "tick", x: LEFT - 8, y: y(value) + 4, "text-anchor": "end" }, value === 0 ? "0" : kind.form(value).replace(".0", "")),
    ]),
    marks.ticks.map((tick) => x(tick) > LEFT + 14 && x(tick) < right - 14 &&
      s("text", { class: "tick", x: x(tick), y: HEIGHT - 6, "text-anchor": "middle" }, (marks.byDay || tick.getHours() === 0 ? DAY : HOUR).format(tick))),
    kind.lines.map((line) => line.mark === "above"
      ? s("path", { class: "area", d: area(points, kind.lines[0].value, line.value, x, y) })
      : s("path", { class: `line ${line.mark}`, d: path(points, line.value, x, y) })),
    kind.dots && kind.lines.map((line) => points.filter((point) => line.value(point) !== null).map((point) =>
      s("circle", { class: `dot ${line.mark}`, cx: x(point.at), cy: y(line.value(point)), r: 3 }))),
    failures(kind, points).map(([first, last]) => [
      s("line", { class: "failed", x1: x(first.at), x2: x(last.at), y1: bottom - 6, y2: bottom - 6 }),
      cross((x(first.at) + x(last.at)) / 2, bottom - 6),
    ]),
    at !== null && cursor(kind, points[at], x, y, bottom),
  );
}

function valueScale(kind, points, bottom) {
  const values = points.flatMap((point) => kind.lines.map((line) => line.value(point))).filter((value) => value !== null && (value > 0 || !kind.isLogarithmic));
  const highest = values.reduce((most, value) => Math.max(most, value), 0);
  if (!kind.isLogarithmic) {
    const ticks = linearTicks(highest);
    return { ticks, y: (value) => bottom - (value / ticks.at(-1)) * (bottom - TOP) };
  }
  const ticks = values.length > 0 ? powerTicks(values.reduce((least, value) => Math.min(least, value)), highest) : powerTicks(0.001, 1);
  const [low, high] = [Math.log10(ticks[0]), Math.log10(ticks.at(-1))];
  return { ticks, y: (value) => bottom - ((Math.log10(Math.max(value, ticks[0])) - low) / (high - low)) * (bottom - TOP) };
}

// A line is broken where there was no value.
function path(points, value, x, y) {
  let pen = "M";
  let d = "";
  for (const point of points) {
    if (value(point) === null) {
      pen = "M";
      continue;
    }
    d += `${pen}${x(point.at).toFixed(1)} ${y(value(point)).toFixed(1)}`;
    pen = "L";
  }
  return d;
}

// The first and the last point of each row of failures.
function failures(kind, points) {
  const rows = [];
  points.forEach((point, position) => {
    if (!kind.failure(point)) return;
    if (position > 0 && kind.failure(points[position - 1])) rows.at(-1)[1] = point;
    else rows.push([point, point]);
  });
  return rows;
}

// From the one value up to the other, for each stretch of points that have both.
function area(points, lower, upper, x, y) {
  const stretches = [[]];
  for (const point of points) {
    if (lower(point) === null || upper(point) === null) stretches.push([]);
    else stretches.at(-1).push(point);
  }
  const corner = (point, value) => `${x(point.at).toFixed(1)} ${y(value(point)).toFixed(1)}`;
  return stretches.filter((stretch) => stretch.length > 0).map((stretch) =>
    `M${[...stretch.map((point) => corner(point, upper)), ...stretch.map((point) => corner(point, lower)).reverse()].join("L")}Z`).join("");
}

function cross(x, y) {
  return s("path", { class: "cross", d: `M${(x - 3.5).toFixed(1)} ${y - 3.5}l7 7m0-7l-7 7` });
}

function cursor(kind, point, x, y, bottom) {
  return s("g", {},
    s("line", { class: "cursor", x1: x(point.at), x2: x(point.at), y1: TOP, y2: bottom }),
    kind.lines.filter((line) => line.value(point) !== null).map((line) =>
      s("circle", { class: `dot ${line.mark === "above" ? "second" : line.mark}`, cx: x(point.at), cy: y(line.value(point)), r: 4.5 })),
  );
}

function table(kind, points) {
  return h("div", { class: "scroll tall", tabindex: 0, role: "region", "aria-label": `${kind.name} as a table` },
    h("table", {},
      h("thead", {}, h("tr", {}, ["At", ...kind.lines.map((line) => line.name), "remark"].map((title) => h("th", { scope: "col" }, title)))),
      h("tbody", {}, [...points].reverse().map((point) => h("tr", {},
        h("th", { scope: "row" }, time(point.at)),
        kind.lines.map((line) => h("td", {}, line.value(point) === null ? "–" : kind.form(line.value(point)))),
        h("td", {}, [kind.failure(point), kind.extra?.(point)].filter(Boolean).join(", "))))),
    ),
  );
}

// The point next to a place on the drawing, as far from its left edge as `offset`.
export function nearest(data, points, width, offset) {
  const x = timeScale(data.from, data.to, LEFT, Math.max(LEFT + 10, width - RIGHT));
  let best = 0;
  for (let position = 1; position < points.length; position += 1) {
    if (Math.abs(x(points[position].at) - offset) < Math.abs(x(points[best].at) - offset)) best = position;
  }
  return best;
}
