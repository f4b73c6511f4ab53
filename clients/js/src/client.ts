// The client: carries out what the program asks for, and distributes what the server sends.

import { Connection } from "./connection.js";
import { parse } from "./decimal.js";
import { Emitter } from "./emitter.js";
import { ServerError } from "./errors.js";
import type * as wire from "./generated.js";
import { Http, type Query, baseOf } from "./http.js";
import { iterate } from "./iterate.js";
import { type Link, reasonOf } from "./link.js";
import { Progress } from "./progress.js";
import { Store } from "./store.js";
import type { Client, Counts, Events, Options, Row, State, Update } from "./types.js";
import { CHANNELS, Wanted } from "./wanted.js";

type Reply = wire.SubscribedFrame | wire.UnsubscribedFrame | wire.SetFrame;
type Frame = wire.Frame | Reply | wire.AuthenticatedFrame | wire.PongFrame | wire.ErrorFrame;

/** A call of the program that waits for the server. */
interface Call {
  resolve(): void;
  reject(error: Error): void;
  /** The symbols that a `subscribe` names. */
  symbols?: readonly string[];
}

/** The connection broke before the reply. The next connection brings what the command was about. */
class Interrupted extends Error {}

/** A client of one server. */
export class TickerClient implements Client {
  readonly counts: Counts = { updates: 0, conflated: 0, missed: 0, reconnects: 0 };
  readonly unknown = new Set<string>();
  feed: wire.FeedInfo | undefined;
  access: wire.AuthenticatedFrame | undefined;

  readonly #options: Options;
  readonly #channels: readonly wire.Channel[];
  readonly #http: Http;
  readonly #connection: Connection;
  readonly #emitter = new Emitter<Events>();
  readonly #store = new Store();
  readonly #wanted = new Wanted();
  readonly #progress = new Progress();
  #changed = new Set<string>();
  /** The open connection. */
  #link: Link | undefined;
  #wasLost = false;
  #commands = 0;
  /** The commands without a reply, by `id`. */
  readonly #calls = new Map<unknown, Call>();
  /** The calls that the first reply of the next connection answers. */
  #waiting: Call[] = [];
  /** What the present connection has conflated. */
  #merged = 0;
  /** Whether conflated trades are missing from the days in the store. */
  #isMendDue = false;

