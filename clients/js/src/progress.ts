// How far the client has come: the cursor from which the next connection goes on, and what the server still owes.

import type { SubscribedFrame } from "./generated.js";

/** The progress of a client. */
export class Progress {
  /**
   * The symbols that wait for their first snapshot, or for one after a gap or a seek. A resume would not bring their
   * last values.
   */
  readonly unsynced = new Set<string>();
  #epoch: string | undefined;
  #seq = 0;
  /** Whether the present connection has not answered yet. */
  #isNew = true;
  /** How many snapshots of the present set are still to come, and the symbols of the set. */
  #owed = 0;
  #symbols: readonly string[] = [];
  /** While the client resumes: the newest event of the feed when it began. */
  #head: number | undefined;

  /** The cursor, once the client has one. All events up to it have come, except those of the unsynced symbols. */
  get cursor(): string | undefined {
    return this.#epoch && `${this.#epoch}-${this.#seq}`;
  }

  /** Whether all snapshots and all missed events have come. */
  get isReady(): boolean {
    return !this.#isNew && !this.#owed && this.#head === undefined;
  }

  /** Notes that a connection has opened. */
  opened(): void {
    this.#isNew = true;
    this.#owed = 0;
    this.#head = undefined;
  }

  /** Forgets the cursor. */
  forget(): void {
    this.#epoch = undefined;
  }

  /**
   * Notes a reply. Returns whether it is the first of its connection, and whether the server has resumed. The server
   * writes a reply after all that it had conflated, so the cursor moves to the reply.
   */
  replied({ epoch, seq, resumed }: Pick<SubscribedFrame, "epoch" | "seq" | "resumed">): "first" | "resumed" | "later" {
    const isFirst = this.#isNew;
    this.#isNew = false;
    if (isFirst && resumed) {
      if (seq > this.#seq) this.#head = seq;
      return "resumed";
    }
    this.#epoch = epoch;
    this.#seq = seq;
    return isFirst ? "first" : "later";
  }

  /** Notes that a set of snapshots begins. Returns whether it is complete already. */
  expect(snapshots: number, symbols: readonly string[], seq = this.#seq): boolean {
    symbols.forEach((symbol) => this.unsynced.add(symbol));
    this.#seq = seq;
    this.#owed = snapshots;
    this.#symbols = symbols;
    return this.#isComplete();
  }

  /** Notes a snapshot. Returns whether its set is complete now. */
  snapshot(symbol: string): boolean {
    this.unsynced.delete(symbol);
    if (!this.#owed) return false;
    this.#owed -= 1;
    return this.#isComplete();
  }

  /** Notes an event. Returns whether it is the last one that the client had missed. */
  event(seq: number): boolean {
    this.#seq = seq;
    return this.#head !== undefined && seq >= this.#head && this.caughtUp();
  }

  /** Notes that all missed events have come. Returns whether that is news. */
  caughtUp(): boolean {
    const isNews = this.#head !== undefined;
    this.#head = undefined;
    return isNews;
  }

  /** A symbol without data has no snapshot, so the whole set counts. */
  #isComplete(): boolean {
    if (this.#owed) return false;
    this.#symbols.forEach((symbol) => this.unsynced.delete(symbol));
    this.#symbols = [];
    return true;
  }
}
