// The sparklines of the rows in view. Their bars are loaded a few at a time, once for each symbol.

import type { Client, StoredBar } from "tickerplant";
import type { Instrument } from "../market/instrument";
import { Sparkline } from "./sparkline";

/** How many requests for bars are under way at once. */
const REQUESTS = 3;
/** How long a symbol must be in view before its bars are loaded, in milliseconds. */
const SETTLED = 120;
/** With fewer minutes than this, the line is made of seconds. */
const FEW_MINUTES = 10;

export class Sparklines {
  private lines = new Map<string, Sparkline>();
  /** The symbols that have come into view since the last load. */
  private waiting: string[] = [];
  /** The symbols whose bars are loaded next. */
  private next: string[] = [];
  private loading = 0;

  /** The client that reads the bars. */
  client: Client | undefined;

  private timer: number | undefined;

  /** `inView` returns the symbols in view. `changed` is called when the bars of a symbol have come. */
  constructor(
    private inView: () => string[],
    private changed: () => void,
  ) {}

  /** Returns the line of a symbol in view. Begins to load its bars if nobody has asked for them yet. */
  of(symbol: string): Sparkline {
    let line = this.lines.get(symbol);
    if (!line) {
      line = new Sparkline(1);
      this.lines.set(symbol, line);
      this.waiting.push(symbol);
      this.loadSoon();
    }
    return line;
  }

  /** Takes the last price of a symbol, if the symbol has been in view. */
  push({ symbol, time, last }: Instrument): void {
    if (last) this.lines.get(symbol)?.push(time, last);
  }

  /** Forgets all lines, after a seek. */
  clear(): void {
    this.lines.clear();
    this.waiting = this.next = [];
  }

  /** Loads when no other symbol has come into view for a moment, so that a fast scroll loads nothing. */
  private loadSoon(): void {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => {
      const shown = new Set(this.inView());
      const all = [...this.next, ...this.waiting];
      // A symbol that has left the view is asked for again when it comes back.
      for (const symbol of all) if (!shown.has(symbol)) this.lines.delete(symbol);
      this.next = all.filter((symbol) => shown.has(symbol));
      this.waiting = [];
      this.load();
    }, SETTLED);
  }

  private load(): void {
    while (this.client && this.loading < REQUESTS && this.next.length) {
      const symbol = this.next.shift()!;
      const line = this.lines.get(symbol);
      this.loading += 1;
      void this.fill(symbol, line).finally(() => {
        this.loading -= 1;
        this.load();
      });
    }
  }

  private async bars(symbol: string, interval: "1s" | "1m", limit: number): Promise<StoredBar[]> {
    return (await this.client!.get(`bars/${encodeURIComponent(symbol)}`, { interval, limit })).bars;
  }

  private async fill(symbol: string, line?: Sparkline): Promise<void> {
    try {
      const minutes = await this.bars(symbol, "1m", 60);
      const isShort = minutes.length < FEW_MINUTES;
      line?.load(isShort ? 1 : 60, isShort ? await this.bars(symbol, "1s", 600) : minutes);
      this.changed();
    } catch {
      // The line grows from live prices alone.
    }
  }
}
