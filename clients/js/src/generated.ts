// `npm run generate` writes this file from the server's documents, `/openapi.json` and `/asyncapi.json`.

/** The fields whose values are exact decimal numbers. */
export const DECIMALS =
  "ask|ask_size|bid|bid_size|change|change_percent|close|high|last|low|open|price|size|volume";

/** The answers of the data routes. The names are the paths after `/api/v1/`. */
export interface Answers {
  [path: `bars/${string}`]: BarsPage;
  cluster: ClusterStatus;
  events: EventsPage;
  feed: FeedStatus;
  info: Info;
  snapshots: SnapshotsPage;
  symbols: SymbolsPage;
}

/** Shows a token. */
export interface AuthCommand {
  action: "auth";
  /** The reply repeats the `id`. */
  id?: CommandId;
  /** The token. */
  token: string;
}

/** The owner of the token, and what the token allows. This frame answers `auth`. */
export interface AuthenticatedFrame {
  /** Whether the client may control the feed. */
  control: boolean;
  /** The `id` of the command. */
  id?: CommandId;
  /** The name of the owner. */
  name: string;
  /** Whether the client may send messages to its peers. */
  relay: boolean;
  type: "authenticated";
}

/** A bar: the prices and the volume of an interval. */
export interface Bar {
  /** The last price. */
  close: Decimal;
  /** The highest price. */
  high?: Decimal;
  /** The length of the bar, if the source states a length. */
  interval?: Interval;
  /** The lowest price. */
  low?: Decimal;
  /** The first price. */
  open?: Decimal;
  /** The sequence number of the event. The feed counts its events from 1, over all symbols. */
  seq: number;
  /** The source's time of the bar, normally the start of the interval. */
  time: Time;
  /** The volume. */
  volume?: Decimal;
}

/** A bar: the prices and the volume of an interval. */
export interface BarFrame {
  /** The last price. */
  close: Decimal;
  /** The highest price. */
  high?: Decimal;
  /** The length of the bar, if the source states a length. */
  interval?: Interval;
  /** The lowest price. */
  low?: Decimal;
  /** The first price. */
  open?: Decimal;
  /** The sequence number of the event. The feed counts its events from 1, over all symbols. */
  seq: number;
  symbol: Symbol;
  /** The source's time of the bar, normally the start of the interval. */
  time: Time;
  type: "bar";
  /** The volume. */
  volume?: Decimal;
}

/** A length of the bars that the server keeps. */
export type BarInterval = "1s" | "1m" | "5m" | "15m" | "1h" | "1d";

/** The answer of `/api/v1/bars/SYMBOL`: the newest bars of a symbol, oldest first. */
export interface BarsPage {
  /** The bars. */
  bars: StoredBar[];
  /** The length of each bar. */
  interval: BarInterval;
  /** The symbol. */
  symbol: Symbol;
}

/** A kind of events. */
export type Channel = "trades" | "quotes" | "bars";

/** A list of channels. */
export type ChannelList = Channel[];

/** One channel, or a list of channels. */
export type Channels = Channel | ChannelList;

/** The limits for a client. A limit that is off is left out. */
export interface ClientLimits {
  /** The maximum number of commands in a second. */
  command_rate?: number;
  /** The number of unsent bytes at which the server closes a client with `delivery=every`. */
  every_buffer: number;
  /** The maximum length of a message, in bytes. */
  message_bytes?: number;
  /** The maximum number of entries in a page of events or symbols. */
  page: number;
  /** The maximum length of a relayed message, in bytes. */
  relay_bytes?: number;
  /** The maximum number of relayed messages in a second. */
  relay_rate?: number;
  /** The maximum number of symbols of a connection. */
  symbols?: number;
}

/** The last line of a stream over HTTP. A stream without this line was cut off. */
export interface CloseFrame {
  /** The close code that a WebSocket would get. */
  code: number;
  /** The reason. After 4008, the reason is the cursor from which the client can resume. */
  reason: string;
  type: "close";
}

/** A node of a cluster. */
export interface ClusterNode {
  /** Whether the node has read all that the shared log has. */
  caught_up: boolean;
  /**
   * How long before its sign of presence the node had read the newest entry of the shared log, in
   * milliseconds.
   */
  lag_ms: number;
  /** Whether the node has a feed, so that it may lead. */
  may_lead: boolean;
  /** The id of the node. */
  node: string;
  /** The newest event that the node has read. */
  seq: number;
}

