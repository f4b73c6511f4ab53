// The day of a symbol: how trades and bars change what a snapshot said.

import { add, compare, percent, subtract } from "./decimal.js";
import type { BarFrame, Day, Decimal, SnapshotFrame, TradeFrame } from "./generated.js";

/** A day, and what else is necessary to fold more events into it. */
export interface FoldedDay {
  readonly day: Day;
  /** The kind of events that the day is made of. */
  readonly basis: "trade" | "bar";
  /** The UTC date. */
  readonly date: string;
  /** The price to which the last price is compared. */
  readonly reference: Decimal;
}

/** Returns the day of a snapshot, if it has one. */
export function dayOf({ day, trade, bar }: SnapshotFrame): FoldedDay | undefined {
  const newest = trade ?? bar;
  if (!day || !newest) return undefined;
  const reference = day.change === undefined ? day.open : subtract(day.last, day.change);
  return { day, basis: trade ? "trade" : "bar", date: newest.time.slice(0, 10), reference };
}

/**
 * Returns the day after a trade or a bar. Like the server, it makes the day of trades; of bars only while there are no
 * trades. An event of an earlier date changes nothing.
 */
export function fold(before: FoldedDay | undefined, event: TradeFrame | BarFrame): FoldedDay {
  const basis = event.type;
  const date = event.time.slice(0, 10);
  const same = before?.basis === basis;
  if (before && ((before.basis === "trade" && basis === "bar") || (same && date < before.date))) return before;
  const last = event.type === "trade" ? event.price : event.close;
  const { open = last, high = last, low = last } = event.type === "bar" ? event : {};
  const volume = event.type === "trade" ? event.size : event.volume;
  if (!before || !same || before.date !== date) {
    const reference = !before ? open : before.date < date ? before.day.last : before.reference;
    return { day: withChange({ open, high, low, last, ...(volume && { volume }) }, reference), basis, date, reference };
  }
  const { day, reference } = before;
  const total = day.volume && volume ? add(day.volume, volume) : (day.volume ?? volume);
  const extended = {
    open: day.open,
    high: compare(day.high, high) < 0 ? high : day.high,
    low: compare(day.low, low) > 0 ? low : day.low,
    last,
    ...(total && { volume: total }),
  };
  return { day: withChange(extended, reference), basis, date, reference };
}

function withChange(day: Day, reference: Decimal): Day {
  const change = subtract(day.last, reference);
  const change_percent = percent(change, reference);
  return { ...day, change, ...(change_percent && { change_percent }) };
}
