// What is known, who changes it, and which part of the page shows it.

import { chart, nearest, RESPONSE, SPEED } from "./chart.js";
import { h, show } from "./dom.js";
import { events } from "./events.js";
import { refreshTimes, span, time } from "./format.js";
import { ask, Link } from "./link.js";
import * as overview from "./overview.js";
import { copy, icon } from "./parts.js";
import { readEvent, readEvents, readOverview, readSeries, readTimeline } from "./read.js";
import { timeline } from "./timeline.js";

const PAGE = 50;
const MOST_EVENTS = 500;
const SETTLE_MS = 500;
const REFRESH_MS = 60_000;
const FIRST_RETRY_MS = 1500;
const LONGEST_RETRY_MS = 30_000;
const TOAST_MS = 4000;
const PRIORITIES = { err: ["critical", "error"], warning: ["critical", "error", "warning"], notice: ["critical", "error", "warning", "notice"] };
const KINDS = { response: RESPONSE, speed: SPEED };

const known = {
  overview: null, events: [], next: null, hasPaged: false, timeline: null, series: null, failed: {},
  range: "24h", priority: "", opened: new Set(), allIncidents: false, looking: {}, tables: new Set(),
};
const place = (id) => document.getElementById(id);

const link = new Link({
  overview: takeOverview,
  told: takeTold,
  opened: (again) => (again ? refresh() : loadEvents()),
  changed: showLink,
});

// -- what comes in ----------------------------------------------------------------------------------------------------

function takeOverview(json) {
  known.overview = readOverview(json);
  showOverview();
}

function takeTold(json) {
  const event = readEvent(json);
  if (!event.id || known.events.some((other) => other.id === event.id)) return;
  if (isWanted(event)) known.events = [event, ...known.events].slice(0, MOST_EVENTS);
  showEvents();
  settle();
}

function isWanted(event) {
  return !known.priority || PRIORITIES[known.priority].includes(event.severity);
}

// Many events at once change the time line once.
let settling = null;
function settle() {
  settling ??= setTimeout(() => {
    settling = null;
    loadTimeline();
  }, SETTLE_MS);
}

async function load(section, path, take) {
  try {
    const json = await ask(path);
    delete known.failed[section];
    link.heard();
    take(json);
  } catch (error) {
    known.failed[section] = error.name === "TimeoutError" ? "no answer in time" : error.message;
  }
  showFailed(section);
}

function loadOverview() {
  return load("overview", "overview", takeOverview);
}

function loadEvents() {
  return askEvents("", (page) => {
    const ids = new Set(page.events.map((event) => event.id));
    const newest = page.events[0]?.at ?? null;
    // What was paged through stays, unless there is a gap between. What the stream told while the answer was on its way stays too.
    const meets = known.events.some((event) => ids.has(event.id));
    const kept = known.events.filter((event) => !ids.has(event.id) && (meets || newest === null || event.at > newest));
    known.events = [...kept, ...page.events].sort((a, b) => b.at - a.at);
    if (!meets || !known.hasPaged) known.next = page.next;
    known.hasPaged = meets && known.hasPaged;
  });
}

function loadMore() {
  return askEvents(`&before=${encodeURIComponent(known.next)}`, (page) => {
    const ids = new Set(known.events.map((event) => event.id));
    known.events = [...known.events, ...page.events.filter((event) => !ids.has(event.id))];
    known.next = page.next;
    known.hasPaged = true;
  });
}

function askEvents(before, take) {
  const priority = known.priority;
  const wanted = priority ? `&min_priority=${priority}` : "";
  return load("events", `events?limit=${PAGE}${wanted}${before}`, (json) => {
    if (priority !== known.priority) return;
    take(readEvents(json));
    showEvents();
  });
}

function loadTimeline() {
  return loadRange("timeline", readTimeline);
}

function loadSeries() {
  return loadRange("series", readSeries);
}

function loadRange(section, read) {
  const range = known.range;
  return load(section, `${section}?range=${range}`, (json) => {
    // An answer to a question that is no longer asked.
    if (range !== known.range) return;
    known[section] = read(json);
    showHistory();
  });
}

const LOADS = { overview: loadOverview, events: loadEvents, timeline: loadTimeline, series: loadSeries };

function refresh() {
  return Promise.all(Object.values(LOADS).map((loadOne) => loadOne()));
}

