// Times: market times of the feed, and spans of time in words. Market times are shown in UTC.

/** Returns the milliseconds since 1970 of a time in the protocol's form. */
export const toMilliseconds = (time: string): number => Date.parse(time);

/** Returns a market time to the second, such as `2024-01-03 14:30:00`. */
export const dateAndTime = (milliseconds: number): string =>
  Number.isFinite(milliseconds) ? new Date(milliseconds).toISOString().slice(0, 19).replace("T", " ") : "–";

/** Returns the time of day of a market time, such as `14:30:00`. */
export const timeOfDay = (milliseconds: number): string => dateAndTime(milliseconds).split(" ").at(-1)!;

/** Returns a span of time in its largest unit, such as `5s`, `3m` or `2h`. */
export function span(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  return seconds < 86_400 ? `${Math.floor(seconds / 3600)}h` : `${Math.floor(seconds / 86_400)}d`;
}

/** Returns a span of time in words, such as `4 min 10 s`. */
export function duration(milliseconds: number): string {
  const seconds = Math.ceil(milliseconds / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86_400)} d ${Math.floor((seconds % 86_400) / 3600)} h`;
}

const DAY = 86_400_000;

/**
 * Returns the time of a replay's file that is played at a market time. Each lap of a loop is whole days later, as many
 * as the file has.
 */
export function inFile(time: number, from: number, to: number): number {
  const dayOf = (milliseconds: number) => Math.floor(milliseconds / DAY);
  const days = dayOf(to) - dayOf(from) + 1;
  return time - Math.floor((dayOf(time) - dayOf(from)) / days) * days * DAY;
}

/** The lengths of the bars that the server has, in seconds. */
export const INTERVALS = { "1s": 1, "1m": 60, "5m": 300, "15m": 900, "1h": 3600, "1d": 86_400 } as const;

export type Interval = keyof typeof INTERVALS;
