// The candles of one symbol and one interval: bars of the server, continued from live trades and bars.

import type { BarFrame, StoredBar, TradeFrame } from "tickerplant";

/** A candle. `time` is its start in seconds of market time. */
export interface Candle {
  time: number;
  open: number;
  high: number;
  low: number;
  close: number;
  volume: number;
}

/** What an event does to the candles. `late` means that the bars of the server must be read again. */
export type Effect = "none" | "changed" | "begun" | "late";

export class Candles {
  list: Candle[] = [];
  /** The newest bar of the feed, and the candle without it. A bar of the feed replaces an earlier one of its time. */
  private bar = { time: "", before: undefined as Candle | undefined };

  /** `step` is the length of a candle in seconds. */
  constructor(private step: number) {}

  get newest(): Candle | undefined {
    return this.list.at(-1);
  }

  /** Takes bars of the server in place of all candles. */
  load(step: number, bars: StoredBar[]): void {
    this.step = step;
    this.list = bars.map(toCandle);
    this.bar = { time: "", before: undefined };
  }

  /** Takes the newest bars of the server in place of those candles that are not older. */
  correct(bars: StoredBar[]): void {
    const from = bars[0] && toCandle(bars[0]).time;
    if (from === undefined) return;
    const newest = this.newest;
    const kept = this.list.filter(({ time }) => time < from);
    const taken = bars.map(toCandle);
    // A candle that began after the answer is kept.
    const later = newest && newest.time > taken.at(-1)!.time ? [newest] : [];
    this.list = [...kept, ...taken, ...later];
  }

  takeTrade({ time, price, size }: TradeFrame): Effect {
    const value = Number(price);
    return this.take(time, { open: value, high: value, low: value, close: value, volume: Number(size ?? 0) });
  }

  takeBar({ time, open, high, low, close, volume }: BarFrame): Effect {
    const isSame = this.bar.time === time;
    if (isSame && this.bar.before && this.newest) this.list[this.list.length - 1] = { ...this.bar.before };
    else if (isSame) this.list.pop();
    this.bar = { time, before: this.newest?.time === this.startOf(time) ? { ...this.newest } : undefined };
    const last = Number(close);
    return this.take(time, {
      open: Number(open ?? last),
      high: Number(high ?? last),
      low: Number(low ?? last),
      close: last,
      volume: Number(volume ?? 0),
    });
  }

  private startOf(time: string): number {
    return Math.floor(Date.parse(time) / 1000 / this.step) * this.step;
  }

  private take(at: string, part: Omit<Candle, "time">): Effect {
    const time = this.startOf(at);
    const { newest } = this;
    if (newest && time < newest.time) return "late";
    if (!newest || time > newest.time) {
      this.list.push({ time, ...part });
      return "begun";
    }
    newest.high = Math.max(newest.high, part.high);
    newest.low = Math.min(newest.low, part.low);
    newest.close = part.close;
    newest.volume += part.volume;
    return "changed";
  }
}

const toCandle = ({ time, open, high, low, close, volume }: StoredBar): Candle => ({
  time: Date.parse(time) / 1000,
  open: Number(open),
  high: Number(high),
  low: Number(low),
  close: Number(close),
  volume: Number(volume ?? 0),
});
