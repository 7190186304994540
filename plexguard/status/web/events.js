// The latest events, newest first, each with its runbook.

import { h } from "./dom.js";
import { field, time } from "./format.js";
import { badge, command, none, stateOf } from "./parts.js";

const PARTS = [["meaning", "What it means"], ["decided", "How it was decided"], ["did", "What plexguard did"], ["action", "What to do"]];
const LINE = 400;

export function events(list, opened) {
  if (list.length === 0) return none("No event.");
  return list.map((event) =>
    h("li", { "data-key": `event-${event.id}` },
      h("details", { "data-event": event.id },
        h("summary", {},
          h("span", { class: "when" }, event.at ? time(event.at) : "–"),
          badge(stateOf(event.severity), event.severity),
          h("span", { class: "what" }, event.message.length > LINE ? `${event.message.slice(0, LINE)} …` : event.message),
        ),
        // Made when it is unfolded: a page of events has a thousand paragraphs.
        opened.has(event.id) && body(event),
      ),
    ),
  );
}

function body(event) {
  const facts = [["event", event.name], ["unit", event.unit], ["host", event.host], ...event.fields.map(([name, value]) => field(name, value))];
  return h("div", { class: "runbook" },
    event.message.length > LINE && h("p", {}, event.message),
    PARTS.map(([part, title]) => event.runbook[part].trim() && [h("h4", {}, title), prose(event.runbook[part])]),
    h("h4", {}, "Details"),
    h("dl", { class: "facts" }, event.at && [h("dt", {}, "at"), h("dd", {}, event.at.toISOString())],
      facts.filter(([, value]) => value !== "").map(([label, value]) => [h("dt", {}, label), h("dd", {}, value)])),
  );
}

// Runbooks are paragraphs, and commands on indented lines.
export function prose(text) {
  const lines = text.split("\n");
  const indents = lines.filter((line) => line.trim()).map((line) => line.length - line.trimStart().length);
  const indent = Math.min(...indents);
  const parts = [];
  let paragraph = [];
  const close = () => {
    if (paragraph.length > 0) parts.push(h("p", {}, paragraph.join(" ")));
    paragraph = [];
  };
  for (const raw of lines) {
    const line = raw.slice(Math.min(indent, raw.length - raw.trimStart().length));
    if (line.trim() && !line.startsWith(" ")) {
      paragraph.push(line.trim());
      continue;
    }
    close();
    if (line.trim()) parts.push(command(line.trim()));
  }
  close();
  return parts;
}
