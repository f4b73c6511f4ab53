// The last values of all subscribed symbols: snapshots, joined with the updates after them.

import { type FoldedDay, dayOf, fold } from "./day.js";
import type { SnapshotFrame } from "./generated.js";
import type { Row, Update } from "./types.js";

/** A row, and what the store has to know about it. */
interface Entry {
  row: Row;
  day: FoldedDay | undefined;
  /** The newest event that was an update for the program. */
  delivered: number;
  /** The set of snapshots to which the row belongs. */
  set: number;
}

/** The last values of all symbols. */
export class Store {
  /** The rows, by symbol. */
  readonly rows = new Map<string, Row>();
  /** The symbols whose day has changed since their last snapshot. */
  readonly folded = new Set<string>();
  /** The number of the present set of snapshots. */
  set = 0;
  readonly #entries = new Map<string, Entry>();

  /** Begins a set of snapshots of all symbols. The rows of an earlier set stay until `sweep`. */
  begin(): void {
    this.set += 1;
  }

  /** Removes the rows that the present set of snapshots did not have. Returns their symbols. */
  sweep(): string[] {
    return this.remove((symbol) => this.#entries.get(symbol)?.set !== this.set);
  }

  /** Removes the rows whose symbol passes the test. Returns their symbols. */
  remove(test: (symbol: string) => boolean): string[] {
    const removed = [...this.#entries.keys()].filter(test);
    for (const symbol of removed) {
      this.#entries.delete(symbol);
      this.rows.delete(symbol);
      this.folded.delete(symbol);
    }
    return removed;
  }

  /** Replaces a row by a snapshot. */
  replace(snapshot: SnapshotFrame): void {
    this.#take(this.#entry(snapshot.symbol, true), snapshot).delivered = snapshot.seq;
  }

  /**
   * Corrects a row by a snapshot, unless the row is newer. The updates up to the snapshot are still delivered, but do
   * not change the row. Returns whether the snapshot was new enough.
   */
  correct(snapshot: SnapshotFrame): boolean {
    const entry = this.#entries.get(snapshot.symbol);
    if (!entry || snapshot.seq < entry.row.seq) return false;
    this.#take(entry, snapshot);
    return true;
  }

  /** Adds an update to its row. Returns false if the update was delivered before. */
  update(update: Update): boolean {
    const entry = this.#entry(update.symbol);
    if (update.seq <= entry.delivered) return false;
    entry.delivered = update.seq;
    const { row } = entry;
    row.receivedAt = Date.now();
    if (update.seq <= row.seq) return true;
    row.seq = update.seq;
    row.time = update.time;
    if (update.type === "quote") {
      row.quote = update;
      return true;
    }
    if (update.type === "trade") row.trade = update;
    else row.bar = update;
    entry.day = fold(entry.day, update);
    row.day = entry.day.day;
    this.folded.add(update.symbol);
    return true;
  }

  /** Returns the entry of a symbol in the present set. Makes it anew if it is of an earlier set, or if `anew`. */
  #entry(symbol: string, anew = false): Entry {
    const known = this.#entries.get(symbol);
    if (known && known.set === this.set && !anew) return known;
    const row = { symbol, seq: 0, time: "", receivedAt: Date.now() };
    const entry = { row, day: undefined, delivered: 0, set: this.set };
    this.#entries.set(symbol, entry);
    this.rows.set(symbol, row);
    return entry;
  }

  #take(entry: Entry, snapshot: SnapshotFrame): Entry {
    const { symbol, seq, trade, quote, bar, day } = snapshot;
    const { row } = entry;
    let time = row.time;
    let newest = -1;
    for (const event of [trade, quote, bar]) {
      if (event && event.seq > newest) ({ seq: newest, time } = event);
    }
    Object.assign(row, { seq, time, receivedAt: Date.now(), trade, quote, bar, day });
    entry.day = dayOf(snapshot);
    this.folded.delete(symbol);
    return entry;
  }
}
