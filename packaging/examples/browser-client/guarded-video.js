// A video of Plex's in a page, through plexguard's front door: every attempt has a limit in time, what may pass is tried again after
// pauses that grow, all of it ends within one limit, and whoever began it can stop it. It needs no other file.
//
// The token goes in a header where this file asks. A <video> or <img> can send none: what they are given has it in its query. The
// front door logs no query; log and show such an address nowhere else either. No error from here names a token.

export const DEFAULTS = Object.freeze({
  attempts: 3,
  // Before the second attempt; before each further one, twice as long.
  wait_ms: 2000,
  // For one answer: of a list, and of a file, whose disk may have to wake up.
  list_ms: 10_000,
  file_ms: 30_000,
  // For all attempts and the pauses between them.
  total_ms: 60_000,
});
// Up to so much of a pause is added to it by chance, so that not all who were turned away come back at once.
const JITTER = 0.25;
// 500 is not among them: an item whose file is broken says it for ever, and would open the breaker for everybody.
const PASSING = new Set([429, 502, 503, 504]);
const SAYS_WHEN = new Set([429, 503]);
// What only reads. Reports of a player, marks and starts of transcodes are asked once: a late answer may have been accepted.
const READING = /^\/(identity|library\/(sections(\/\d+\/all)?|metadata\/\d+(\/children)?|parts\/\d+\/\d+\/[^/%]+\.\w+))$/;
// A video that went on for so long has recovered; one that breaks off sooner has not, and its attempts are counted on.
const STEADY_S = 10;

// message: for people, without its full stop. mayPass: another attempt makes sense. wait_s: when to come again, as the server says.
// reason: one word of the front door's. wentOn: a video had recovered, and its attempts begin anew.
export class Unanswered extends Error {
  name = "Unanswered";

  constructor(message, { mayPass = false, status = 0, reason = "", wait_s = 0, wentOn = false } = {}) {
    super(message);
    Object.assign(this, { mayPass, status, reason, wait_s, wentOn });
  }
}

// Does work({ signal }) until it succeeds, at most `attempts` times. retrying({ attempt, pause_ms, error }) is told of each pause.
export async function retryWithBackoff(work, options = {}) {
  const { attempts, wait_ms, total_ms, signal, retrying } = { ...DEFAULTS, ...options };
  let deadline = performance.now() + total_ms;
  for (let attempt = 1; ; attempt += 1) {
    try {
      const left_ms = Math.max(0, Math.round(deadline - performance.now()));
      return await work({ signal: either(signal, AbortSignal.timeout(left_ms)) });
    } catch (error) {
      signal?.throwIfAborted();
      if (error.wentOn) [attempt, deadline] = [1, performance.now() + total_ms];
      const pause_ms = Math.max(wait_ms * 2 ** (attempt - 1), (error.wait_s ?? 0) * 1000) * (1 + Math.random() * JITTER);
      // Who is told to come later than the limit does not come sooner: it is over.
      if (!error.mayPass || attempt >= attempts || performance.now() + pause_ms >= deadline) throw error;
      retrying?.({ attempt, pause_ms, error });
      await pause(pause_ms, signal);
    }
  }
}

// Asks once, and reads the answer within the same limit: one that breaks off is none. take(answer): what is wanted of it.
export async function ask(url, { token, signal, limit_ms = DEFAULTS.list_ms, headers, take = (answer) => answer.json() } = {}) {
  const path = new URL(url).pathname;
  try {
    const answer = await fetch(url, {
      headers: { Accept: "application/json", ...(token && { "X-Plex-Token": token }), ...headers },
      signal: either(signal, AbortSignal.timeout(limit_ms)),
      cache: "no-store",
      credentials: "omit",
      referrerPolicy: "no-referrer",
    });
    if (!answer.ok) throw await refusal(answer, path);
    return await take(answer);
  } catch (error) {
    if (!Object.hasOwn(FAULTS, error?.name)) throw error;
    const [why, passes] = FAULTS[error.name];
    throw new Unanswered(why, { mayPass: passes && READING.test(path) });
  }
}

// A browser calls all of it a TypeError: no connection, an answer that broke off, one that this page may not read.
const FAULTS = {
  TimeoutError: ["Plex did not answer in time", true],
  TypeError: ["Plex could not be reached, or its answer broke off", true],
  SyntaxError: ["Plex's answer makes no sense", false],
};

async function refusal(answer, path) {
  // From the front door: {error, reason, message, retry_after_s}. From Plex, anything.
  const told = await answer.json().catch(() => ({}));
  return new Unanswered(typeof told?.message === "string" ? told.message : `Plex answered ${answer.status}`, {
    mayPass: PASSING.has(answer.status) && READING.test(path),
    status: answer.status,
    reason: typeof told?.reason === "string" ? told.reason : "",
    wait_s: SAYS_WHEN.has(answer.status) ? readWait(answer.headers.get("Retry-After")) : 0,
  });
}

