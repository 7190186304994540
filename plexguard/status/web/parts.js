// Small parts that several sections show: states as icon and word, commands that can be copied, rows.

import { h, s } from "./dom.js";

const SHOWN_MS = 3000;
const STATE_WORDS = { well: "well", warning: "warning", problem: "problem", unknown: "unknown", off: "off" };
// Of a shape of its own each, so that nothing is told by colour alone.
const SHAPES = {
  well: ["M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z", "m8 12.2 2.8 2.8L16 9.5"],
  warning: ["M12 3.5 2.5 20.5h19z", "M12 10v4.5", "M12 17.4v.1"],
  problem: ["M8.3 3h7.4L21 8.3v7.4L15.7 21H8.3L3 15.7V8.3z", "m9 9 6 6", "m15 9-6 6"],
  unknown: ["M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z", "M9.5 9.5a2.5 2.5 0 1 1 3.6 2.3c-.8.4-1.1 1-1.1 1.7", "M12 16.6v.1"],
  off: ["M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z", "M8 12h8"],
  copy: ["M9 9h11v11H9z", "M15 9V4H4v11h5"],
  done: ["m5 12.5 4.5 4.5L19 7.5"],
  notice: ["M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z", "M12 11v5.5", "M12 7.5v.1"],
};
const SEVERITY_STATES = { critical: "problem", error: "problem", warning: "warning", notice: "notice", info: "notice" };

export function icon(state) {
  return s(
    "svg",
    { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" },
    SHAPES[state].map((d) => s("path", { d })),
  );
}

export function stateOf(severity) {
  return SEVERITY_STATES[severity] ?? "notice";
}

export function badge(state, word = STATE_WORDS[state] ?? state) {
  return h("span", { class: `badge ${state}` }, icon(state), h("span", {}, word));
}

export function command(line) {
  return h(
    "div",
    { class: "command" },
    // A line is only broken between its words, and not at the dashes of an option.
    h("code", {}, line.split(" ").flatMap((word, position) => [position ? " " : null, h("span", {}, word)])),
    h("button", { type: "button", class: "copy", "data-copy": line, title: "Copy", "aria-label": `Copy the command ${line}` }, icon("copy")),
  );
}

// A bar of how much, with its words: `text` says the same for who does not see it.
export function meter(name, share, text, kind = "") {
  const width = Math.max(0, Math.min(1, share)) * 100;
  return h(
    "div",
    { class: `meter ${kind}`, role: "meter", "aria-label": name, "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": Math.round(width), "aria-valuetext": text },
    s("svg", { width: "100%", height: 8, "aria-hidden": "true" },
      s("rect", { class: "meter-track", width: "100%", height: 8, rx: 4 }),
      s("rect", { class: "meter-fill", width: `${width}%`, height: 8, rx: 4 }),
    ),
  );
}

export function none(words) {
  return h("li", { class: "none" }, words);
}

export async function copy(button) {
  const line = button.dataset.copy;
  const done = (await toClipboard(line)) || bySelection(button.parentElement.querySelector("code"));
  button.replaceChildren(icon(done ? "done" : "copy"));
  setTimeout(() => button.replaceChildren(icon("copy")), SHOWN_MS);
  return done ? `Copied: ${line}` : "Selected. Copy it with Ctrl+C.";
}

async function toClipboard(line) {
  try {
    await navigator.clipboard.writeText(line);
    return true;
  } catch {
    return false;
  }
}

// Browsers have no clipboard for a page that came over plain HTTP from another machine.
function bySelection(code) {
  const range = document.createRange();
  range.selectNodeContents(code);
  const selection = getSelection();
  selection.removeAllRanges();
  selection.addRange(range);
  return document.execCommand("copy");
}
