// How far the client has come: the cursor from which the next connection goes on, and what the server still
// owes.

import type { SetFrame, SubscribedFrame, UnsubscribedFrame } from "./generated.js";

/** A reply that says what the connection receives. */
export type Reply = SubscribedFrame | UnsubscribedFrame | SetFrame;

/** The progress of a client. */
export class Progress {
  /**
   * The symbols that wait for their first snapshot, or for one after a gap or a seek. A resume would not
   * bring their last values.
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

  /** `complete` is called when the last snapshot of a set has come. */
  constructor(private readonly complete: () => void) {}

  /**
   * The cursor, once the client has one. All events up to it have come, except those of the unsynced symbols.
   */
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

  /**
   * Notes a reply. Returns whether it is the first of its connection, and whether the server has resumed.
   * Before a reply about symbols, the server writes all that it had conflated, so the cursor moves to the
   * reply.
   */
  replied({ type, epoch, seq, resumed }: Reply): "first" | "resumed" | "later" {
    const isFirst = this.#isNew;
    this.#isNew = false;
    if (isFirst && resumed) {
      if (seq > this.#seq) this.#head = seq;
      return "resumed";
    }
    if (isFirst || type !== "set") {
      this.#epoch = epoch;
      this.#seq = seq;
    }
    return isFirst ? "first" : "later";
  }

  /** Notes that a set of snapshots begins. */
  expect(snapshots: number, symbols: readonly string[], seq = this.#seq): void {
    symbols.forEach((symbol) => this.unsynced.add(symbol));
    this.#seq = seq;
    this.#owed = snapshots;
    this.#symbols = symbols;
    this.#check();
  }

  /** Notes a snapshot. */
  snapshot(symbol: string): void {
    if (!this.#owed) return;
    this.unsynced.delete(symbol);
    this.#owed -= 1;
    this.#check();
  }

  /** Notes an event. */
  event(seq: number): void {
    this.#seq = seq;
    if (seq >= (this.#head ?? Infinity)) this.caughtUp();
  }

  /** Notes that all missed events have come. */
  caughtUp(): void {
    this.#head = undefined;
  }

  /** A symbol without data has no snapshot, so the whole set counts. */
  #check(): void {
    if (this.#owed) return;
    this.#symbols.forEach((symbol) => this.unsynced.delete(symbol));
    this.complete();
  }
}