// Retry-After has seconds or a date.
function readWait(text) {
  const wait_s = /^\d+$/.test(text ?? "") ? Number(text) : (Date.parse(text) - Date.now()) / 1000;
  return Number.isFinite(wait_s) ? Math.max(0, wait_s) : 0;
}

// Returns { title, video, picture }, the last two as paths; picture is "" where there is none.
export async function readItem({ plex, token, item, signal, limit_ms }) {
  const json = await ask(addressOf(plex, `/library/metadata/${item}`), { token, signal, limit_ms });
  const found = json?.MediaContainer?.Metadata?.[0];
  const video = found?.Media?.[0]?.Part?.[0]?.key;
  if (typeof video !== "string") throw new Unanswered("The item has no video");
  return { title: String(found.title ?? ""), video, picture: String(found.thumb ?? found.art ?? "") };
}

// Returns the address of a path of Plex's, with the token for elements that cannot send a header. Nobody else is given the token.
export function addressOf(plex, path, token = "") {
  const url = new URL(path, plex);
  if (url.origin !== new URL(plex).origin) throw new Unanswered("The address is not Plex's");
  if (token) url.searchParams.set("X-Plex-Token", token);
  return url.href;
}

// Plays an item's file in a <video> and ends with it. A video that breaks off is taken up where it was.
// found(item), started() and retrying(...) tell how it goes; who stops it by the signal gets the signal's reason.
export function play(video, { plex, token, item, found, started, ...options }) {
  const { list_ms, file_ms } = { ...DEFAULTS, ...options };
  let known = null;
  let at_s = 0;
  const attempt = async ({ signal }) => {
    if (known === null) {
      known = await readItem({ plex, token, item, signal, limit_ms: list_ms });
      found?.(known);
    }
    const address = addressOf(plex, known.video, token);
    // A <video> never says why it has nothing. The first byte does, and asks of the disk what the video will.
    const type = await ask(address, { signal, limit_ms: file_ms, headers: { Range: "bytes=0-0" }, take: firstByte });
    await load(video, address, { type, at_s, signal, limit_ms: file_ms });
    const began_s = video.currentTime;
    started?.();
    try {
      await toEnd(video, { signal: options.signal, limit_ms: file_ms });
    } catch (error) {
      at_s = video.currentTime;
      if (at_s - began_s >= STEADY_S) error.wentOn = true;
      throw error;
    }
  };
  return retryWithBackoff(attempt, options);
}

// Returns the type of the file, "" where none is told.
async function firstByte(answer) {
  const reader = answer.body.getReader();
  await reader.read();
  // A server that knows no ranges sends all of it.
  await reader.cancel();
  return answer.headers.get("Content-Type") ?? "";
}

async function load(video, address, { type, at_s, signal, limit_ms }) {
  video.preload = "auto";
  video.src = address;
  if (at_s > 0) video.currentTime = at_s;
  try {
    await until(video, "loadeddata", either(signal, AbortSignal.timeout(limit_ms)));
  } catch (error) {
    video.removeAttribute("src");
    video.load();
    // To its own error an element adds nothing that can be relied on; what it can play it says beforehand.
    if (error instanceof Unanswered && type && !video.canPlayType(type)) throw new Unanswered(`This browser does not play ${type}`);
    throw error.name === "TimeoutError" ? new Unanswered("The video did not come in time", { mayPass: true }) : error;
  }
}

async function toEnd(video, { signal, limit_ms }) {
  // Browsers ask again by themselves where a file breaks off, some of them for ever.
  const stuck = new AbortController();
  const here = { signal: stuck.signal };
  let timer = 0;
  const goes = () => clearTimeout(timer);
  const waits = () => {
    goes();
    timer = setTimeout(() => stuck.abort(new Unanswered("The video stands still", { mayPass: true })), limit_ms);
  };
  video.addEventListener("waiting", waits, here);
  for (const name of ["playing", "pause", "seeking"]) video.addEventListener(name, goes, here);
  // Where a browser wants a person to begin it, the person finds the controls.
  video.play().catch(() => {});
  try {
    await until(video, "ended", either(signal, stuck.signal));
  } finally {
    goes();
    stuck.abort();
  }
}

// Waits for an event of a video; its failure or the signal ends the wait.
function until(video, name, signal) {
  const done = new AbortController();
  const over = { once: true, signal: done.signal };
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    signal.addEventListener("abort", () => reject(signal.reason), over);
    video.addEventListener(name, () => resolve(), over);
    video.addEventListener("error", () => reject(new Unanswered("The video broke off", { mayPass: true })), over);
  }).finally(() => done.abort());
}

function either(signal, other) {
  return signal ? AbortSignal.any([signal, other]) : other;
}

function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => (clearTimeout(timer), reject(signal.reason)), { once: true });
  });
}