/** What a node knows of its cluster. */
export interface ClusterStatus {
  /** Whether this node has read all that the shared log has. */
  caught_up: boolean;
  /** The epoch of the sequence numbers. */
  epoch: string;
  /** How long ago this node has read the newest entry of the shared log, in milliseconds. */
  lag_ms: number;
  /** The id of the leader; left out if no node leads. */
  leader?: string;
  /** The id of this node. */
  node: string;
  /** The nodes that were present in the last three seconds, this one included. */
  nodes: ClusterNode[];
  /** The newest event that this node has read. */
  seq: number;
  /** How many entries this node has skipped, because they do not follow from the one before. */
  skipped: number;
  /** How many terms have begun since this node started. */
  takeovers: number;
  /** The number of the term. Each leader begins a term. */
  term: number;
}

/** The `id` of a command. The reply repeats the `id` unchanged. */
export type CommandId = string | number;

/** A position from which a client resumes: `EPOCH-SEQ`. */
export type Cursor = string;

/** The prices and the volume of a symbol in one UTC day of market time. */
export interface Day {
  /**
   * The difference between the last price and the last price of the previous day. Without a previous day, the
   * difference to the day's first price.
   */
  change?: Decimal;
  /** The change in percent, with at most two decimal places. */
  change_percent?: Decimal;
  /** The highest price of the day. */
  high: Decimal;
  /** The last price of the day. */
  last: Decimal;
  /** The lowest price of the day. */
  low: Decimal;
  /** The first price of the day. */
  open: Decimal;
  /** The volume of the day. */
  volume?: Decimal;
}

/** The delivery policy: what happens to unsent events when a client reads too slowly. */
export type Delivery = "latest" | "every";

/** The body of every error response. */
export interface ErrorAnswer {
  /** The error. */
  error: HttpError;
}

/** The kind of an error, as a stable name for client programs. */
export type ErrorCode =
  | "bad_command"
  | "unknown_action"
  | "bad_symbol"
  | "bad_channel"
  | "bad_cursor"
  | "too_many_symbols"
  | "rate_limited"
  | "message_too_long"
  | "relay_disabled"
  | "unauthorized"
  | "forbidden"
  | "bad_parameter"
  | "epoch_changed"
  | "history_exhausted"
  | "not_found"
  | "conflict"
  | "bad_request"
  | "headers_too_large"
  | "too_slow"
  | "method_not_allowed"
  | "upgrade_required"
  | "bad_handshake"
  | "too_many_connections"
  | "not_ready"
  | "no_leader";

/** The answer to a wrong command, or to a message that the server did not relay. The connection goes on. */
export interface ErrorFrame {
  /** The kind of the error, for programs. */
  code: ErrorCode;
  /** The `id` of the command. */
  id?: CommandId;
  /** What is wrong and what to do, for people. This text may change. */
  message: string;
  type: "error";
}

/** One event. */
export type EventFrame = TradeFrame | QuoteFrame | BarFrame | StatusFrame;

/** The answer of `/api/v1/events`: past events. */
export interface EventsPage {
  /** The epoch of the sequence numbers. */
  epoch: string;
  /** The events, oldest first. */
  events: EventFrame[];
  /** The cursor with which the next request goes on. */
  next: Cursor;
  /** The newest event of the feed. */
  seq: number;
}

/** A command to the feed. */
export type FeedCommand =
  | PauseCommand
  | ResumeCommand
  | SpeedCommand
  | SeekCommand
  | StepCommand
  | LoopCommand;

/** The feed has a new state, or goes on from another market time. */
export interface FeedFrame {
  /** Why the feed has failed. */
  detail?: string;
  /** After a seek: the market time from which the feed goes on. */
  position?: Time;
  /** After a seek: the newest event at that moment. */
  seq?: number;
  /** After a seek: the number of snapshots that follow. */
  snapshots?: number;
  /** The state. */
  state: FeedState;
  type: "feed";
}

/** The kind and the state of the feed. */
export interface FeedInfo {
  /** Why the feed has failed. */
  detail?: string;
  /** The kind. */
  kind: FeedKind;
  /** The state. */
  state: FeedState;
}