// -- what is shown ----------------------------------------------------------------------------------------------------

function showOverview() {
  const seen = known.overview;
  showVerdict();
  show(place("host"), seen.host);
  show(place("problems"), overview.problems(seen));
  show(place("things"), overview.things(seen));
  showSection("runs", overview.runs(seen));
  showSection("mounts", overview.records(seen.mounts));
  showSection("backups", overview.records(seen.backups));
  show(place("channels"), overview.channels(seen));
  show(place("budgets"), overview.budgets(seen));
  show(place("timers"), overview.timers(seen));
  showFooter();
}

function showVerdict() {
  const seen = known.overview;
  if (seen === null) return;
  const isOld = link.state === "away";
  const { words, state } = overview.judge(seen);
  // Who has the page in a tab that is not looked at reads no more than this.
  const mark = isOld ? "? no connection, last heard:" : state === "well" ? "✓" : "✗";
  document.title = `${mark} ${words} – ${seen.host || "plexguard"}`;
  show(place("verdict"), overview.verdict(seen, isOld));
}

function showSection(name, rows) {
  place(`${name}-section`).hidden = rows.length === 0;
  show(place(name), rows);
}

// What is drawn is drawn for a width; as long as there is none (no layout yet), the observer below will tell of it.
function widthOf(id) {
  return Math.floor(place(id).clientWidth);
}

function showHistory() {
  const width = widthOf("timeline");
  if (width === 0) return;
  if (known.timeline) show(place("timeline"), timeline(known.timeline, width, known.allIncidents));
  for (const id of Object.keys(KINDS)) showChart(id);
}

function showChart(id) {
  const width = widthOf(id);
  if (!known.series || width === 0) return;
  const points = known.series[id];
  const at = known.looking[id] ?? null;
  show(place(id), chart(KINDS[id], known.series, points, width, at === null ? null : Math.min(at, points.length - 1), known.tables.has(id)));
}

function showEvents() {
  show(place("events"), events(known.events, known.opened));
  show(place("more"), known.next && h("button", { type: "button", class: "plain", "data-act": "more" }, "Show older events"));
}

const FAILED_AT = { overview: "problems", events: "events", timeline: "timeline", series: "response" };

function showFailed(section) {
  // Where something is known already, the link says that it is old.
  const isEmpty = section === "events" ? known.events.length === 0 : known[section] === null;
  if (known.failed[section] && isEmpty) {
    const words = `Not read yet (${known.failed[section]}); it is tried again.`;
    show(place(FAILED_AT[section]), section === "events" ? h("li", { class: "none" }, words) : h("p", { class: "none" }, words));
  }
  showFooter();
}

const LINK_WORDS = { connecting: "connecting", live: "live", asking: "up to date", away: "no connection" };
const LINK_STATES = { connecting: "unknown", live: "well", asking: "well", away: "problem" };

function showLink() {
  document.body.dataset.link = link.state;
  show(place("link"), h("span", { class: `badge ${LINK_STATES[link.state]}` }, icon(LINK_STATES[link.state]), h("span", {}, LINK_WORDS[link.state])));
  place("away").hidden = link.state !== "away";
  showVerdict();
  showAway();
}

function showAway() {
  if (link.state !== "away") return;
  const retry_s = link.retryAt === null ? 0 : Math.max(0, (link.retryAt - Date.now()) / 1000);
  show(place("away"),
    h("p", {},
      h("strong", {}, "The server does not answer. "),
      link.heardAt === null ? "Nothing was heard from it yet." : `Last heard ${span((Date.now() - link.heardAt) / 1000)} ago; what you see is from then.`,
      retry_s >= 1 ? ` Next try in ${span(retry_s)}.` : " Trying.",
    ),
    h("button", { type: "button", class: "plain", "data-act": "retry" }, "Try now"),
  );
}

function showFooter() {
  const failed = Object.entries(known.failed).map(([section, reason]) => `${section}: ${reason}`);
  show(place("footer"),
    h("p", {}, known.overview?.at ? ["State of ", time(known.overview.at), ". "] : null,
      `Times are of this browser's zone, ${Intl.DateTimeFormat().resolvedOptions().timeZone}.`, failed.length > 0 && ` Not read: ${failed.join("; ")}.`),
    h("p", {}, "In a terminal: ", h("code", {}, "plexguard-status"), ", ", h("code", {}, "man plexguard"), "."),
  );
}

