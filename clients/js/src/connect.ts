// The client: carries out what the program asks for, and distributes what the server sends.

import { Calls } from "./calls.js";
import { keepConnected } from "./connection.js";
import { parse } from "./decimal.js";
import { emitterOf } from "./emitter.js";
import { ServerError } from "./errors.js";
import type * as wire from "./generated.js";
import { Http, type Query, baseOf } from "./http.js";
import { iterate } from "./iterate.js";
import { type Link, reasonOf } from "./link.js";
import { Progress, type Reply } from "./progress.js";
import { Store } from "./store.js";
import type { Client, Events, Options, State, Update } from "./types.js";
import { CHANNELS, Wanted } from "./wanted.js";

type Frame = wire.Frame | Reply | wire.AuthenticatedFrame | wire.PongFrame | wire.ErrorFrame;

/** Connects to a server, and subscribes. The client connects again whenever its connection breaks. */
export function connect(options: Options = {}): Client {
  const { url, token, fetch, WebSocket = globalThis.WebSocket, transport = "auto" } = options;
  const { symbols = [], channels: allChannels = CHANNELS } = options;
  /** The fields of a command, or of a URL, that say how events are delivered. */
  let delivery = {
    delivery: options.delivery ?? "latest",
    interval_ms: options.intervalMs ?? 0,
  };
  const http = new Http(baseOf(url), token, fetch);
  const { on, emit } = emitterOf<Events>();
  const store = new Store();
  const wanted = new Wanted();
  const progress = new Progress(() => change(store.sweep()));
  const calls = new Calls();
  const counts = { updates: 0, conflated: 0, missed: 0, reconnects: 0 };
  /** The symbols that the feed did not know when they were subscribed to. */
  const unknown = new Set<string>();
  let feed: wire.FeedInfo | undefined;
  let access: wire.AuthenticatedFrame | undefined;
  let changed = new Set<string>();
  /** The open connection. */
  let link: Link | undefined;
  let wasLost = false;
  /** Whether all frames of the connection are the server's. */
  let isTrusted = false;
  /** What the present connection has conflated. */
  let merged = 0;
  /** When the last heartbeat came. */
  let heartbeatAt = 0;
  /**
   * Until when trades may come after conflated ones. Without the conflated trades, the days in the store are
   * wrong.
   */
  let mendUntil = -1;

  /** Tells the program of changed rows, once for all rows that change in a turn of the event loop. */
  const change = (names: readonly string[]) => {
    if (names.length && !changed.size) {
      setTimeout(() => {
        const all = changed;
        changed = new Set();
        emit("changed", all);
      });
    }
    names.forEach((name) => changed.add(name));
  };

  // What the program asks for.

  /** Sends a command, or leaves it to the next connection. Returns after the reply. */
  const command = (action: string, fields: object, symbols?: readonly string[]) =>
    new Promise<void>((resolve, reject) => {
      const refusal = connection.refusal();
      if (refusal) reject(refusal);
      else if (!calls.send(action, fields, { resolve, reject, symbols })) connection.renewStream();
    });

  const subscribe: Client["subscribe"] = async (symbols, { channels = allChannels, intervalMs } = {}) => {
    const earlier = delivery;
    for (const symbol of symbols) wanted.has(symbol) || progress.unsynced.add(symbol);
    const undo = wanted.add(symbols, channels);
    pace({ intervalMs });
    try {
      // A stream begins anew for other symbols. A wrong symbol must not end the present one.
      if (link && !link.send) await prepare();
      await command("subscribe", { symbols, channels, ...delivery }, symbols);
    } catch (error) {
      undo();
      delivery = earlier;
      throw error;
    }
  };

  const unsubscribe: Client["unsubscribe"] = (symbols) => {
    wanted.remove(symbols);
    change(store.remove(({ symbol }) => !wanted.has(symbol)));
    return command("unsubscribe", { symbols });
  };

  /** Changes the delivery of the next command. */
  const pace = (next: Pick<Options, "delivery" | "intervalMs">) => {
    delivery = {
      delivery: next.delivery ?? delivery.delivery,
      interval_ms: next.intervalMs ?? delivery.interval_ms,
    };
    return delivery;
  };

  // What the connection asks and tells.

  /** Returns the symbols that wait for a snapshot, if the client is about to resume. */
  const unsynced = () => (progress.cursor ? [...progress.unsynced].filter((symbol) => wanted.has(symbol)) : []);

  /** Reads the snapshots that a resume would not bring. */
  const prepare = async () => {
    const symbols = unsynced();
    for (const snapshot of await http.snapshots(symbols)) {
      // The answer for `*` also has symbols that a resume does bring.
      if (!store.has(snapshot.symbol)) replace(snapshot);
    }
    progress.expect(0, symbols);
  };

  /** Returns the fields of the subscription, for a command or a URL. The symbols in `late` are left out. */
  const query = (late: readonly string[] = []): Query | undefined => {
    const symbols = wanted.symbols.filter((symbol) => !late.includes(symbol));
    if (symbols.length) return { symbols, channels: wanted.channels, ...delivery, after: progress.cursor };
    // There is no stream of nothing, so no reply.
    calls.settle();
    return undefined;
  };

  const opened = (next: Link) => {
    link = next;
    calls.use(next);
    progress.opened();
    merged = 0;
    isTrusted = !next.send;
    if (isTrusted) return;
    // Symbols that have been added while the connection opened.
    const late = unsynced();
    const subscription = query(late);
    const call = {
      resolve() {},
      reject(error: Error) {
        if (link === next) connection.lose(error);
      },
    };
    if (token) calls.send("auth", { token }, call);
    calls.send(subscription ? "subscribe" : "set", subscription ?? delivery, call);
    if (late.length) calls.send("subscribe", { symbols: late, channels: wanted.channels }, { ...call, symbols: late });
    // Only the first `subscribe` can resume, so it has all channels of all symbols.
    for (const exception of wanted.exceptions()) calls.send("unsubscribe", exception, call);
    // The server answers a ping after all missed events.
    calls.send("ping", {}, call);
  };

  const lost = (isLoss: boolean) => {
    link = undefined;
    calls.use();
    wasLost ||= isLoss;
  };

  const entered = (state: State) => {
    const refusal = connection.refusal();
    if (refusal) calls.settle(refusal);
    emit("state", state);
  };

  // What the server sends.

  const receive = (text: string) => {
    // Until the server has carried out the first command, a peer's message arrives as it was sent. So it
    // could pass for a frame. No peer knows the secret.
    isTrusted ||= text.includes(calls.secret);
    if (!isTrusted) return;
    const frame = parse(text) as Frame;
    switch (frame.type) {
      case "trade":
      case "quote":
      case "bar":
      case "status":
        update(frame);
        break;
      case "snapshot":
        replace(frame);
        progress.snapshot(frame.symbol);
        break;
      case "subscribed":
      case "unsubscribed":
      case "set":
        replied(frame);
        break;
      case "authenticated":
        access = frame;
        break;
      case "pong":
        progress.caughtUp();
        break;
      case "heartbeat":
        counted(frame);
        break;
      case "gap":
        missed(frame);
        break;
      case "feed":
        fed(frame);
        break;
      case "message":
        emit("message", frame);
        break;
      case "error":
        failed(frame);
        break;
      case "close":
        connection.lose(reasonOf(frame));
    }
    if ("id" in frame) calls.answer(frame.id);
    connection.ready(progress.isReady);
  };

  const failed = ({ id, code, message }: wire.ErrorFrame) => {
    const error = new ServerError(code, message);
    if (!calls.answer(id, error)) emit("error", error);
  };

  const update = (event: Update) => {
    const { symbol, type } = event;
    progress.event(event.seq);
    // Statuses go to all subscribers, whatever the channels.
    if (!wanted.has(symbol, type === "status" ? "" : `${type}s`)) return;
    // An event of an earlier subscription, which the program has ended and begun anew. Its snapshot follows.
    if (!store.has(symbol) && calls.awaits(symbol)) return;
    if (!store.update(event)) return;
    counts.updates += 1;
    change([symbol]);
    emit("update", event);
  };

  const replace = (snapshot: wire.SnapshotFrame) => {
    if (!wanted.has(snapshot.symbol)) return;
    store.replace(snapshot);
    change([snapshot.symbol]);
    emit("snapshot", snapshot);
  };

  const replied = (frame: Reply) => {
    const { id, snapshots } = frame;
    const kind = progress.replied(frame);
    const symbols = calls.symbols(id);
    frame.unknown?.forEach((symbol) => unknown.add(symbol));
    if (kind === "first") restart(snapshots);
    else if (kind === "later" && symbols) progress.expect(snapshots, symbols);
    if (kind === "later") return;
    if (wasLost) counts.reconnects += 1;
    wasLost = false;
    calls.settle();
    const isNews = feed?.state !== frame.feed.state;
    feed = frame.feed;
    if (isNews) emit("feed", feed);
  };

  const fed = ({ state, detail, position, seq, snapshots }: wire.FeedFrame) => {
    if (snapshots !== undefined) {
      // All rows are of another market time.
      change(store.remove(() => true));
      restart(snapshots, seq);
    }
    if (!feed) return;
    feed = { kind: feed.kind, state, detail };
    emit("feed", { ...feed, position, seq });
  };

  const missed = (gap: wire.GapFrame) => {
    const { after, until, snapshots } = gap;
    if (until !== undefined) counts.missed += until - (after ?? until);
    if (snapshots !== undefined) restart(snapshots, until);
    emit("gap", gap);
  };

  const counted = (heartbeat: wire.HeartbeatFrame) => {
    // Only a WebSocket has a more exact sign, the reply to its `ping`.
    if (!link?.send) progress.caughtUp();
    const now = Date.now();
    const more = heartbeat.merged - merged;
    merged = heartbeat.merged;
    if (more > 0) {
      mendUntil = now + delivery.interval_ms;
      counts.conflated += more;
      emit("conflated", more);
    }
    if (store.hasNewDay || heartbeatAt <= mendUntil) void mend();
    store.hasNewDay = false;
    heartbeatAt = now;
  };

  /** Corrects the days in the store by snapshots. After a failure, the next heartbeat tries again. */
  const mend = async () => {
    const { set } = store;
    try {
      const snapshots = await http.snapshots([...store.folded]);
      if (store.set !== set) return;
      const corrected = snapshots.filter((snapshot) => store.correct(snapshot));
      change(corrected.map(({ symbol }) => symbol));
      // A row that is newer than its snapshot waits.
      if (corrected.length === snapshots.length) return;
    } catch {
      // The server did not answer.
    }
    mendUntil = Date.now();
  };

  /** Begins a set of snapshots of all symbols. */
  const restart = (snapshots: number, seq?: number) => {
    store.begin();
    progress.expect(snapshots, wanted.symbols.filter((symbol) => !calls.awaits(symbol)), seq);
  };

  wanted.add(symbols, allChannels);
  const user = { prepare, query, opened, frame: receive, lost, state: entered };
  const connection = keepConnected(http, WebSocket, transport, user);
  return {
    store: store.rows,
    counts,
    get unknown() {
      return new Set([...unknown].filter((symbol) => wanted.has(symbol) && !store.rows.has(symbol)));
    },
    get state() {
      return connection.state();
    },
    get feed() {
      return feed;
    },
    get access() {
      return access;
    },
    on,
    subscribe,
    unsubscribe,
    set: (next) => command("set", pace(next)),
    send(text) {
      if (!link?.send) throw new Error("there is no WebSocket to send by");
      link.send(text);
    },
    // A seek or a step may take long.
    control: (body) => http.get("feed", {}, { method: "POST", body: JSON.stringify(body), signal: null }),
    get: (path, query) => http.get(path, query),
    reconnect: connection.reconnect,
    close: connection.close,
    [Symbol.asyncIterator]() {
      return iterate(this, connection.refusal);
    },
  };
}
