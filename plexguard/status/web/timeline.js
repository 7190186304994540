// The time line: a row for each area, a band for each incident, and the same as a list.

import { h, s } from "./dom.js";
import { clockTime, exactTime, plural, span, time } from "./format.js";
import { badge, stateOf } from "./parts.js";
import { timeScale, timeTicks } from "./scale.js";

const NAMES = {
  plex: "Plex", mount: "Mounts", net: "Network", perms: "Permissions", logs: "Log watch", speed: "Speed", cloud: "Cloud runs", db: "Database",
  container: "Container", discover: "Discovery", notify: "Notifications", proxy: "Proxy", program: "plexguard", config: "Configuration",
};
const ORDER = Object.keys(NAMES);
// These are shown even when nothing happened to them, which is what one hopes to see.
const ALWAYS = ["plex", "net"];
const ROW = 30;
const BAND = 16;
const AXIS = 24;
const ARROW = 12;
const LISTED = 40;
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const HOUR = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });

export function timeline(data, width, allShown) {
  if (!data.from || !data.to) return h("p", { class: "none" }, "The time line cannot be read.");
  const summary = summarize(data);
  return [
    h("p", { class: "summary" }, summary),
    data.complete ? null : h("p", { class: "quiet" }, "Not all of this time is known: the journal does not reach back so far, is still being read, or holds too many events."),
    drawing(data, width, summary),
    incidents(data, allShown),
  ];
}

function summarize(data) {
  const open = data.incidents.filter((incident) => !incident.ended).length;
  if (data.incidents.length === 0) return "No incident in this time.";
  return `${plural(data.incidents.length + data.left, "incident")}${open ? `, ${open} of them going on` : ", all over"}.`;
}

function drawing(data, width, summary) {
  const found = new Set([...ALWAYS, ...data.incidents.map((incident) => incident.area)]);
  const areas = [...found].sort((a, b) => rank(a) - rank(b) || a.localeCompare(b)).slice(0, 12);
  const isNarrow = width < 560;
  const left = isNarrow ? 0 : 112;
  const row = isNarrow ? ROW + 16 : ROW;
  const height = areas.length * row + AXIS;
  const right = width - ARROW;
  const x = timeScale(data.from, data.to, left, right);
  const { ticks, byDay } = timeTicks(data.from, data.to, Math.max(2, Math.floor((width - left) / 90)));
  return s("svg", { class: "drawing", width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Time line. ${summary} The list below has the same.` },
    hatching(),
    ticks.map((tick) => axisMark(tick, x(tick), height, width, byDay)),
    areas.map((area, position) => {
      const top = position * row + (isNarrow ? 16 : 0);
      return s("g", {},
        s("text", isNarrow ? { class: "label", x: 0, y: top - 1 } : { class: "label", x: 0, y: top + ROW / 2 + 4 }, nameOf(area)),
        s("rect", { class: "track", x: left, y: top + (ROW - BAND) / 2, width: right - left, height: BAND, rx: 4 }),
        data.incidents.filter((incident) => incident.area === area).reverse().map((incident) => band(incident, x, top, data.to)),
      );
    }),
  );
}

function rank(area) {
  const position = ORDER.indexOf(area);
  return position < 0 ? ORDER.length : position;
}

function nameOf(area) {
  return NAMES[area] ?? area;
}

// Warnings are hatched, so that they differ from errors not by colour alone.
function hatching() {
  return s("defs", {},
    s("pattern", { id: "hatching", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
      s("rect", { class: "hatch-ground", width: 6, height: 6 }), s("rect", { class: "hatch-line", width: 2.5, height: 6 }),
    ),
  );
}

function axisMark(tick, at, height, width, byDay) {
  const label = byDay || (tick.getHours() === 0 && tick.getMinutes() === 0) ? DAY.format(tick) : HOUR.format(tick);
  return [
    s("line", { class: "grid", x1: at, x2: at, y1: 0, y2: height - AXIS + 4 }),
    at < width - 24 && s("text", { class: "tick", x: at, y: height - 6, "text-anchor": at < 20 ? "start" : "middle" }, label),
  ];
}

function band(incident, x, top, to) {
  const begin = x(incident.began);
  const end = x(incident.ended ?? to);
  const state = stateOf(incident.severity);
  const fill = state === "warning" ? "url(#hatching)" : null;
  const shape = { x: begin, y: top + (ROW - BAND) / 2, width: Math.max(4, end - begin), height: BAND, rx: 2, fill };
  return s("g", { class: `band ${state}${incident.ended ? "" : " open"}` },
    s("title", {}, `${incident.title}: ${lasted(incident)}`),
    s("rect", shape),
    // What goes on has an arrow to the right.
    !incident.ended && s("path", { class: "arrow", d: `M${end + 4} ${top + ROW / 2 - 4}l5 4-5 4` }),
  );
}

function lasted(incident) {
  const began = `${clockTime(incident.began)} (${exactTime(incident.began)})`;
  if (isMoment(incident)) return began;
  return incident.ended ? `${began} to ${clockTime(incident.ended)}, ${span(lengthS(incident))}` : `since ${began}, still going on`;
}

function isMild(incident) {
  return stateOf(incident.severity) !== "problem";
}

// Told as a problem, and nothing tells its end.
function isMoment(incident) {
  return incident.ended !== null && incident.ended - incident.began === 0;
}

function isSameDay(incident) {
  return incident.began.toDateString() === incident.ended.toDateString();
}

function lengthS(incident) {
  return incident.downtimeS ?? (incident.ended - incident.began) / 1000;
}

function incidents(data, allShown) {
  const open = data.incidents.filter((incident) => !incident.ended).sort((a, b) => isMild(a) - isMild(b) || b.began - a.began);
  const over = data.incidents.filter((incident) => incident.ended).sort((a, b) => b.began - a.began);
  const all = [...open, ...over];
  const shown = allShown ? all : all.slice(0, LISTED);
  return [
    h("ol", { class: "incidents" }, shown.map((incident) =>
      h("li", { "data-key": `incident-${incident.id}`, class: incident.ended ? null : "open" },
        badge(stateOf(incident.severity), incident.severity),
        h("span", { class: "what" },
          incident.title, incident.about && !incident.title.includes(incident.about) && h("span", { class: "quiet" }, ` ${incident.about}`),
          incident.count > 1 && h("span", { class: "quiet" }, `, ${incident.count} times`)),
        h("span", { class: "when" }, isMoment(incident) ? [time(incident.began), h("span", { class: "length" })] : incident.ended
          ? [time(incident.began), " – ", time(incident.ended, isSameDay(incident) ? "hour" : "clock"), h("span", { class: "length" }, span(lengthS(incident)))]
          : ["since ", time(incident.began), h("span", { class: "length" }, "going on for ", time(incident.began, "for"))]),
      ),
    )),
    all.length > shown.length && h("button", { type: "button", class: "plain", "data-act": "all-incidents" }, `Show all ${all.length}`),
    allShown && data.left > 0 && h("p", { class: "quiet" }, `${data.left} more are not listed.`),
  ];
}