  constructor(options: Options) {
    this.#options = { ...options };
    this.#channels = options.channels ?? CHANNELS;
    this.#http = new Http(baseOf(options.url), options.token, options.fetch);
    const Socket = options.WebSocket ?? globalThis.WebSocket;
    this.#connection = new Connection(this.#http, Socket, options.transport ?? "auto", {
      prepare: () => this.#prepare(),
      query: () => this.#query(),
      opened: (link) => this.#opened(link),
      frame: (text) => this.#receive(parse(text) as Frame),
      lost: (cause) => this.#lost(cause),
      state: (state) => this.#entered(state),
    });
    this.#wanted.add(options.symbols ?? [], this.#channels);
    void this.#connection.open();
  }

  get store(): ReadonlyMap<string, Row> {
    return this.#store.rows;
  }

  get state(): State {
    return this.#connection.state;
  }

  on<K extends keyof Events>(name: K, listener: (event: Events[K]) => void): () => void {
    return this.#emitter.on(name, listener);
  }

  async subscribe(
    symbols: readonly string[],
    { channels = this.#channels, intervalMs }: { channels?: readonly wire.Channel[]; intervalMs?: number } = {},
  ): Promise<void> {
    const earlier = this.#options.intervalMs;
    const added = symbols.filter((symbol) => !this.#wanted.has(symbol));
    const undo = this.#wanted.add(symbols, channels);
    added.forEach((symbol) => this.#progress.unsynced.add(symbol));
    this.#options.intervalMs = intervalMs ?? earlier;
    try {
      // A stream begins anew for other symbols. A wrong symbol must not end the present one.
      if (this.#link && !this.#link.send) await this.#prepare();
      await this.#apply("subscribe", { symbols, channels, interval_ms: intervalMs }, symbols);
    } catch (error) {
      undo();
      added.forEach((symbol) => this.#progress.unsynced.delete(symbol));
      this.#options.intervalMs = earlier;
      throw error;
    }
  }

  async unsubscribe(symbols: readonly string[]): Promise<void> {
    this.#wanted.remove(symbols);
    for (const symbol of symbols) {
      this.#progress.unsynced.delete(symbol);
      this.unknown.delete(symbol);
    }
    this.#change(this.#store.remove((symbol) => !this.#wanted.has(symbol)));
    await this.#apply("unsubscribe", { symbols });
  }

  async set({ intervalMs, delivery }: { intervalMs?: number; delivery?: wire.Delivery }): Promise<void> {
    this.#options.intervalMs = intervalMs ?? this.#options.intervalMs;
    this.#options.delivery = delivery ?? this.#options.delivery;
    await this.#apply("set", { interval_ms: intervalMs, delivery });
  }

  send(text: string): void {
    if (!this.#link?.send) throw new Error("there is no WebSocket at the moment, so nothing can be sent");
    this.#link.send(text);
  }

  control(command: wire.FeedCommand): Promise<wire.FeedStatus> {
    return this.#http.control(command);
  }

  get<P extends keyof wire.Answers>(path: P, query?: Query): Promise<wire.Answers[P]> {
    return this.#http.get(path, query);
  }

  reconnect(): void {
    this.#connection.reconnect();
  }

  close(): void {
    this.#connection.close();
  }

  [Symbol.asyncIterator](): AsyncIterator<Update> {
    return iterate(this);
  }

  // What the program asks for.

  /** Sends a command. Returns after the reply. */
  #command(action: string, fields: object, symbols?: readonly string[]): Promise<void> {
    const id = ++this.#commands;
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { resolve, reject, ...(symbols && { symbols }) });
      this.#link?.send?.(JSON.stringify({ action, id, ...fields }));
    });
  }

  /** Sends a command, or leaves it to the next connection. Returns after the reply. */
  async #apply(action: string, fields: object, symbols?: readonly string[]): Promise<void> {
    try {
      if (this.#link?.send) return await this.#command(action, fields, symbols);
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error;
    }
    const refusal = refusalOf(this.state);
    if (refusal) throw refusal;
    const reply = new Promise<void>((resolve, reject) => this.#waiting.push({ resolve, reject }));
    this.#connection.renewStream();
    return reply;
  }

  // What the connection asks and tells.

  /** Reads the snapshots that a resume would not bring. */
  async #prepare(): Promise<void> {
    const symbols = [...this.#progress.unsynced];
    if (!this.#progress.cursor || !symbols.length) return;
    for (const snapshot of await this.#http.snapshots(symbols)) this.#replace(snapshot);
    symbols.forEach((symbol) => this.#progress.unsynced.delete(symbol));
    this.#change(this.#store.sweep());
  }

  /** Returns what the client subscribes to, as a command has it and a URL. */
  #query(): Query | undefined {
    const { symbols, channels } = this.#wanted;
    const { intervalMs, delivery } = this.#options;
    if (!symbols.length) return undefined;
    return { symbols, channels, delivery, interval_ms: intervalMs, after: this.#progress.cursor };
  }

  #opened(link: Link): void {
    this.#link = link;
    this.#progress.opened();
    this.#merged = 0;
    if (!link.send) return;
    const { token, intervalMs, delivery = "latest" } = this.#options;
    const query = this.#query();
    const commands = [
      token ? this.#command("auth", { token }) : undefined,
      query ? this.#command("subscribe", query) : this.#command("set", { delivery, interval_ms: intervalMs }),
      // Only the first `subscribe` can resume, so it has all channels of all symbols.
      ...this.#wanted.missing().map((pair) => this.#command("unsubscribe", pair)),
      // The server answers after all missed events.
      this.#command("ping", {}),
    ];
    const failed = (error: unknown) => {
      if (this.#link === link) this.#connection.lose(error);
    };
    commands.forEach((command) => command?.catch(failed));
  }

  #lost(cause: unknown): void {
    this.#link = undefined;
    this.#wasLost ||= cause !== undefined;
    if (cause instanceof ServerError && cause.code === "bad_cursor") {
      this.#progress.forget();
      this.#emitter.emit("gap", { type: "gap", reason: "epoch_changed" });
    }
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    calls.forEach((call) => call.reject(new Interrupted("the connection broke")));
  }

  #entered(state: State): void {
    const refusal = refusalOf(state);
    if (refusal) this.#waiting.splice(0).forEach((call) => call.reject(refusal));
    this.#emitter.emit("state", state);
  }

  // What the server sends.

  #receive(frame: Frame): void {
    switch (frame.type) {
      case "trade":
      case "quote":
      case "bar":
        return this.#update(frame);
      case "snapshot": {
        if (this.#wanted.has(frame.symbol)) this.#replace(frame);
        return this.#completed(this.#progress.snapshot(frame.symbol));
      }
      case "subscribed":
      case "unsubscribed":
      case "set":
        return this.#replied(frame);
      case "authenticated":
        this.access = frame;
        return this.#answer(frame.id);
      case "pong":
        if (this.#progress.caughtUp()) this.#showProgress();
        return this.#answer(frame.id);
      case "heartbeat":
        return this.#counted(frame);
      case "gap":
        return this.#missed(frame);
      case "feed":
        return this.#fed(frame);
      case "message":
        return this.#emitter.emit("message", frame);
      case "error": {
        const error = new ServerError(frame.code, frame.message);
        if (this.#calls.has(frame.id)) return this.#answer(frame.id, error);
        return this.#emitter.emit("error", error);
      }
      case "close":
        return this.#connection.lose(reasonOf(frame));
    }
  }

  #update(update: Update): void {
    const { symbol, seq, type } = update;
    const isLast = this.#progress.event(seq);
    if (this.#wanted.has(symbol, `${type}s`) && this.#store.update(update)) {
      this.counts.updates += 1;
      this.unknown.delete(symbol);
      this.#change([symbol]);
      this.#emitter.emit("update", update);
    }
    if (isLast) this.#showProgress();
  }

  #replace(snapshot: wire.SnapshotFrame): void {
    this.#store.replace(snapshot);
    this.unknown.delete(snapshot.symbol);
    this.#change([snapshot.symbol]);
    this.#emitter.emit("snapshot", snapshot);
  }

  #replied(frame: Reply): void {
    const kind = this.#progress.replied(frame);
    frame.unknown?.forEach((symbol) => this.unknown.add(symbol));
    const symbols = this.#calls.get(frame.id)?.symbols;
    if (kind === "first") {
      this.#store.begin();
      this.#completed(this.#progress.expect(frame.snapshots, this.#wanted.symbols));
    } else if (kind === "later" && symbols) {
      this.#completed(this.#progress.expect(frame.snapshots, symbols));
    }
    this.#answer(frame.id);
    if (kind === "later") return;
    if (this.#wasLost) this.counts.reconnects += 1;
    this.#wasLost = false;
    this.#waiting.splice(0).forEach((call) => call.resolve());
    this.feed = frame.feed;
    this.#emitter.emit("feed", frame.feed);
    this.#showProgress();
  }

  #fed({ state, detail, position, seq, snapshots }: wire.FeedFrame): void {
    if (this.feed) this.feed = { kind: this.feed.kind, state, ...(detail && { detail }) };
    if (snapshots !== undefined) {
      // All rows are of another market time.
      this.#change(this.#store.remove(() => true));
      this.#store.begin();
      this.#completed(this.#progress.expect(snapshots, this.#wanted.symbols, seq));
    }
    if (this.feed) this.#emitter.emit("feed", { ...this.feed, ...(position && { position, seq }) });
    this.#showProgress();
  }

  #missed(gap: wire.GapFrame): void {
    const { after, until, snapshots } = gap;
    if (after !== undefined && until !== undefined) this.counts.missed += until - after;
    if (snapshots !== undefined) {
      this.#store.begin();
      this.#completed(this.#progress.expect(snapshots, this.#wanted.symbols, until));
    }
    this.#emitter.emit("gap", gap);
    this.#showProgress();
  }

  #counted({ merged }: wire.HeartbeatFrame): void {
    // Only a WebSocket has a more exact sign, the reply to its `ping`.
    if (!this.#link?.send && this.#progress.caughtUp()) this.#showProgress();
    const more = merged - this.#merged;
    this.#merged = merged;
    if (more > 0) {
      this.#isMendDue = true;
      this.counts.conflated += more;
      this.#emitter.emit("conflated", more);
    }
    if (this.#isMendDue) void this.#mend();
  }

  /** Corrects the days in the store by snapshots, because conflated trades are missing from them. */
  async #mend(): Promise<void> {
    this.#isMendDue = false;
    const { set } = this.#store;
    try {
      const snapshots = await this.#http.snapshots([...this.#store.folded]);
      if (this.#store.set !== set) return;
      const corrected = snapshots.filter((snapshot) => this.#store.correct(snapshot));
      this.#change(corrected.map(({ symbol }) => symbol));
      // A row that was newer than its snapshot waits for the next heartbeat.
      this.#isMendDue ||= corrected.length < snapshots.length;
    } catch {
      this.#isMendDue = true;
    }
  }

  /** Removes the rows without a snapshot, once their set is complete. */
  #completed(isComplete: boolean): void {
    if (!isComplete) return;
    this.#change(this.#store.sweep());
    this.#showProgress();
  }

  #showProgress(): void {
    this.#connection.ready(this.#progress.isReady);
  }

  #answer(id: unknown, error?: Error): void {
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    if (error) call?.reject(error);
    else call?.resolve();
  }

  /** Tells the program of changed rows, all that change in this turn at once. */
  #change(symbols: readonly string[]): void {
    if (!symbols.length) return;
    if (!this.#changed.size) {
      setTimeout(() => {
        const changed = this.#changed;
        this.#changed = new Set();
        this.#emitter.emit("changed", changed);
      });
    }
    for (const symbol of symbols) this.#changed.add(symbol);
  }
}

/** Returns the error with which calls fail in a state that waits for the program. */
function refusalOf(state: State): Error | undefined {
  if (state.state === "closed") return new Error("the client is closed");
  if (state.state === "refused") return new ServerError(state.code, state.message, state.status);
  return undefined;
}
