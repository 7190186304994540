// The link to the server: questions with a time limit, and the stream of what is new, taken up again whenever it breaks off.

import { setClock } from "./format.js";

const TIMEOUT_MS = 10_000;
const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30_000;
// The stream's sign of life is a comment, which a page never sees: after so long a silence it asks.
const SILENCE_MS = 25_000;
const WATCH_MS = 5000;
// A page that nobody looks at keeps its title up to date, and no stream.
const HIDDEN_POLL_MS = 60_000;

export async function ask(path) {
  const answer = await fetch(`api/v1/${path}`, { signal: AbortSignal.timeout(TIMEOUT_MS), cache: "no-store" });
  setClock(answer.headers.get("Date"));
  if (!answer.ok) throw new Error(`the server answers ${answer.status}`);
  return answer.json();
}

export class Link {
  #handlers;
  #stream = null;
  #wait = FIRST_WAIT_MS;
  #retry = null;
  #openedOnce = false;

  // state: "connecting", "live", "asking" (no stream, but answers) or "away". heardAt: by Date.now(), null before the first time.
  state = "connecting";
  heardAt = null;
  retryAt = null;

  // handlers: overview(json), told(json), opened(again), changed().
  constructor(handlers) {
    this.#handlers = handlers;
  }

  start() {
    this.#open();
    setInterval(() => this.#watch(), WATCH_MS);
    setInterval(() => document.hidden && this.#lookHidden(), HIDDEN_POLL_MS);
    window.addEventListener("online", () => this.retry());
    document.addEventListener("visibilitychange", () => !document.hidden && this.#stream === null && this.retry());
  }

  retry() {
    if (this.state !== "live") this.#wait = FIRST_WAIT_MS;
    this.#open();
  }

  heard() {
    this.heardAt = Date.now();
  }

  #open() {
    clearTimeout(this.#retry);
    this.retryAt = null;
    this.#stream?.close();
    const stream = new EventSource("api/v1/stream");
    this.#stream = stream;
    const unanswered = setTimeout(() => this.#lost(stream), TIMEOUT_MS);
    stream.onopen = () => {
      clearTimeout(unanswered);
      this.heard();
      this.#become("live");
      this.#handlers.opened(this.#openedOnce);
      this.#openedOnce = true;
    };
    stream.onerror = () => {
      clearTimeout(unanswered);
      this.#lost(stream);
    };
    stream.addEventListener("overview", (message) => this.#take(message, this.#handlers.overview));
    stream.addEventListener("told", (message) => this.#take(message, this.#handlers.told));
  }

  #take(message, handler) {
    // Only what came whole shows that the server does what it should.
    this.#wait = FIRST_WAIT_MS;
    this.heard();
    const json = parse(message.data);
    if (json !== null) handler(json);
  }

  // The server may only have ended the stream: it is away when it does not answer a question either.
  async #lost(stream) {
    if (stream !== this.#stream) return;
    stream.close();
    this.#stream = null;
    const wait_ms = this.#wait * (0.75 + Math.random() / 2);
    this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT_MS);
    this.retryAt = Date.now() + wait_ms;
    this.#retry = setTimeout(() => this.#open(), wait_ms);
    await this.#look();
  }

  async #look() {
    try {
      this.#handlers.overview(await ask("overview"));
      this.heard();
      if (this.#stream === null) this.#become("asking");
    } catch {
      this.#become("away");
    }
  }

  async #watch() {
    if (this.state === "live" && Date.now() - this.heardAt > SILENCE_MS) {
      const stream = this.#stream;
      await this.#look();
      if (this.state === "away" && stream !== null) await this.#lost(stream);
    }
  }

  #lookHidden() {
    this.#stream?.close();
    this.#stream = null;
    clearTimeout(this.#retry);
    return this.#look();
  }

  #become(state) {
    if (this.state === state) return;
    this.state = state;
    this.#handlers.changed();
  }
}

function parse(data) {
  try {
    return JSON.parse(data);
  } catch {
    return null;
  }
}
