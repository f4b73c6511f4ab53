// The client as programs see it.

import type { ServerError } from "./errors.js";
import type * as wire from "./generated.js";
import type { Query } from "./http.js";
import type { SocketConstructor } from "./link.js";

/** What `connect` takes. */
export interface Options {
  /** The address of the server: http(s) or ws(s), with or without a path. Default: the origin of the page. */
  url?: string | URL;
  /** The symbols to subscribe to. `["*"]` is every symbol. */
  symbols?: readonly string[];
  /** The kinds of events. Default: all three. */
  channels?: readonly wire.Channel[];
  /** The interval within which the server conflates, in milliseconds. */
  intervalMs?: number;
  /** `latest` lets the server conflate for a slow client. `every` leaves nothing out. Default: `latest`. */
  delivery?: wire.Delivery;
  /** The token, where the server asks for one. */
  token?: string;
  /** Default: `auto`, a WebSocket, or Server-Sent Events where WebSockets do not get through. */
  transport?: "auto" | Transport;
  /** The constructor of WebSockets, for Node 20 without a global one. */
  WebSocket?: SocketConstructor;
  /** Replaces the global `fetch`. */
  fetch?: typeof globalThis.fetch;
}

/** How the frames arrive. */
export type Transport = "websocket" | "sse";

/** The state of the connection. */
export type State =
  | { readonly state: "connecting" }
  /** All snapshots and all missed events have come, and the server gives signs of life. */
  | { readonly state: "live"; readonly transport: Transport }
  /** The client is connected. Snapshots or missed events are still to come. */
  | { readonly state: "catching_up"; readonly transport: Transport }
  /** The server gives no sign of life. The client will connect again soon. */
  | { readonly state: "stale"; readonly transport: Transport }
  /** The client waits before it connects again. */
  | { readonly state: "reconnecting"; readonly inMs: number; readonly attempt: number; readonly reason: string }
  /** The device is offline. The client tries again, and at once when the device is online. */
  | { readonly state: "offline" }
  /** The server refuses, in its own words. The client tries again only after `reconnect()`. */
  | {
      readonly state: "refused";
      readonly status?: number | undefined;
      readonly code: ServerError["code"];
      readonly message: string;
    }
  | { readonly state: "closed" };

/** One event of the market. */
export type Update = wire.EventFrame;

/** `halted` while trading has stopped, and the reason. Otherwise `trading`, or nothing if it never stopped. */
export type Halt = Partial<Pick<wire.Status, "status" | "reason">>;

/**
 * The last values of one symbol. The client changes a row in place. Decimal numbers are texts, with all
 * digits.
 */
export interface Row {
  readonly symbol: string;
  trade?: wire.Trade | undefined;
  quote?: wire.Quote | undefined;
  bar?: wire.Bar | undefined;
  /** Whether trading has stopped, and why. */
  status?: Halt | undefined;
  /** The day so far. Each change makes a new object. */
  day?: wire.Day | undefined;
  /** The row takes all events up to this one into account. */
  seq: number;
  /** The market time of the newest event. */
  time: string;
  /** When the newest frame of the symbol arrived, as `Date.now()`. */
  receivedAt: number;
}

/** What has been counted since `connect`. */
export interface Counts {
  /** Events that were delivered as updates. */
  updates: number;
  /** Events that newer ones replaced before they were sent. */
  conflated: number;
  /** Events of the feed, of any symbol, that lie in gaps. */
  missed: number;
  /** How often the client has connected again. */
  reconnects: number;
}

/** The state of the feed. After a seek, with the market time and the event from which the feed goes on. */
export interface FeedEvent extends wire.FeedInfo {
  readonly position?: string;
  readonly seq?: number;
}

/** All events of a client, by name. */
export interface Events {
  /** One event of the market. Each event comes once. */
  update: Update;
  /** The state of one symbol, from which its updates go on. */
  snapshot: wire.SnapshotFrame;
  /** The symbols whose rows have changed or have gone. It comes at most once a turn of the event loop. */
  changed: ReadonlySet<string>;
  state: State;
  feed: FeedEvent;
  /** Events are missing here. */
  gap: wire.GapFrame;
  /** How many more events the server has conflated since it last told. */
  conflated: number;
  /** What a peer says, or this client itself. */
  message: wire.MessageFrame;
  /** An error that answers no call, such as that of a message that was not relayed. */
  error: ServerError;
}

/** A subscription that survives broken connections. */
export interface Client {
  /** The last values, by symbol. */
  readonly store: ReadonlyMap<string, Row>;
  readonly state: State;
  /** The state of the feed, once the server has told it. */
  readonly feed: wire.FeedInfo | undefined;
  readonly counts: Readonly<Counts>;
  /** Whose token it is and what it allows. Only a WebSocket with a token tells it. */
  readonly access: wire.AuthenticatedFrame | undefined;
  /** The symbols of the subscription that the feed did not know, and of which nothing has come since. */
  readonly unknown: ReadonlySet<string>;
  /** Adds a listener. Returns a function that removes it. */
  on<K extends keyof Events>(name: K, listener: (event: Events[K]) => void): () => void;
  /** Adds symbols. The channels are those of `connect` where they are left out. */
  subscribe(
    symbols: readonly string[],
    options?: { channels?: readonly wire.Channel[]; intervalMs?: number },
  ): Promise<void>;
  /** Takes symbols away. */
  unsubscribe(symbols: readonly string[]): Promise<void>;
  /** Changes the delivery. */
  set(options: { intervalMs?: number; delivery?: wire.Delivery }): Promise<void>;
  /** Says something to all clients of the server, this one included. Throws if there is no WebSocket. */
  send(text: string): void;
  /** Controls a replay or a simulation. */
  control(command: wire.FeedCommand): Promise<wire.FeedStatus>;
  /** Reads a data route, whose path comes after `/api/v1/`, e.g. `get("bars/AAPL", { interval: "1m" })`. */
  get<P extends keyof wire.Answers>(path: P, query?: Query): Promise<wire.Answers[P]>;
  /** Connects anew at once, also after `refused`. */
  reconnect(): void;
  close(): void;
  /** Iterates over the updates until the client is closed. Throws what the server refuses. */
  [Symbol.asyncIterator](): AsyncIterator<Update>;
}
