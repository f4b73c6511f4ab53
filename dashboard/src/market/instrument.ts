// What the dashboard shows of one symbol: the last values of the library's store, ready to be written.

import type { Row } from "tickerplant";
import { compare, places, subtract } from "./decimal";

/** A move of the last price. */
export type Direction = "up" | "down" | "";

export class Instrument {
  last = "";
  bid = "";
  bidSize = "";
  ask = "";
  askSize = "";
  spread = "";
  open = "";
  high = "";
  low = "";
  volume = "";
  change = "";
  changePercent = "";
  /** Whether the symbol has had a trade. */
  hasTrades = false;
  /** The market time of the newest event. */
  time = "";
  /** When the page got the newest event, in milliseconds; 0 for a symbol without data. */
  receivedAt = 0;
  /** The reason for a halt of trading, `halted` where none is known, or empty. */
  halted = "";
  /** The direction of the newest move of the last price, and when it came. */
  tick: Direction = "";
  tickAt = -Infinity;
  /** Grows with each change, so that a row knows whether it must be drawn again. */
  version = 0;
  /** The most decimals that a price of this symbol has had. All its prices are shown with so many. */
  decimals = 2;

  constructor(readonly symbol: string) {}

  /** Where the last price lies between the low (0) and the high (1) of the day, if these differ. */
  get place(): number | undefined {
    const low = Number(this.low);
    const range = Number(this.high) - low;
    return range > 0 ? (Number(this.last) - low) / range : undefined;
  }

  /** Takes the last values. `now` is the time of `performance.now()`. */
  take({ trade, quote, bar, status, day, time, receivedAt }: Row, now: number): void {
    this.version += 1;
    this.hasTrades = trade !== undefined;
    const last = day?.last ?? trade?.price ?? bar?.close ?? "";
    if (last !== this.last) {
      const move = this.last && last ? compare(last, this.last) : 0;
      if (move) {
        this.tick = move > 0 ? "up" : "down";
        this.tickAt = now;
      }
      this.last = last;
      this.decimals = Math.max(this.decimals, places(last));
    }
    const { bid = "", ask = "", bid_size = "", ask_size = "" } = quote ?? {};
    if (bid !== this.bid || ask !== this.ask) {
      this.spread = bid && ask ? subtract(ask, bid) : "";
      this.decimals = Math.max(this.decimals, places(bid), places(ask));
    }
    this.bid = bid;
    this.ask = ask;
    this.bidSize = bid_size;
    this.askSize = ask_size;
    this.open = day?.open ?? "";
    this.high = day?.high ?? "";
    this.low = day?.low ?? "";
    this.volume = day?.volume ?? "";
    this.change = day?.change ?? "";
    this.changePercent = day?.change_percent ?? "";
    this.halted = status?.status === "halted" ? (status.reason ?? "halted") : "";
    this.time = time;
    this.receivedAt = receivedAt;
  }
}