/** The kind of a feed. */
export type FeedKind = "simulated" | "replay" | "stdin";

/** The state of a feed. */
export type FeedState =
  | "starting"
  | "running"
  | "paused"
  | "stalled"
  | "ended"
  | "failed"
  | "restarting"
  | "degraded";

/** The status of the feed. A field whose value is not known is left out. */
export interface FeedStatus {
  /** The command line that repeats a simulation. */
  command?: string;
  /** The configured rate of a simulation, in events per second of market time. */
  configured_rate?: number;
  /** Why the feed has failed. */
  detail?: string;
  /** The time until the end of the feed, in milliseconds, if nothing changes. */
  ends_in_ms?: number;
  /** The number of events so far: the newest `seq`. */
  events: number;
  /** The files of a replay, as the configuration names them. */
  files?: string[];
  /** The market time of the first of these rows. */
  first?: Time;
  /** The kind. */
  kind: FeedKind;
  /** How late the newest events were, in milliseconds. */
  lag_ms?: number;
  /** The market time of the last of these rows. */
  last?: Time;
  /** Whether a replay starts again at its end. */
  loop?: boolean;
  /** The number of WebSocket clients and stream clients. */
  peers: number;
  /** The market time of the newest event, or of the seek. */
  position?: Time;
  /** The profile of a simulation: the model that makes its events. */
  profile?: string;
  /** The number of events in the last second. */
  rate: number;
  /** The number of rows of a replay, from `--from` to `--to`. */
  rows?: number;
  /** The seed of a simulation. */
  seed?: number;
  /** The number of gaps that `max_gap` has cut short. */
  skipped_gaps?: number;
  /** The market time that was skipped in these gaps, in milliseconds. */
  skipped_ms?: number;
  /** The speed. */
  speed?: Speed;
  /** The market time at which a simulation starts. */
  start?: Time;
  /** The state. */
  state: FeedState;
}

/** One line of a stream. */
export type Frame =
  | TradeFrame
  | QuoteFrame
  | BarFrame
  | StatusFrame
  | SnapshotFrame
  | SubscribedFrame
  | MessageFrame
  | HeartbeatFrame
  | GapFrame
  | FeedFrame
  | CloseFrame;

/** Events are missing at this place. */
export interface GapFrame {
  /** The last event before the gap. Left out for another epoch. */
  after?: number;
  /** The new epoch. Only the reason `epoch_changed` has this field. */
  epoch?: string;
  /** The reason. */
  reason: GapReason;
  /** The number of snapshots that follow. Only the reason `lagged` has this field. */
  snapshots?: number;
  type: "gap";
  /** The last event of the gap. Left out for another epoch. */
  until?: number;
}

/** The reason why a client misses events. */
export type GapReason = "history_exhausted" | "epoch_changed" | "lagged";

/** The answer of `/healthz`. */
export interface Health {
  /** The process lives. */
  status: string;
}

/** A sign of life. The counters say whether newer events have replaced others. */
export interface HeartbeatFrame {
  /** The number of events that newer events replaced for this connection. */
  merged: number;
  /** The number of events that the connection was sent. */
  sent: number;
  /** The newest event of the feed. */
  seq: number;
  /** The time of the server's clock. */
  time: Time;
  type: "heartbeat";
}

/** What is wrong with a request. */
export interface HttpError {
  /** The kind of the error, for programs. */
  code: ErrorCode;
  /** What is wrong and what to do, for people. This text may change. */
  message: string;
}

/** The answer of `/api/v1/info`: what a client should know about the server. */
export interface Info {
  /** The feed. */
  feed: InfoFeed;
  /** The time between two heartbeats, in milliseconds. */
  heartbeat_ms: number;
  /** The limits for a client. */
  limits: ClientLimits;
  /** The version of the protocol. */
  protocol: number;
  /** Whether the server relays messages between clients. */
  relay: boolean;
  /** Whether the server has tokens. */
  tokens: boolean;
  /** The version of the server. */
  version: string;
}

/** The feed of a server. */
export interface InfoFeed {
  /** The kind of the feed. */
  kind: FeedKind;
}

/** The length of a bar: a number of seconds, minutes, hours, days or weeks. */
export type Interval = string;

