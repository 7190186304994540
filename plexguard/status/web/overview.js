// The state of now: the headline, a card for each guarded thing, and the lists below.

import { h } from "./dom.js";
import { euros, field, now, plural, time } from "./format.js";
import { badge, command, icon, meter, none } from "./parts.js";

// What is wrong, in one line, and how bad.
export function judge(overview) {
  const problems = overview.problems;
  const doubtful = overview.things.filter((thing) => thing.state === "warning" || thing.state === "unknown").length;
  if (overview.healthy === null) return { state: "unknown", words: "plexguard does not say how it is" };
  if (!overview.healthy && problems.length > 0) {
    // Where nobody has looked yet, nothing is known to be wrong.
    const isGrave = overview.things.length === 0 || overview.things.some((thing) => thing.state === "problem");
    const many = isGrave ? "things are wrong" : "things to look at";
    return { state: isGrave ? "problem" : "warning", words: problems.length > 1 ? `${problems.length} ${many}` : problems[0].text };
  }
  if (!overview.healthy) return judgeThings(overview.things);
  if (problems.length > 0) return { state: "warning", words: problems.length > 1 ? `${problems.length} things to look at` : problems[0].text };
  if (doubtful > 0) return { state: "warning", words: `Nothing is down, ${plural(doubtful, "thing")} to look at` };
  return { state: "well", words: "All is well" };
}

// Not healthy, and no problem has a name: what is bad, or else what nobody knows.
function judgeThings(all) {
  for (const [state, words] of [["problem", "are wrong"], ["unknown", "are not known"]]) {
    const those = all.filter((thing) => thing.state === state);
    if (those.length > 1) return { state, words: `${those.length} things ${words}` };
    if (those.length === 1) return { state, words: [those[0].title, those[0].summary].filter(Boolean).join(": ") };
  }
  return { state: "problem", words: "Something is wrong" };
}

// isOld: the server is away, and nobody knows whether it is still so.
export function verdict(overview, isOld) {
  const { state, words } = judge(overview);
  return h("div", { class: `verdict ${state}` }, icon(isOld ? "unknown" : state), h("h1", {}, isOld && h("span", { class: "old" }, "Last heard: "), words));
}

export function problems(overview) {
  const alone = overview.problems.length === 1;
  const plex = overview.plex;
  const rows = overview.problems.map((problem) =>
    h("li", {}, alone ? null : h("p", { class: "problem-text" }, problem.text), since(problem.since), problem.command && command(problem.command)),
  );
  const seen = [
    plex.checked && ["Plex was last checked ", time(plex.checked, "ago")],
    plex.viewers !== null && [plex.viewers === 0 ? "nobody is watching" : `${plural(plex.viewers, "person is", "people are")} watching`],
    plex.failures > 0 && [`${plural(plex.failures, "check")} in a row failed`],
    plex.breaker && [`the breaker is ${plex.breaker}`],
    plex.version && [`version ${plex.version}`],
  ].filter(Boolean);
  return [
    rows.length > 0 && h("ul", { class: "problems" }, rows),
    seen.length > 0 && h("p", { class: "quiet seen" }, seen.map((part, position) => [position ? " · " : "", ...part])),
  ];
}

function since(at) {
  return at && h("p", { class: "quiet" }, "since ", time(at), ", for ", time(at, "for"));
}

export function things(overview) {
  return overview.things.map((thing) =>
    h("li", { class: `card ${thing.state}`, "data-key": `thing-${thing.name}` },
      h("div", { class: "card-head" }, h("h3", {}, thing.title), badge(thing.state)),
      h("p", { class: "summary" }, thing.summary),
      thing.since && h("p", { class: "quiet" }, "since ", time(thing.since)),
      thing.details.length > 0 && h("dl", { class: "facts" }, thing.details.map(([label, value]) => [h("dt", {}, label), h("dd", {}, value)])),
      thing.command && command(thing.command),
    ),
  );
}

