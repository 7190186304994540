// Where things are on an axis. Pure.

const HOUR_MS = 3_600_000;

export function timeScale(from, to, left, right) {
  const width_ms = Math.max(1, to - from);
  return (at) => left + ((Math.min(Math.max(at, from), to) - from) / width_ms) * (right - left);
}

// Moments to mark on a time axis, at most `most`: whole hours or days of the browser's zone, also where a day has 23 hours.
export function timeTicks(from, to, most) {
  const hours = (to - from) / HOUR_MS;
  const step = [1, 2, 3, 6, 12, 24, 48, 72, 120, 168, 240].find((size) => hours / size <= most) ?? 720;
  const tick = new Date(from);
  tick.setHours(0, 0, 0, 0);
  const found = [];
  for (; tick <= to; tick.setHours(tick.getHours() + step)) if (tick >= from) found.push(new Date(tick));
  return { ticks: found, byDay: step >= 24 };
}

// Round values from 0 to something above `highest`.
export function linearTicks(highest, most = 4) {
  const rough = (highest || 1) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((size) => size * power).find((size) => size >= rough);
  return Array.from({ length: Math.ceil(highest / step - 1e-9) + 1 || 1 }, (_, position) => position * step);
}

// Powers of ten that enclose what is there.
export function powerTicks(lowest, highest) {
  const low = Math.floor(Math.log10(lowest));
  const high = Math.max(low + 1, Math.ceil(Math.log10(highest)));
  return Array.from({ length: high - low + 1 }, (_, position) => 10 ** (low + position));
}