/** Decides whether a replay starts again at its end. */
export interface LoopCommand {
  action: "loop";
  /** Whether the replay starts again. */
  loop: boolean;
}

/** The speed at which a replay does not wait for the time of its events. */
export type MaxSpeed = "max";

/** What a peer says. The frame has either a text or bytes. */
export interface MessageFrame {
  /** A binary message in base64. */
  base64?: string;
  /** The name of the sender's connection. No client can choose this name. */
  from: string;
  /** A text message. */
  text?: string;
  type: "message";
}

/**
 * An exact decimal number with all digits of its source. The number never has an exponent. The type is a
 * string, because a JavaScript number would lose digits.
 */
export type Decimal = string;

/** The feed publishes nothing more. */
export interface PauseCommand {
  action: "pause";
}

/** Asks for the server's clock. */
export interface PingCommand {
  action: "ping";
  /** The reply repeats the `id`. */
  id?: CommandId;
}

/** The server's clock. This frame answers `ping`. */
export interface PongFrame {
  /** The `id` of the command. */
  id?: CommandId;
  /** The time of the server's clock. */
  time: Time;
  type: "pong";
}

/** A quote: the best bid, the best ask, or both. */
export interface Quote {
  /** The best price of a seller. */
  ask?: Decimal;
  /** The size at the ask. */
  ask_size?: Decimal;
  /** The best price of a buyer. */
  bid?: Decimal;
  /** The size at the bid. */
  bid_size?: Decimal;
  /** The sequence number of the event. The feed counts its events from 1, over all symbols. */
  seq: number;
  /** The market time of the quote. */
  time: Time;
}

/** A quote: the best bid, the best ask, or both. */
export interface QuoteFrame {
  /** The best price of a seller. */
  ask?: Decimal;
  /** The size at the ask. */
  ask_size?: Decimal;
  /** The best price of a buyer. */
  bid?: Decimal;
  /** The size at the bid. */
  bid_size?: Decimal;
  /** The sequence number of the event. The feed counts its events from 1, over all symbols. */
  seq: number;
  symbol: Symbol;
  /** The market time of the quote. */
  time: Time;
  type: "quote";
}

/** The answer of `/readyz`. */
export interface Readiness {
  /** The server delivers. */
  status: string;
}

/** Why trading in a symbol stops or goes on: at most 64 bytes, without control characters. */
export type Reason = string;

/** The feed goes on. */
export interface ResumeCommand {
  action: "resume";
}

/** A replay goes on with the first event at or after a time. */
export interface SeekCommand {
  action: "seek";
  /** A date, a date and a time of day, a time with an offset, or a Unix time as a number or as text. */
  time: SeekTime;
}

/** The target of a seek. */
export type SeekTime = string | number;

/** Changes the delivery. The command needs `delivery` or `interval_ms`. */
export interface SetCommand {
  action: "set";
  /** The new delivery policy of the connection. */
  delivery?: Delivery;
  /** The reply repeats the `id`. */
  id?: CommandId;
  /** The new conflation interval of the connection, in milliseconds. */
  interval_ms?: number;
}

/** All that the connection now receives. This frame answers a command, or a URL that subscribes. */
export interface SetFrame {
  /** The symbols whose bars the connection receives. `*` comes first. */
  bars: SymbolOrAll[];
  /** The delivery policy of the connection. */
  delivery: Delivery;
  /** The name of the present count of events. Each start of the server begins a new epoch. */
  epoch: string;
  /** The feed. */
  feed: FeedInfo;
  /** The `id` of the command. */
  id?: CommandId;
  /** The conflation interval in milliseconds. */
  interval_ms: number;
  /** The symbols whose quotes the connection receives. `*` comes first. */
  quotes: SymbolOrAll[];
  /** Whether the events after the cursor of this command follow. */
  resumed: boolean;
  /** The newest event that this frame takes into account; 0 before the first event. */
  seq: number;
  /** The number of snapshots that follow. */
  snapshots: number;
  /** The symbols whose trades the connection receives. `*` comes first. */
  trades: SymbolOrAll[];
  type: "set";
  /** The symbols of this command that the feed does not know. */
  unknown?: Symbol[];
}

/**
 * The state of one symbol: the newest trade, quote and bar, whether trading has stopped, and the day so far.
 */