export function runs(overview) {
  return overview.runs.map((run) => {
    const share = run.total ? run.done / run.total : null;
    const percent = share === null ? "" : `${Math.floor(share * 100)} %`;
    return h("li", { class: "panel run", "data-key": `run-${run.name}` },
      h("div", { class: "card-head" }, h("h3", {}, run.name), badge(run.state), h("span", { class: "big" }, percent)),
      run.failure && h("p", { class: "failure" }, run.failure),
      h("p", {}, run.phase, run.done !== null && run.total !== null && `: ${run.done} of ${run.total}`),
      share !== null && meter(run.name, share, `${percent} of ${run.phase}`),
      h("dl", { class: "facts across" },
        fact("began", run.began && time(run.began)),
        fact("runs for", run.began && time(run.began, "for")),
        fact("ready about", run.eta ? [time(run.eta), run.eta > now() && [", ", time(run.eta, "ago")]] : "not known yet"),
        fact("cost so far", run.cost !== null && euros(run.cost)),
      ),
    );
  });
}

function fact(label, value) {
  return value ? [h("dt", {}, label), h("dd", {}, value)] : null;
}

// Mounts and backups: what each publishes of itself, by the names of its fields.
export function records(list) {
  return list.map((one, position) => {
    const title = one.title || one.name || one.path || `#${position + 1}`;
    const rest = Object.entries(one).filter(([name, value]) => !HEADS.has(name) && isShown(value) && value !== title);
    return h("li", { "data-key": `record-${title}` },
      h("div", { class: "card-head" }, h("h3", {}, String(title)), STATES.has(one.state) && badge(one.state)),
      typeof one.summary === "string" && h("p", {}, one.summary),
      h("dl", { class: "facts" }, rest.slice(0, 20).map(([name, value]) => {
        const [label, shown] = field(name, value);
        return [h("dt", {}, label), h("dd", {}, shown)];
      })),
      typeof one.command === "string" && one.command && command(one.command),
    );
  });
}

const HEADS = new Set(["title", "name", "state", "summary", "command"]);
const STATES = new Set(["well", "warning", "problem", "unknown", "off"]);

function isShown(value) {
  return (typeof value === "string" && value !== "") || typeof value === "number" || typeof value === "boolean";
}

export function channels(overview) {
  const rows = overview.channels.map((channel) => {
    const waiting = channel.waiting ? `${channel.waiting} waiting` : "all sent";
    return h("li", { "data-key": `channel-${channel.name}` },
      h("div", { class: "card-head" }, h("h3", {}, channel.name, " ", h("span", { class: "quiet" }, channel.kind)), badge(channel.state)),
      h("p", {}, waiting, channel.waiting && channel.oldest ? [", the oldest from ", time(channel.oldest)] : null, channel.dropped ? `, ${channel.dropped} dropped` : null),
      channel.reason && h("p", { class: "quiet" }, channel.reason),
    );
  });
  return rows.length > 0 ? rows : none("No channel is configured: nobody is told when something breaks.");
}

export function budgets(overview) {
  const rows = overview.budgets.map((budget) => {
    const left = budget.left ?? (budget.limit !== null && budget.used !== null ? budget.limit - budget.used : null);
    const words = budget.limit === 0 ? "switched off" : left === null ? "not known" : `${left} of ${budget.limit ?? "?"} left${budget.period && `, per ${budget.period}`}`;
    return h("li", { "data-key": `budget-${budget.name}` },
      h("div", { class: "card-head" }, h("h3", {}, budget.name), h("span", {}, words)),
      left !== null && budget.limit ? meter(budget.name, left / budget.limit, words, left === 0 ? "spent" : "") : null,
    );
  });
  return rows.length > 0 ? rows : none("None.");
}

export function timers(overview) {
  if (overview.timers.length === 0) return h("p", { class: "none" }, "None.");
  const rows = overview.timers.map((timer) =>
    h("tr", { "data-key": `timer-${timer.unit}` },
      h("th", { scope: "row" }, timer.unit),
      h("td", { "data-label": "last" }, timer.last ? time(timer.last, "ago") : "never"),
      h("td", { "data-label": "next" }, timer.next ? time(timer.next, "ago") : "–"),
      h("td", { "data-label": "result" }, timer.result || "–"),
    ),
  );
  return h("table", {},
    h("caption", { class: "unseen" }, "When each timer ran last and runs next"),
    h("thead", {}, h("tr", {}, ["Unit", "Last run", "Next run", "Result"].map((title) => h("th", { scope: "col" }, title)))),
    h("tbody", {}, rows),
  );
}
