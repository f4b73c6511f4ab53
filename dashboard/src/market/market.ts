// All symbols of one client, as the dashboard shows them.

import type { Client } from "tickerplant";
import { Instrument } from "./instrument";

/** The kinds of values that the feed has had. Columns without values are hidden. */
export interface Features {
  trades: boolean;
  quotes: boolean;
  volumes: boolean;
}

export class Market {
  readonly instruments = new Map<string, Instrument>();
  readonly features: Features = { trades: false, quotes: false, volumes: false };
  /** Grows when a symbol is added or removed, or when the feed shows a new kind of values. */
  generation = 0;
  /** The market time of the newest event. */
  time = "";
  /** When the newest event came, in milliseconds; 0 before the first. */
  receivedAt = 0;

  /** Follows a client. `changed` is called with the instruments that each batch of events has changed. */
  follow(client: Client, changed: (instruments: Instrument[]) => void): void {
    client.on("feed", ({ position }) => {
      if (position) this.time = position;
    });
    client.on("changed", (symbols) => changed(this.take(client, symbols)));
  }

  private take({ store }: Client, symbols: ReadonlySet<string>): Instrument[] {
    const now = performance.now();
    const changed: Instrument[] = [];
    for (const symbol of symbols) {
      const row = store.get(symbol);
      if (!row) {
        if (this.instruments.delete(symbol)) this.generation += 1;
        continue;
      }
      const instrument = this.of(symbol);
      instrument.take(row, now);
      this.learn(instrument);
      if (row.time > this.time) this.time = row.time;
      if (row.receivedAt > this.receivedAt) this.receivedAt = row.receivedAt;
      changed.push(instrument);
    }
    return changed;
  }

  private of(symbol: string): Instrument {
    let instrument = this.instruments.get(symbol);
    if (!instrument) {
      instrument = new Instrument(symbol);
      this.instruments.set(symbol, instrument);
      this.generation += 1;
    }
    return instrument;
  }

  /** Notes which kinds of values the feed has. */
  private learn({ last, bid, ask, volume }: Instrument): void {
    const has = this.features;
    if (!has.trades && last) this.show("trades");
    if (!has.quotes && (bid || ask)) this.show("quotes");
    if (!has.volumes && volume) this.show("volumes");
  }

  private show(feature: keyof Features): void {
    this.features[feature] = true;
    this.generation += 1;
  }
}