export interface Snapshot {
  /** The newest bar. */
  bar?: Bar;
  /** The UTC day of market time so far. */
  day?: Day;
  /** The newest quote. */
  quote?: Quote;
  /** Why trading has stopped, if the source states a reason. */
  reason?: Reason;
  /** The snapshot takes into account all events up to this sequence number. */
  seq: number;
  /** `halted` while trading has stopped. The field is left out while the symbol is traded. */
  status?: TradingState;
  /** The newest trade. */
  trade?: Trade;
}

/**
 * The state of one symbol: the newest trade, quote and bar, whether trading has stopped, and the day so far.
 */
export interface SnapshotFrame {
  /** The newest bar. */
  bar?: Bar;
  /** The UTC day of market time so far. */
  day?: Day;
  /** The newest quote. */
  quote?: Quote;
  /** Why trading has stopped, if the source states a reason. */
  reason?: Reason;
  /** The snapshot takes into account all events up to this sequence number. */
  seq: number;
  /** `halted` while trading has stopped. The field is left out while the symbol is traded. */
  status?: TradingState;
  symbol: Symbol;
  /** The newest trade. */
  trade?: Trade;
  type: "snapshot";
}

/** The answer of `/api/v1/snapshots`: the snapshots of the symbols that have data. */
export interface SnapshotsPage {
  /** If more symbols follow: the last symbol of this page, which is `after` of the next request. */
  next?: Symbol;
  /** The snapshots, by symbol. */
  snapshots: { [name: string]: SnapshotFrame };
}

/** The speed of a feed. */
export type Speed = SpeedFactor | MaxSpeed;

/** Changes the speed. Only a replay has the speed `max`. */
export interface SpeedCommand {
  action: "speed";
  /** The new speed. */
  speed: Speed;
}

/** Seconds of market time in a second. */
export type SpeedFactor = number;

/** A trading status: trading in the symbol stops or goes on. */
export interface Status {
  /** Why trading stops or goes on, if the source states a reason. */
  reason?: Reason;
  /** The sequence number of the event. The feed counts its events from 1, over all symbols. */
  seq: number;
  /** Whether trading goes on or has stopped. */
  status: TradingState;
  /** The market time of the change. */
  time: Time;
}

/** A trading status: trading in the symbol stops or goes on. */
export interface StatusFrame {
  /** Why trading stops or goes on, if the source states a reason. */
  reason?: Reason;
  /** The sequence number of the event. The feed counts its events from 1, over all symbols. */
  seq: number;
  /** Whether trading goes on or has stopped. */
  status: TradingState;
  symbol: Symbol;
  /** The market time of the change. */
  time: Time;
  type: "status";
}

/** Publishes events at once, and pauses the feed. */
export interface StepCommand {
  action: "step";
  /** The number of events; 1 without this field. */
  events?: number;
}

/** A bar that the server has made from trades, or has taken from the feed. */
export interface StoredBar {
  /** The last price. */
  close: Decimal;
  /** The highest price. */
  high?: Decimal;
  /** The lowest price. */
  low?: Decimal;
  /** The first price. */
  open?: Decimal;
  /** The bar is still running. A complete bar does not have this field. */
  partial?: boolean;
  /** The start of the bar. */
  time: Time;
  /** The volume. */
  volume?: Decimal;
}

/** Adds symbols to what the connection receives. */
export interface SubscribeCommand {
  action: "subscribe";
  /** The cursor from which the client resumes. Only the first `subscribe` of a connection takes a cursor. */
  after?: Cursor;
  /** The channels; all three without this field. */
  channels?: Channels;
  /** The new delivery policy of the connection. */
  delivery?: Delivery;
  /** The reply repeats the `id`. */
  id?: CommandId;
  /** The new conflation interval of the connection, in milliseconds. */
  interval_ms?: number;
  /** The symbols. `symbol`, `tickers` and `ticker` mean the same. */
  symbols: Symbols;
}

