// The day of a symbol: how trades and bars change what a snapshot said.

import { add, isAbove, percent, subtract } from "./decimal.js";
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
  const reference = day.change ? subtract(day.last, day.change) : day.open;
  return { day, basis: trade ? "trade" : "bar", date: newest.time.slice(0, 10), reference };
}

/**
 * Returns the day after a trade or a bar. Like the server, the client makes the day of trades, and of bars
 * only while there are no trades. An event of an earlier date changes nothing.
 */
export function fold(before: FoldedDay | undefined, event: TradeFrame | BarFrame): FoldedDay {
  const { type: basis, time } = event;
  const date = time.slice(0, 10);
  const bar = event.type === "trade" ? { close: event.price, volume: event.size } : event;
  const { close, open = close, high = close, low = close, volume } = bar as Partial<BarFrame> & { close: Decimal };
  const next = { open, high, low, last: close, volume };
  let reference = open;
  if (before) {
    const { day } = before;
    const isSame = before.basis === basis;
    if (isSame ? date < before.date : basis === "bar") return before;
    reference = before.date < date ? day.last : before.reference;
    if (isSame && date === before.date) {
      next.open = day.open;
      if (isAbove(day.high, high)) next.high = day.high;
      if (!isAbove(day.low, low)) next.low = day.low;
      if (day.volume) next.volume = volume ? add(day.volume, volume) : day.volume;
    }
  }
  const change = subtract(close, reference);
  return { day: { ...next, change, change_percent: percent(change, reference) }, basis, date, reference };
}
