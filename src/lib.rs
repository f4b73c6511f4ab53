//! tickerplant pushes market data to clients over WebSocket and HTTP: simulated, replayed from CSV, or live.
//!
//! # Bird's eye
//!
//! A feed is a stream of market events. The [bus] numbers the events in sequence and appends each event to
//! one ordered log. Past events stay in the log, so that clients can resume. Each shard of the [hub] reads
//! the log at its own position. A shard builds a last-value cache from the log. A shard also has an index
//! from each symbol to the symbol's subscribers. A shard produces values: events, snapshots and replies. An
//! [encoding] turns each value into bytes once, for all connections that use this encoding. A shard writes
//! new events directly to the sockets, with one contiguous write for each subscriber. If a socket does not
//! accept all bytes, the client's [session] writes the rest. Only the [feed] distinguishes live, simulated
//! and replayed time. Market data flows from the feed to the clients. Commands and messages flow from the
//! clients to the server.
//!
//! ```text
//!          CSV files     random walk     standard input
//!              │              │                │
//!  feed        └───────┬──────┴────────────────┘    a stream of events, published when they are due
//!                      ▼ pump
//!  bus     ┌───────────────────────┐
//!          │ the log: events, feed │   one sequence, bounded by count and bytes;
//!          │ states and seeks      │   wakes its readers; each reads at its own position
//!          └──────┬─────────┬──────┘
//!                 ▼         ▼
//!  hub         shard 0   shard n       last-value cache; symbol → own connections; no locks
//!                 ▼         ▼
//!  encoding    value → bytes, once per shard and encoding: WebSocket frames or lines (NDJSON)
//!                 ├─ batch ─┼────────▶ sockets: one write of new events for each client
//!                 ▼         ▼
//!              outbox    outbox        bytes that the socket did not accept, replies, conflated keys
//!                 ▼         ▼
//!  session     session   session       one small task per connection, on its shard's thread
//!                 ▼         ▼
//!  server      accept loop → admission → TLS → HTTP/1.1 → routes (warp) → upgrade or streamed response
//! ```
//!
//! # Code map
//!
//! Each module imports only modules that are listed above it. Tests check the last column.
//!
//! | module | what it does | imports |
//! |---|---|---|
//! | [`tcp_info`] | reads TCP acknowledgements; a separate crate for `unsafe` code | nothing of ours |
//! | [range] | checks configured values, such as a number against its range | nothing of ours |
//! | [task] | turns a panic or an early end of a task into an error | nothing of ours |
//! | `fault` | injects faults, for tests of the built program | nothing of ours |
//! | [counters] | the counters of `/metrics`, such as how often each limit is exceeded | nothing of ours |
//! | [market] | market data: events, symbols, prices, sizes and times | nothing of ours |
//! | [wire] | commands, replies and errors of the protocol; parses messages | market |
//! | [encoding] | turns values into bytes | wire, market |
//! | [auth] | tokens and their permissions | wire, market, range |
//! | [bus] | the log, its readers, the last-value cache | market, counters, range |
//! | [feed] | sources of events, and the schedule of events | bus, market, counters, range, task, fault |
//! | [hub] | sends events to connections | bus, encoding, wire, market, counters, range, fault, `tcp_info` |
//! | [session] | serves one client until the close | auth, hub, encoding, wire, market, counters, range |
//! | [client] | a WebSocket client, for `watch` and `send` | nothing of ours |
//! | [files] | the commands `inspect` and `cat` | feed, encoding, market |
//! | [server] | accepts connections, answers HTTP with warp | auth, session, feed and those above |
//! | [mod@config] | loads the configuration from all its sources, and checks it | all above |
//! | [app] | connects all parts, owns all tasks, shuts the parts down in order | all above |
//! | [cli] | the subcommands and flags | all above |
//! | [`exit_code`] | chooses the exit code for an error | all above |
//!
//! # Files
//!
//! Each settings struct and its defaults are in the module that they configure. `config.toml` repeats the
//! defaults.
//!
//! - **src**: `main.rs` parses the command line, runs the subcommand and prints its error. `app.rs` starts
//!   and stops all parts. `config.rs` merges flags, environment and file. `auth.rs` has tokens, permissions
//!   and `[auth]`. `counters.rs` names the counters and limits of `/metrics`. `range.rs` checks values of the
//!   configuration.
//! - **config**: `file.rs` `config.toml`, the line of each key · `environment.rs` variables · `setting.rs`
//!   the value of a flag or a variable, and its type · `check.rs` deserializes, and translates the errors of
//!   serde · `key_path.rs` · `shown.rs` how an error shows a wrong value · `keys.rs` all keys, the nearest
//!   key to an unknown name · `error.rs` errors, places and hints.
//! - **market**: `event.rs` trade, quote, bar and their fields · `symbol.rs` valid names · `number.rs` exact
//!   price and size · `time.rs` market time and bar intervals · `day.rs` day statistics (open, high, low,
//!   change) · `feed.rs` feed kinds and states.
//! - **wire**: `message_parser.rs` decides whether a message is a command, an error, or for the peers ·
//!   `verb.rs` verbs, misspelt verbs · `command.rs` commands, their symbols and channels · `fields.rs` fields
//!   of a JSON object, `id` · `token_check.rs` messages that could hold a token · `suggestion.rs` `did you
//!   mean` · `cursor.rs` · `url_parameters.rs` `?symbols=…` · `error_reply.rs` error codes · `reply.rs`
//!   `subscribed`, `heartbeat`, `gap` and `feed` frames · `message.rs` relayed messages · `close.rs` close
//!   codes · `token_hash.rs` hashes of tokens · `decoder.rs` incoming WebSocket frames, size and fragment
//!   limits.
//! - **encoding**: `native_json.rs` the JSON of market frames and snapshots · `websocket.rs` outgoing
//!   WebSocket frames · `ndjson.rs` lines.
//! - **bus**: `log.rs` the history, its bounds, eviction, seeks · `last_value_cache.rs` the newest event of
//!   each symbol and kind · `mod.rs` publish, wake readers, `[bus]`.
//! - **feed**: `mod.rs` builds the feed, `[feed]` · `source.rs` which source · `simulated.rs` the random walk
//!   · `instruments.rs` symbols of the random walk, invented names · `stdin/` JSON lines · `replay/` files ·
//!   `pump.rs` publishes due events, executes pause, seek, step, speed · `schedule.rs` when an event is due,
//!   `max_gap`, `[feed.clock]` · `speed.rs` parses a speed · `wall_clock.rs` retiming · `lateness.rs` warns
//!   of late events · `control.rs` commands to a running feed · `status.rs` the feed's status ·
//!   `symbol_gate.rs` limit of symbols · `reader.rs` threads that read ahead · `lines.rs` and
//!   `line_settings.rs` lines of bounded length · `reject_counters.rs` counts rejected rows · `printable.rs`
//!   text without control characters · `error.rs` errors and hints.
//! - **feed/replay**, in the order in which a file passes: `expand.rs` folders and patterns · `path.rs`
//!   symbol and day from the path · `container/` gzip, zstd, zip and their limits · `character_encoding.rs` ·
//!   `text_lines.rs` · `sniff.rs` delimiter, header, layout · `layout/` (`table.rs` the known layouts,
//!   `recognize.rs`, `role.rs` column names, `shape.rs` files without a header, `columns.rs`,
//!   `time_columns.rs`) · `scan.rs` reads all times and symbols once, `named_symbols.rs` symbols that rows
//!   name · `plan.rs` layout, symbol, order and zone, found before the first row · `records.rs` and
//!   `cells.rs` split rows · `row.rs` row to events · `number/` numbers, decimal commas · `time/` dates,
//!   times of day, Unix times · `zone/` time zones, clock changes · `events.rs` events in order · `merge.rs`
//!   several files · `moment.rs` times in settings and seeks · `rejected_rows.rs` · `extent.rs` first and
//!   last time · `inspect.rs` report of the recognized format · `settings.rs` parsed options, `config.rs`
//!   `[feed.replay]`.
//! - **hub**: `shard.rs` the shard: reads the log, answers commands · `shard_runner.rs` the shard's loop, the
//!   flush window · `fan_out.rs` event to subscribers · `batch.rs` updates written together ·
//!   `subscription_index.rs` symbol to subscribers · `subscription.rs` symbols and kinds of events for one
//!   connection · `command_executor.rs` subscribe, unsubscribe, set, ping · `subscribe_check.rs` symbol
//!   limit, cursor · `connection.rs` one client: resume, resync, gap, lag, slow-consumer close ·
//!   `connection_state.rs` · `outbox.rs` pending frames, conflation, `interval_ms`, buffer limit ·
//!   `frame_buffer.rs` bytes of pending frames · `conflated_keys.rs` · `snapshot_set.rs` ·
//!   `catch_up_quota.rs` share of a turn for catching up · `overload.rs` when a shard conflates ·
//!   `heartbeats.rs` when each heartbeat is due · `deadlines.rs` ping, message and auth timeouts, unreachable
//!   clients · `liveness.rs` sends pings, closes · `encoding_cache.rs` encode once · `market_state.rs` ·
//!   `sockets.rs` writes · `relay.rs` messages to all peers, `[relay]` · `rate_limiter.rs` · `spread.rs` even
//!   spreading · `settings.rs`.
//! - **session**: `mod.rs` the loop of one client · `message_handler.rs` permissions, rates, relay or command
//!   · `config.rs` `[session]` (heartbeat, buffers) and `[limits]`.
//! - **server**: `mod.rs` `[server]` · `listen.rs` binds the addresses · `accept.rs` accept loop, file
//!   descriptors · `admission.rs` connection limits, trusted proxies · `tls.rs` · `connections.rs` TLS, HTTP
//!   and sessions of one worker, shutdown · `worker.rs` a thread with its shard · `guard.rs` limits, Host,
//!   Origin and methods of each request · `routes.rs` paths · `app_state.rs` checks that all routes share:
//!   token, URL · `host.rs` Host rule · `origin.rs` Origin rule · `cross_origin.rs` CORS, `OPTIONS` ·
//!   `networks.rs` parses trusted proxies · `refusal_log.rs` logs refused requests · `handshake.rs` upgrade ·
//!   `ndjson.rs` `/ndjson` · `feed_api.rs` `/api/v1/feed` · `metrics.rs` gauges of `/metrics` ·
//!   `readiness.rs` `/readyz`, `[ready]` · `json_response.rs` error responses · `write_timeout.rs` ·
//!   `request_timer.rs` time limits of headers and of idle connections · `request_socket.rs` JSON for the
//!   error responses of the HTTP library · `page.html` the page at `/`.
//! - **cli**: `mod.rs` flags of the server, help · `serve.rs` signals, runs the server · `watch.rs` ·
//!   `send.rs` · `client_args.rs` flags and token of `watch` and `send` · `config.rs` `config` and its
//!   `--check` · `file_args.rs` flags for files · `load_config.rs` · `reload.rs` SIGHUP · `log.rs` ·
//!   `progress_bar.rs` · `stderr.rs` lines on standard error · `error.rs` errors and hints ·
//!   `did_you_mean.rs` misspelt commands · `nearest.rs` the nearest words.
//! - **files**: `inspect.rs` the table and JSON of `inspect` · `cat.rs`.
//! - **client**: `target.rs` where to connect, the token · `url.rs` the URL and its query · `tls.rs` trusted
//!   certificates · `connection.rs` connect, read, write, ping · `subscription.rs` connects again, resumes ·
//!   `progress.rs` the cursor · `backoff.rs` pauses between attempts · `frame.rs` fields of frames ·
//!   `names.rs` the feed's symbols · `error.rs` errors and hints.
//! - **tests**: `it/` tests from outside (`server/` HTTP and WebSocket, `session/`, `shard/` models,
//!   `files/`, `program/` the built program, `simulated_network/`, `fuzz/`), `bench/` benchmarks and the
//!   soak, `browser/`, `conformance/` Autobahn.
//!
//! Tests also check that the files of a folder do not import each other in a circle. The hub must not mention
//! the WebSocket protocol and must not write JSON. Only the server uses warp.
//!
//! # Invariants
//!
//! 1. The bus alone defines the order of events. Feed states and seeks are entries of the same log. So a
//!    client gets the state `ended` after the last event. Every shard handles a seek at the same position.
//! 2. For each symbol, a client gets a snapshot at one position of the log. Then the client gets every event
//!    after that position, without a gap or a repetition. The client's shard does both on one thread, without
//!    a lock. Snapshots are written as fast as the client reads them.
//! 3. A resume either delivers all missed events or is refused. A resume reads the log in chunks. A cursor at
//!    or before the newest seek is refused, because the seek replaced the values at that cursor.
//! 4. The server counts every event that it leaves out, and tells the client.
//! 5. A client waits for its shard, and a shard waits for the log. The log waits for neither. The only
//!    exception is back-pressure: a replay at full speed waits for the shards. A client that stalls such a
//!    replay is closed.
//! 6. A shard encodes an event at most once for each encoding, and only if the event has a subscriber. The
//!    same rule applies to a snapshot at one position. When a client resumes, its missed events are encoded
//!    for this client alone.
//! 7. Every queue and every message has a configured limit. The code that enforces a limit also counts how
//!    often clients exceed the limit. A batch has at most about 5,000 events. The memory that the server uses
//!    for one client is bounded: 10 MiB by the default limits.
//! 8. A client cannot harm other clients. An error or a panic in a connection ends only this connection.
//! 9. Every task has an owner. The owner waits until the task ends, and gets its result. If the pump or a
//!    reader of the feed fails, the feed becomes `failed`, and clients are told the reason. If a shard or the
//!    accept loop fails, the process shuts down in order.
//! 10. `market`, `wire`, `encoding`, the shard, the outbox and the log do no I/O and read no clock.
//! 11. Shards share only the log and the relay. A shard locks the log once for each segment of events that it
//!     reads.
//! 12. There are no globals, so that one process can have several buses.

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
