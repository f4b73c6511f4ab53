//! tickerplant pushes market data to clients over WebSocket and HTTP: simulated, replayed from CSV, or live.
//!
//! # Bird's eye
//!
//! One ordered log, read by folds. A feed is a stream of market events. The [bus] gives each event
//! the next sequence number and appends it to the log, which is also the history. Each shard of the
//! [hub] reads that log at a position of its own, folds it into last values, and knows which of its
//! connections subscribed to which symbol. A shard produces values (events, snapshots, replies), and an [encoding]
//! turns each into bytes once for all connections that share it. What is new goes to the sockets of its subscribers in one
//! contiguous write each; a [session] writes what its client's socket did not take. Live, simulated
//! and replayed time differ in the [feed] only; the clock of the latter two can be stopped, changed and set
//! over HTTP. Nothing flows backwards except what clients send.
//!
//! ```text
//!          CSV files     random walk     standard input
//!              │              │                │
//!  feed        └───────┬──────┴────────────────┘    a stream of events, published when they are due
//!                      ▼ pump
//!  bus     ┌───────────────────────┐
//!          │ the log: events, feed │   one sequence, bounded by count and bytes;
//!          │ states and seeks      │   readers are woken, not fed
//!          └──────┬─────────┬──────┘
//!                 ▼         ▼
//!  hub         shard 0   shard n       folds last values; symbol → own connections; no locks
//!                 ▼         ▼
//!  encoding    value → bytes, once a shard for each encoding in use: WebSocket frames, lines (NDJSON)
//!                 ├─ batch ─┼────────▶ sockets: what is new, laid out once, a slice of it for each client
//!                 ▼         ▼
//!              outbox    outbox        what a socket did not take, answers, and the keys of what is merged
//!                 ▼         ▼
//!  session     session   session       one small task a connection, on its shard's thread
//!                 ▼         ▼
//!  server      accept loop → admission → TLS → HTTP/1.1 → routes (warp) → upgrade, or a stream as the answer
//! ```
//!
//! # Code map
//!
//! | module | what it is for | imports |
//! |---|---|---|
//! | [`tcp_info`] | what a client's machine has acknowledged; a crate of its own in `tcp-info/`, with the only `unsafe` code | nothing of ours |
//! | [range] | the least and the most that a value of the configuration may be | nothing of ours |
//! | [task] | watched tasks: how each one ended | nothing of ours |
//! | `fault` | faults on purpose, for tests of the built program | nothing of ours |
//! | [counters] | what is counted: limits that struck, lags, resumes | nothing of ours |
//! | [market] | the nouns: symbol, exact price and size, trade, quote, bar, day | nothing of ours |
//! | [wire] | the protocol's values: commands, messages, replies, URLs, tokens, close codes; pure | market |
//! | [encoding] | how values become bytes: native JSON in WebSocket frames or in lines; pure | wire, market |
//! | [auth] | which token allows what | wire, market, range |
//! | [bus] | the log, its readers, the fold of last values | market, counters |
//! | [feed] | simulated, replay (how files are understood), stdin; the clock and its control; readers and the pump | bus, market, counters, range, task, fault |
//! | [hub] | shards, subscriptions, fan-out, outboxes, liveness, the relay; the loop that writes to the sockets | bus, encoding, wire, market, counters, fault, `tcp_info` |
//! | [session] | one client: its permissions and rates, its commands and messages | auth, hub, encoding, wire, market, counters, range |
//! | [client] | a connection to a server, as `watch` and `send` need it | nothing of ours |
//! | [files] | `inspect` and `cat`: what files say, without a server | feed, encoding, market |
//! | [server] | accept loop, admission, TLS, handshake, routes, streams, readiness, metrics, the page; the only code that names warp | auth, session, feed and those above |
//! | [mod@config], [app] | the configuration, the wiring and the shutdown | all above |
//! | [cli] | the command line, what its commands do and what they show on a terminal | all above |
//! | [`exit_code`] | which exit code stands for which error | all above |
//!
//! Tests read every `crate::` and `super::` path: they hold the last column, and that no sibling files of a folder import
//! each other in a circle. Another holds that the hub names nothing of the WebSocket protocol and writes no JSON.
//!
//! # Invariants
//!
//! 1. The sequence of the bus is the only order. Feed states are entries of the same log, so that `ended`
//!    never overtakes an event, and so are seeks: each shard changes the past at the same place.
//! 2. A subscription is, for each symbol, its snapshot at the position at which it is written, then everything of it
//!    after that position: no lock, no gap, no repeat. Snapshots are written as the client reads them.
//! 3. A resume is complete or it is refused. It reads the log in chunks and never copies it. A cursor at or before the
//!    head of the last seek is refused: what it names was replaced, even where no event came in between.
//! 4. Nothing is skipped without being counted and told.
//! 5. Waits go one way: a client waits for its shard, a shard for the log, the log for nobody. Readers of the log are
//!    passive or waited for: only a replay at full speed waits, for the shards alone, and closes a client that stands
//!    still.
//! 6. An event is encoded at most once a shard and encoding, and only if somebody takes it; so is a snapshot at one
//!    position. What a client missed is encoded for that client alone.
//! 7. Every queue and message has a limit; the limit is in the configuration, and where it strikes a client, a
//!    metric counts it, at the place that enforces it. A batch, which lasts for a turn, has some 5,000 events at the most.
//!    What one client makes the server hold is bounded in bytes, whatever it asks for: 10 MiB by the default limits.
//! 8. No client can hurt another: what is wrong with one, a panic too, ends its connection alone.
//! 9. Every task has an owner that waits for it and knows how it ended. Where a reader of the feed or its pump fails, the
//!    feed is `failed`, and clients are told why; where a shard or the accept loop does, the process shuts down in order.
//! 10. `market`, `wire`, `encoding`, the shard, the outbox and the log do no I/O and read no clock.
//! 11. Shards share nothing but the log, which each locks once a segment of events, and the relay.
//! 12. No globals: one process can hold several buses.

pub mod app;
pub mod auth;
pub mod bus;
pub mod cli;
pub mod client;
pub mod config;
pub mod counters;
pub mod encoding;
pub mod exit_code;
mod fault;
pub mod feed;
pub mod files;
pub mod hub;
pub mod market;
pub mod range;
pub mod server;
pub mod session;
pub mod task;
pub mod wire;