// -- what somebody does -----------------------------------------------------------------------------------------------

const ACTS = {
  retry: () => link.retry(),
  more: loadMore,
  "all-incidents": () => {
    known.allIncidents = true;
    showHistory();
  },
};

document.addEventListener("click", async (click) => {
  const button = click.target.closest("button");
  if (button?.dataset.copy !== undefined) showToast(await copy(button));
  else if (button?.dataset.range) chooseRange(button.dataset.range);
  else if (button?.dataset.act) ACTS[button.dataset.act]();
});

let toasted = null;
function showToast(words) {
  show(place("toast"), words);
  clearTimeout(toasted);
  toasted = setTimeout(() => show(place("toast")), TOAST_MS);
}

function chooseRange(range) {
  if (range === known.range) return;
  known.range = range;
  known.looking = {};
  known.allIncidents = false;
  for (const tab of place("ranges").children) {
    const isChosen = tab.dataset.range === range;
    tab.setAttribute("aria-selected", String(isChosen));
    tab.tabIndex = isChosen ? 0 : -1;
  }
  place("history").setAttribute("aria-labelledby", `range-${range}`);
  loadTimeline();
  loadSeries();
}

place("ranges").addEventListener("keydown", (press) => {
  const tabs = [...place("ranges").children];
  const at = tabs.indexOf(document.activeElement);
  const steps = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 };
  if (!(press.key in steps)) return;
  press.preventDefault();
  const tab = tabs[(steps[press.key] + tabs.length) % tabs.length];
  tab.focus();
  chooseRange(tab.dataset.range);
});

place("priority").addEventListener("change", (change) => {
  known.priority = change.target.value;
  known.events = known.events.filter(isWanted);
  loadEvents();
});

// A toggle does not bubble.
document.addEventListener("toggle", (toggle) => {
  const { event, table } = toggle.target.dataset;
  const isOpen = toggle.target.open;
  if (event) {
    remember(known.opened, event, isOpen);
    showEvents();
  } else if (table) {
    remember(known.tables, table, isOpen);
    showChart(table);
  }
}, true);

function remember(set, item, isIn) {
  if (isIn) set.add(item);
  else set.delete(item);
}

for (const id of Object.keys(KINDS)) {
  const points = () => known.series?.[id] ?? [];
  const look = (at) => {
    known.looking[id] = at;
    showChart(id);
  };
  place(id).addEventListener("keydown", (press) => {
    if (!press.target.dataset.plot) return;
    const last = points().length - 1;
    const at = known.looking[id] ?? last;
    const steps = { ArrowLeft: at - 1, ArrowDown: at - 1, ArrowRight: at + 1, ArrowUp: at + 1, PageUp: at + 10, PageDown: at - 10, Home: 0, End: last };
    if (press.key === "Escape") look(null);
    if (!(press.key in steps)) return;
    press.preventDefault();
    look(Math.min(last, Math.max(0, steps[press.key])));
  });
  place(id).addEventListener("pointermove", (move) => {
    const plot = move.target.closest("[data-plot]");
    if (plot) look(nearest(known.series, points(), plot.clientWidth, move.clientX - plot.getBoundingClientRect().left));
  });
  place(id).addEventListener("pointerleave", () => look(null));
}

// -- what time does ---------------------------------------------------------------------------------------------------

setInterval(() => {
  refreshTimes();
  showAway();
}, 1000);

setInterval(() => {
  if (document.hidden || link.state === "away") return;
  loadTimeline();
  loadSeries();
}, REFRESH_MS);

// What could not be read is asked for again, less and less often.
let retry_ms = FIRST_RETRY_MS;
function retryFailed() {
  const failed = Object.keys(known.failed);
  retry_ms = failed.length > 0 ? Math.min(retry_ms * 2, LONGEST_RETRY_MS) : FIRST_RETRY_MS;
  if (!document.hidden && link.state !== "away") for (const section of failed) LOADS[section]();
  setTimeout(retryFailed, retry_ms);
}
setTimeout(retryFailed, retry_ms);

let drawn = 0;
new ResizeObserver(() => {
  const width = place("timeline").clientWidth;
  if (width !== drawn) showHistory();
  drawn = width;
}).observe(place("timeline"));

showLink();
refresh();
link.start();