/** All that the connection now receives. This frame answers a command, or a URL that subscribes. */
export interface SubscribedFrame {
  /** The symbols whose bars the connection receives. `*` comes first. */
  bars: SymbolOrAll[];
  /** The delivery policy of the connection. */
  delivery: Delivery;
  /** The name of the present count of events. Each start of the server begins a new epoch. */
  epoch: string;
  /** The feed. */
  feed: FeedInfo;
  /** The `id` of the command. */
  id?: CommandId;
  /** The conflation interval in milliseconds. */
  interval_ms: number;
  /** The symbols whose quotes the connection receives. `*` comes first. */
  quotes: SymbolOrAll[];
  /** Whether the events after the cursor of this command follow. */
  resumed: boolean;
  /** The newest event that this frame takes into account; 0 before the first event. */
  seq: number;
  /** The number of snapshots that follow. */
  snapshots: number;
  /** The symbols whose trades the connection receives. `*` comes first. */
  trades: SymbolOrAll[];
  type: "subscribed";
  /** The symbols of this command that the feed does not know. */
  unknown?: Symbol[];
}

/** The name of an instrument: letters and digits of any script and `. _ : / ^ = + -`. Case counts. */
export type Symbol = string;

/** A list of symbols. */
export type SymbolList = SymbolOrAll[];

/** A symbol, or `*` for every symbol. The `*` includes symbols that the feed adds later. */
export type SymbolOrAll = string;

/** A symbol and its day. A symbol without trades and bars has no other field. */
export interface SymbolSummary {
  /** The change since the previous day. */
  change?: Decimal;
  /** The change in percent, with at most two decimal places. */
  change_percent?: Decimal;
  /** The last price. */
  last?: Decimal;
  /** The symbol. */
  symbol: Symbol;
  /** The market time of the newest trade, or of the newest bar. */
  time?: Time;
  /** The volume of the day. */
  volume?: Decimal;
}

/** One symbol, or a list of symbols. */
export type Symbols = SymbolOrAll | SymbolList;

/** The answer of `/api/v1/symbols`: the last price of each symbol. */
export interface SymbolsPage {
  /** If more symbols follow: the last symbol of this page, which is `after` of the next request. */
  next?: Symbol;
  /** The symbols. */
  symbols: SymbolSummary[];
}

/** A moment in the form of RFC 3339, in UTC with `Z`. The seconds have 0, 3, 6 or 9 decimal places. */
export type Time = string;

/** A trade. */
export interface Trade {
  /** The price. */
  price: Decimal;
  /** The sequence number of the event. The feed counts its events from 1, over all symbols. */
  seq: number;
  /** The size, if the source states a size. */
  size?: Decimal;
  /** The market time of the trade. */
  time: Time;
}

/** A trade. */
export interface TradeFrame {
  /** The price. */
  price: Decimal;
  /** The sequence number of the event. The feed counts its events from 1, over all symbols. */
  seq: number;
  /** The size, if the source states a size. */
  size?: Decimal;
  symbol: Symbol;
  /** The market time of the trade. */
  time: Time;
  type: "trade";
}

/** Whether a symbol is traded. */
export type TradingState = "trading" | "halted";

/** Takes symbols away from what the connection receives. */
export interface UnsubscribeCommand {
  action: "unsubscribe";
  /** The channels; all three without this field. */
  channels?: Channels;
  /** The reply repeats the `id`. */
  id?: CommandId;
  /** The symbols. `symbol`, `tickers` and `ticker` mean the same. */
  symbols: Symbols;
}

/** All that the connection now receives. This frame answers a command, or a URL that subscribes. */
export interface UnsubscribedFrame {
  /** The symbols whose bars the connection receives. `*` comes first. */
  bars: SymbolOrAll[];
  /** The delivery policy of the connection. */
  delivery: Delivery;
  /** The name of the present count of events. Each start of the server begins a new epoch. */
  epoch: string;
  /** The feed. */
  feed: FeedInfo;
  /** The `id` of the command. */
  id?: CommandId;
  /** The conflation interval in milliseconds. */
  interval_ms: number;
  /** The symbols whose quotes the connection receives. `*` comes first. */
  quotes: SymbolOrAll[];
  /** Whether the events after the cursor of this command follow. */
  resumed: boolean;
  /** The newest event that this frame takes into account; 0 before the first event. */
  seq: number;
  /** The number of snapshots that follow. */
  snapshots: number;
  /** The symbols whose trades the connection receives. `*` comes first. */
  trades: SymbolOrAll[];
  type: "unsubscribed";
  /** The symbols of this command that the feed does not know. */
  unknown?: Symbol[];
}
