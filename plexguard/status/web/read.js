// The border: whatever the API answers becomes values of known kinds here, and behind it nothing is checked again.
// What is missing or makes no sense is null, "" or an empty list; what is endless is cut.

const LONGEST_TEXT = 4000;
const MOST = 500;
const STATES = new Set(["well", "warning", "problem", "unknown", "off"]);
const SEVERITIES = new Set(["critical", "error", "warning", "notice", "info"]);

function record(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value) ? value : {};
}

function list(value, most = MOST) {
  return Array.isArray(value) ? value.slice(0, most).filter((item) => item !== null && typeof item === "object") : [];
}

export function text(value, longest = LONGEST_TEXT) {
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (typeof value !== "string") return "";
  return value.length > longest ? `${value.slice(0, longest)} …` : value;
}

function number(value) {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

export function when(value) {
  const at = typeof value === "string" ? Date.parse(value) : NaN;
  return Number.isNaN(at) ? null : new Date(at);
}

function oneOf(known, value, otherwise) {
  return known.has(value) ? value : otherwise;
}

export function readOverview(raw) {
  const all = record(raw);
  return {
    at: when(all.at),
    host: text(all.host, 100),
    healthy: typeof all.healthy === "boolean" ? all.healthy : null,
    things: list(all.things, 100).map(readThing),
    problems: list(all.problems, 100).map((p) => ({ text: text(p.text), since: when(p.since), command: text(p.command) }))
      .filter((problem) => problem.text),
    plex: readPlex(record(all.plex)),
    timers: list(all.timers).map((t) => ({ unit: text(t.unit), last: when(t.last), next: when(t.next), result: text(t.result) })),
    budgets: list(all.budgets).map((b) => ({
      name: text(b.name), used: number(b.used), limit: number(b.limit), period: text(b.period), left: number(b.left),
    })),
    channels: list(all.channels).map((c) => ({
      name: text(c.name), kind: text(c.kind), waiting: number(c.waiting), oldest: when(c.oldest), dropped: number(c.dropped),
      state: oneOf(STATES, c.state, "unknown"), reason: text(c.reason),
    })),
    mounts: list(all.mounts).map(record),
    backups: list(all.backups).map(record),
    runs: list(all.cloud_runs).map((r) => ({
      name: text(r.name), phase: text(r.phase), done: number(r.done), total: number(r.total), began: when(r.began), eta: when(r.eta),
      cost: number(r.cost_euros), state: oneOf(STATES, r.state, "unknown"), failure: text(r.failure),
    })),
  };
}

function readThing(raw) {
  const pairs = Array.isArray(raw.details) ? raw.details.slice(0, 20).filter(Array.isArray) : [];
  return {
    name: text(raw.name, 200),
    title: text(raw.title, 200) || text(raw.name, 200) || "?",
    state: oneOf(STATES, raw.state, "unknown"),
    summary: text(raw.summary, 400),
    since: when(raw.since),
    details: pairs.map(([label, value]) => [text(label, 100), text(value, 400)]),
    command: text(raw.command),
  };
}

function readPlex(raw) {
  return { checked: when(raw.checked), version: text(raw.version, 100), viewers: number(raw.viewers), failures: number(raw.consecutive_failures) ?? 0, breaker: text(record(raw.breaker).state, 100) };
}

export function readEvents(raw) {
  const all = record(raw);
  return { events: list(all.events).map(readEvent).filter((event) => event.id), next: text(all.next) || null };
}

export function readEvent(raw) {
  const one = record(raw);
  const book = record(one.runbook);
  return {
    id: text(one.id, 200),
    at: when(one.at),
    name: text(one.name, 200),
    severity: oneOf(SEVERITIES, one.severity, "info"),
    unit: text(one.unit, 300),
    host: text(one.host, 300),
    message: text(one.message) || text(one.subject) || text(one.name),
    fields: Object.entries(record(one.fields)).slice(0, 50),
    runbook: { meaning: prose(book.meaning), decided: prose(book.decided), did: prose(book.did), action: prose(book.action) },
  };
}

function prose(value) {
  return Array.isArray(value) ? value.map((line) => text(line)).join("\n") : text(value);
}

export function readTimeline(raw) {
  const all = record(raw);
  return {
    from: when(all.from),
    to: when(all.to),
    complete: all.complete !== false,
    left: (number(all.left_off) ?? 0) + (Array.isArray(all.incidents) ? Math.max(0, all.incidents.length - MOST) : 0),
    incidents: list(all.incidents).map(readIncident).filter((incident) => incident.began),
  };
}

function readIncident(raw, position) {
  return {
    id: text(raw.id, 200) || `incident-${position}`,
    area: text(raw.area, 50) || "other",
    about: text(raw.about, 300),
    title: text(raw.title, 400) || text(raw.message, 400) || text(raw.name, 200),
    severity: oneOf(SEVERITIES, raw.severity, "warning"),
    began: when(raw.began),
    ended: when(raw.ended),
    downtimeS: number(raw.downtime_s),
    count: number(raw.count) ?? 1,
    message: text(raw.message),
  };
}

export function readSeries(raw) {
  const all = record(raw);
  return {
    from: when(all.from),
    to: when(all.to),
    response: inOrder(
      list(all.response, 2000).map((p) => ({ at: when(p.at), seconds: number(p.seconds), slowest: number(p.slowest), verdict: text(p.verdict, 100) })),
    ),
    speed: inOrder(
      list(all.speed, 2000).map((p) => ({
        at: when(p.at), download: number(p.download_bit_per_s), upload: number(p.upload_bit_per_s), pingMs: number(p.ping_ms), failure: text(p.failure, 400),
      })),
    ),
  };
}

function inOrder(points) {
  return points.filter((point) => point.at).sort((a, b) => a.at - b.at);
}
