// The last values of all subscribed symbols: snapshots, joined with the updates after them.

import { type FoldedDay, dayOf, fold } from "./day.js";
import type { Bar, Day, Quote, SnapshotFrame, Trade } from "./generated.js";
import type { Halt, Row, Update } from "./types.js";

/** A row, and what only the store has to know about it. */
class StoredRow implements Row {
  trade?: Trade | undefined;
  quote?: Quote | undefined;
  bar?: Bar | undefined;
  status?: Halt | undefined;
  day?: Day | undefined;
  seq = 0;
  time = "";
  receivedAt = 0;
  #day: FoldedDay | undefined;
  /** The newest event that was an update for the program. */
  #delivered = 0;
  /** The set of snapshots to which the row belongs. */
  readonly #set: number;

  constructor(
    readonly symbol: string,
    set: number,
  ) {
    this.#set = set;
  }

  isOf(set: number): boolean {
    return this.#set === set;
  }

  /** Takes the values of a snapshot. Unless it is a correction, the updates up to it are not delivered. */
  take(snapshot: SnapshotFrame, isCorrection: boolean): void {
    const { seq, trade, quote, bar, day } = snapshot;
    let newest = -1;
    for (const event of [trade, quote, bar]) {
      if (event && event.seq > newest) ({ seq: newest, time: this.time } = event);
    }
    Object.assign(this, { seq, trade, quote, bar, day, status: snapshot, receivedAt: Date.now() });
    this.#day = dayOf(snapshot);
    if (!isCorrection) this.#delivered = seq;
  }

  /** The date of the day. */
  get date(): string | undefined {
    return this.#day?.date;
  }

  /** Adds an update. Returns false if it was delivered before. */
  add(update: Update): boolean {
    const { seq, time, type } = update;
    if (seq <= this.#delivered) return false;
    this.#delivered = seq;
    this.receivedAt = Date.now();
    if (seq > this.seq) {
      Object.assign(this, { seq, time, [type]: update });
      if (type === "trade" || type === "bar") this.day = (this.#day = fold(this.#day, update)).day;
    }
    return true;
  }
}

/** The last values of all symbols. */
export class Store {
  readonly rows = new Map<string, StoredRow>();
  /** The symbols whose day has changed since their last snapshot. */
  readonly folded = new Set<string>();
  /**
   * Whether a day seems to have begun. A snapshot does not say its date. If the newest trade of a snapshot
   * came late, from the day before, the day had begun already. Then only the server knows the earlier trades.
   */
  hasNewDay = false;
  /** The number of the present set of snapshots. */
  set = 0;

  /** Begins a set of snapshots of all symbols. The rows of an earlier set stay until `sweep`. */
  begin(): void {
    this.set += 1;
  }

  /** Removes the rows that the present set of snapshots did not have. Returns their symbols. */
  sweep(): string[] {
    return this.remove((row) => !row.isOf(this.set));
  }

  /** Removes the rows that pass the test. Returns their symbols. */
  remove(test: (row: StoredRow) => unknown): string[] {
    const removed = [...this.rows.values()].filter(test).map(({ symbol }) => symbol);
    for (const symbol of removed) {
      this.rows.delete(symbol);
      this.folded.delete(symbol);
    }
    return removed;
  }

  /** Returns whether there is a row of the present set. */
  has(symbol: string): boolean {
    return !!this.rows.get(symbol)?.isOf(this.set);
  }

  /** Replaces a row by a snapshot. */
  replace(snapshot: SnapshotFrame): void {
    this.folded.delete(snapshot.symbol);
    this.#new(snapshot.symbol).take(snapshot, false);
  }

  /** Corrects a row by a snapshot, unless the row is newer. Returns whether the snapshot was new enough. */
  correct(snapshot: SnapshotFrame): boolean {
    const row = this.rows.get(snapshot.symbol);
    if (!row || snapshot.seq < row.seq) return false;
    this.folded.delete(snapshot.symbol);
    row.take(snapshot, true);
    return true;
  }

  /** Adds an update to its row. Returns false if the update was delivered before. */
  update(update: Update): boolean {
    const { symbol } = update;
    const row = (this.has(symbol) && this.rows.get(symbol)) || this.#new(symbol);
    const { date = "", day } = row;
    const isNews = row.add(update);
    if (day !== row.day) this.folded.add(symbol);
    if (date && date !== row.date) this.hasNewDay = true;
    return isNews;
  }

  #new(symbol: string): StoredRow {
    const row = new StoredRow(symbol, this.set);
    this.rows.set(symbol, row);
    return row;
  }
}
