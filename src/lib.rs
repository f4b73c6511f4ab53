//! tickerplant pushes market data to clients over WebSocket and HTTP. The market data is simulated, replayed
//! from CSV files, or live.
//!
//! # Bird's eye
//!
//! A feed is a stream of market events. In a [cluster], many servers serve one feed. The [bus] numbers the events in sequence and appends each event to
//! one ordered log. Past events stay in the log, so that clients can resume. A shard is one of the threads of
//! the [hub], and serves a part of the clients. Each shard reads the log at its own position. A shard builds
//! a last-value cache from the log. A shard also has an index, which maps each symbol to the symbol's
//! subscribers. A shard produces values of three sorts: events, snapshots and replies. An [encoding] turns
//! each value into bytes once, for all connections that use this encoding. A shard writes new events directly
//! to the sockets, with one contiguous write for each subscriber. If a socket does not accept all bytes, the
//! client's [session] writes the remaining bytes. On a thread of its own, another reader of the log folds
//! trades into [bars], which clients get over HTTP. Only the [feed] distinguishes live, simulated and
//! replayed market time. Market data flows from the feed to the clients. Commands, and messages for other
//! clients, flow from the clients to the server.
//!
//! ```text
//!          CSV files      simulation     standard input
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
//! Each module imports only modules that are listed above it in the following table. Tests check the imports
//! in the last column of the table.
//!
//! | module | what it does | imports |
//! |---|---|---|
//! | [`tcp_info`] | reads TCP acknowledgements; a separate crate for `unsafe` code | nothing of ours |
//! | [range] | checks configured values, such as a number against its range | nothing of ours |
//! | [nearest] | suggests the names nearest to a wrong name | nothing of ours |
//! | [task] | turns a panic or an early end of a task into an error | nothing of ours |
//! | `fault` | injects faults, for tests of the built program | nothing of ours |
//! | `exact_timer` | a timer for waits of a few milliseconds | nothing of ours |
//! | [counters] | the counters of `/metrics`, such as how often each limit is exceeded | nothing of ours |
//! | [market] | market data: events, symbols, prices, sizes and times | nothing of ours |
//! | [wire] | commands, replies and errors of the protocol; parses messages | market, nearest |
//! | [encoding] | turns values into bytes | wire, market |
//! | [contract] | the OpenAPI and the AsyncAPI document | wire, market |
//! | [auth] | tokens and their permissions | wire, market, range |
//! | [bus] | the log, its readers, the last-value cache | market, counters, range |
//! | [bars] | folds trades into bars, for HTTP clients | bus, market, range, fault |
//! | [feed] | sources of events, and the schedule of events | bus, market, counters, range, task, fault |
//! | [cluster] | many nodes that serve one feed, through a log that NATS JetStream stores | bus, feed, market, range, `exact_timer` |
//! | [hub] | sends events to connections | bus, cluster, encoding, wire, market, counters, range, fault, `exact_timer`, `tcp_info` |
//! | [session] | serves one client until the close | auth, hub, encoding, wire, market, counters, range |
//! | [client] | a WebSocket client, for `watch` and `send` | nothing of ours |
//! | [files] | the commands `inspect` and `cat` | feed, encoding, market |
//! | [server] | accepts connections, answers HTTP with warp | auth, bars, session, feed, contract and those above |
//! | [mod@config] | loads the configuration from all its sources, and checks it | all above |
//! | [app] | connects all parts, owns all tasks, shuts the parts down in order | all above |
//! | [cli] | the subcommands and flags | all above |
//! | [`exit_code`] | chooses the exit code for an error | all above |
//!
//! # Files
//!
//! Each settings struct and its defaults are in the module that they configure. The file `config.toml`
//! repeats the defaults of all settings.
//!
//! ## src
//!
//! | file | what it has or does |
//! |---|---|
//! | `main.rs` | parses the command line, runs the subcommand and prints its error |
//! | `app.rs` | starts and stops all parts |
//! | `config.rs` | merges flags, environment variables and the configuration file |
//! | `auth.rs` | tokens, permissions, `[auth]` |
//! | `counters.rs` | the counters and limits of `/metrics` |
//! | `range.rs` | checks configured values |
//! | `nearest.rs` | the names nearest to a wrong name, `did you mean` |
//!
//! ## config
//!
//! | file | what it has or does |
//! |---|---|
//! | `file.rs` | `config.toml`, the line of each key |
//! | `environment.rs` | environment variables |
//! | `setting.rs` | the value of a flag or a variable, and its type |
//! | `check.rs` | deserializes, and translates the errors of serde |
//! | `key_path.rs` | the path of sections and key to a value |
//! | `shown.rs` | how an error shows a wrong value |
//! | `keys.rs` | all keys, the nearest key to an unknown name |
//! | `error.rs` | errors, places and hints |
//!
//! ## market
//!
//! | file | what it has or does |
//! |---|---|
//! | `event.rs` | trade, quote, bar and their fields |
//! | `symbol.rs` | valid names |
//! | `number.rs` | exact price and size |
//! | `time.rs` | market time and bar intervals |
//! | `day.rs` | day statistics (open, high, low, change) |
//! | `feed.rs` | feed kinds and states |
//!
//! ## wire
//!
//! | file | what it has or does |
//! |---|---|
//! | `message_parser.rs` | decides whether a message is a command, an error, or for the peers |
//! | `verb.rs` | verbs, misspelt verbs |
//! | `command.rs` | commands, their symbols and channels |
//! | `fields.rs` | fields of a JSON object, `id` |
//! | `token_check.rs` | messages that could hold a token |
//! | `cursor.rs` | positions from which clients resume |
//! | `parameter.rs` | rules for the parameters of all URLs, numbers in a URL |
//! | `url_parameters.rs` | `?symbols=…` |
//! | `data_parameters.rs` | `?symbols=…&after=…&limit=…` of requests for market data |
//! | `error_reply.rs` | error codes |
//! | `reply.rs` | `subscribed`, `heartbeat`, `gap` and `feed` frames |
//! | `message.rs` | relayed messages |
//! | `close.rs` | close codes |
//! | `token_hash.rs` | hashes of tokens |
//! | `decoder.rs` | incoming WebSocket frames, size and fragment limits |
//!
//! ## encoding
//!
//! | file | what it has or does |
//! |---|---|
//! | `native_json.rs` | the JSON of market frames, snapshots and last prices |
//! | `websocket.rs` | outgoing WebSocket frames |
//! | `body.rs` | how the body of a stream ends, chunks |
//! | `ndjson.rs` | lines of JSON |
//! | `sse.rs` | Server-Sent Events |
//!
//! ## contract
//!
//! | file | what it has or does |
//! |---|---|
//! | `openapi.rs` | the OpenAPI document: the HTTP routes, their parameters and statuses |
//! | `asyncapi.rs` | the AsyncAPI document: the messages of the WebSocket and of the streams |
//! | `frames.rs` | the schemas of all frames |
//! | `commands.rs` | the schemas of all commands, those to the feed included |
//! | `answers.rs` | the schemas of the answers of HTTP routes |
//! | `values.rs` | the schemas of simple values: symbols, times, numbers |
//! | `schemas.rs` | collects the schemas of a document |
//!
//! ## bus
//!
//! | file | what it has or does |
//! |---|---|
//! | `log.rs` | the history, its bounds, eviction, seeks |
//! | `last_value_cache.rs` | the newest event of each symbol and kind |
//! | `mod.rs` | publish, wake readers, `[bus]` |
//!
//! ## bars
//!
//! | file | what it has or does |
//! |---|---|
//! | `mod.rs` | the task that reads the log, the newest bars of a symbol |
//! | `config.rs` | `[bars]` |
//! | `interval.rs` | the served intervals |
//! | `packed_bar.rs` | a bar in 64 bytes, how a trade changes a bar |
//! | `series.rs` | the bars of one symbol and one interval, their number |
//! | `symbol_bars.rs` | the bars of one symbol, late trades, seeks, longer bars derived from minutes |
//! | `fold.rs` | all symbols, the market time, eviction by `bars.bytes` |
//!
//! ## feed
//!
//! | file | what it has or does |
//! |---|---|
//! | `mod.rs` | builds the feed, `[feed]` |
//! | `source.rs` | chooses the source |
//! | `simulated/` | the feed of a simulated market |
//! | `stdin/` | the feed of JSON lines on standard input |
//! | `replay/` | the feed of recorded files |
//! | `pump.rs` | publishes due events |
//! | `pump/commands.rs` | executes pause, seek, step, speed |
//! | `schedule.rs` | when an event is due, `max_gap`, `[feed.clock]` |
//! | `cut_gaps.rs` | counts and logs the gaps that `max_gap` cuts short |
//! | `speed.rs` | parses a speed |
//! | `pace.rs` | whether a feed is paused, its speed, and whether it starts again |
//! | `standby.rs` | a feed whose events another node publishes |
//! | `wall_clock.rs` | computes the wall-clock time of an event |
//! | `lateness.rs` | warns of late events |
//! | `control.rs` | commands to a running feed |
//! | `status.rs` | the feed's status |
//! | `symbol_gate.rs` | limit of symbols |
//! | `reader.rs` | threads that read ahead |
//! | `lines.rs` and `line_settings.rs` | lines of bounded length |
//! | `reject_counters.rs` | counts rejected rows |
//! | `printable.rs` | text without control characters |
//! | `error.rs` | errors and hints |
//!
//! ## feed/simulated
//!
//! | file | what it has or does |
//! |---|---|
//! | `config.rs` | `[feed.simulated]`, a drawn seed |
//! | `profile.rs` | names of the profiles |
//! | `instruments.rs` | the configured list of symbols, invented names |
//! | `instrument.rs` | the configured values of a symbol |
//! | `instrument_text.rs` | symbols of `--symbols` with their values |
//! | `well_known.rs` | prices, volatilities and sectors of well-known symbols |
//! | `assembly.rs` | makes the simulation from its settings |
//! | `model.rs` | numbers of the realistic model |
//! | `random.rs` | repeatable random numbers |
//! | `hours.rs` | trading hours, sessions |
//! | `minutes.rs` | minutes of trading |
//! | `factors.rs` | what moves the market and the sectors |
//! | `path.rs` | price, volatility and activity of a symbol, minute by minute |
//! | `grid.rs` | the paths of all symbols, checkpoints for seeks |
//! | `bridge.rs` | the price within a minute |
//! | `arrivals.rs` | times of events: bursts, or evenly spaced |
//! | `quotes.rs` | bid and ask, ticks, lots, sizes |
//! | `ticker.rs` | the events of one symbol in a minute |
//! | `simulation.rs` | merges the events of all symbols, seeks |
//! | `repeat.rs` | the command that repeats a simulation |
//!
//! ## feed/replay
//!
//! The table lists the source files of this folder in the order in which they process a replayed file. A folder is
//! a stage of the replay, or what several stages know: layouts, numbers, times and zones.
//!
//! | file | what it has or does |
//! |---|---|
//! | `config.rs` | `[feed.replay]` |
//! | `settings.rs` | parsed options |
//! | `expand.rs` | folders and patterns |
//! | `path.rs` | symbol and day from the path |
//! | `container/` | gzip, zstd, zip and their limits |
//! | `character_encoding.rs` | conversion of texts to UTF-8 |
//! | `text_lines.rs` | the lines of a text |
//! | `records.rs` and `cells.rs` | split rows |
//! | `sniff/mod.rs` | reads the first lines: header, layout |
//! | `sniff/comments.rs` | tells comments from a header that begins like one |
//! | `sniff/delimiter.rs` | chooses the delimiter |
//! | `sniff/unused_columns.rs` | the columns without a role |
//! | `sniff/suspicion.rs` | what an unused column may hold, by its name |
//! | `sniff/kind_column.rs` | columns that say whether a row is a trade, a payment or an order |
//! | `sniff/preamble.rs` | what lines before the rows say about the symbol and units |
//! | `sniff/zone_clues.rs` | what lines and columns say about the zone of the times |
//! | `layout/table.rs` | the known layouts |
//! | `layout/entry.rs` | an entry of the table: path, rules |
//! | `layout/header.rs` | the columns of a layout with a header |
//! | `layout/given.rs` | settings and facts that the recognition uses |
//! | `layout/recognize.rs` | chooses the layout from the first lines |
//! | `layout/layout_error.rs` | why no layout is recognized |
//! | `layout/role.rs` | roles, usual column names |
//! | `layout/header_names.rs` | names of columns without units and symbols beside them |
//! | `layout/headerless.rs` | chooses the layout of a file without a header |
//! | `layout/shape.rs` | the columns of a layout without a header |
//! | `layout/columns.rs` | the columns by role |
//! | `layout/number_columns.rs` | the notation of numbers in the first rows |
//! | `layout/date_orders.rs` | the orders of day and month that the first rows allow |
//! | `layout/time_columns.rs` | the columns of the time |
//! | `layout/symbol_columns.rs` | the columns that are joined to the symbol |
//! | `layout/row_kinds.rs` | trades beside asks, levels of an order book |
//! | `layout/other_times.rs` | columns of times that are not read |
//! | `layout/other_closes.rs` | columns of closes that are not read |
//! | `layout/decided.rs` | the layout that all rows together decide |
//! | `layout/times.rs` | reads the time of a row from its columns |
//! | `scan/mod.rs` | reads all rows once, and judges whether they are plausible |
//! | `scan/readings.rs` | decides how the times are meant: order of day and month, form of the time of day |
//! | `scan/digit_lengths.rs` | the readings for each length of times of day in digits |
//! | `scan/reading.rs` | the order and the span of the times in one reading |
//! | `scan/sessions.rs` | sessions that begin on the evening before their date |
//! | `scan/named_symbols.rs` | symbols that rows name |
//! | `scan/merged_instruments.rs` | rows of one time that differ in a column for instruments |
//! | `scan/account.rs` | payments and unfilled orders beside trades |
//! | `scan/judged_rows.rs` | the rows whose prices are judged |
//! | `scan/number_evidence.rs` | what the numbers prove: decimal sign, fixed point |
//! | `scan/contradictions.rs` | judges whether bars contradict themselves |
//! | `scan/price_jumps.rs` | prices that differ by a power of ten, or may mean that there is none |
//! | `scan/thirty_seconds.rs` | prices with a point that may be in 32nds |
//! | `scan/whole_prices.rs` | great whole prices that may be in smaller units |
//! | `scan/odd_ticks.rs` | bids above the ask, trades of no size |
//! | `scan/swapped_dates.rs` | dates of which a program exchanged day and month |
//! | `scan/odd_times.rs` | numbers that may be ids, times far from the one before |
//! | `scan/same_times.rs` | times of day that may be codes of instruments |
//! | `scan/repeated_times.rs` | rows that have the time and the symbol of an earlier one |
//! | `scan/running_total.rs` | sizes that are the volume of the day so far |
//! | `plan/mod.rs` | layout, symbol, order and zone, found before the first row |
//! | `plan/symbols_in_names.rs` | two files whose names give one symbol |
//! | `plan/warnings.rs` | what was assumed of a file |
//! | `row/mod.rs` | makes events from a row |
//! | `row/joined_symbol.rs` | joins the cells that name an instrument |
//! | `row/recent_symbols.rs` | remembers the symbols of recent rows |
//! | `number/` | numbers, decimal commas, 32nds |
//! | `time/` | dates, times of day, Unix times |
//! | `zone/` | time zones, clock changes, zones that rows name |
//! | `words.rs` | lists of words in one text |
//! | `reason.rs` | the reasons for which rows are rejected |
//! | `events/mod.rs` | the events of a file in order |
//! | `events/rejected_rows.rs` | counts and logs rejected rows |
//! | `merge.rs` | merges the events of several files |
//! | `extent.rs` | first and last time |
//! | `moment.rs` | times in settings and seeks |
//! | `inspect.rs` | report of the recognized format |
//!
//! ## cluster
//!
//! | file | what it has or does |
//! |---|---|
//! | `node.rs` | the node's loop |
//! | `node/opening.rs` | opens the stream, joins at a checkpoint, notices losses |
//! | `node/applying.rs` | reads the log into the bus |
//! | `node/appending.rs` | appends to the log, begins a term |
//! | `node/errands.rs` | checkpoints, signs of presence, commands |
//! | `entry.rs` | the entries of the shared log, their binary form, the chain |
//! | `log.rs` | the shared log as a node sees it |
//! | `reader.rs` | decides which entries are valid |
//! | `appender.rs` | one message in flight |
//! | `checkpoint.rs` | where a new node begins to read |
//! | `lease.rs` | how long the others wait for a silent leader |
//! | `peers.rs` | messages to the clients of other nodes |
//! | `queue.rs` | what a leader's feed has published, and the stream does not have yet |
//! | `own_feed.rs` | the node's own feed: a standby, or the running feed of the leader |
//! | `mail.rs` | commands for the leader, signs of presence |
//! | `nats.rs` | the shared log as a stream of NATS JetStream |
//! | `login.rs` | the login at the NATS servers |
//! | `start.rs` | connects, starts the node's tasks |
//! | `view.rs` | what a node knows of the cluster |
//! | `config.rs` | `[cluster]` |
//! | `error.rs` | errors and hints |
//!
//! ## hub
//!
//! | file | what it has or does |
//! |---|---|
//! | `shard.rs` | the shard: connections and their commands |
//! | `shard/reading.rs` | reads the log, writes new events, tells of seeks and lost events |
//! | `shard/sending.rs` | the bytes that a session writes next, stalled clients |
//! | `shard_runner.rs` | the shard's loop, the flush window |
//! | `fan_out.rs` | sends an event to its subscribers |
//! | `batch.rs` | updates written together |
//! | `subscription_index.rs` | finds the subscribers of a symbol |
//! | `subscription.rs` | the symbols and kinds of events of one connection |
//! | `command_executor.rs` | subscribe, unsubscribe, set, ping |
//! | `subscribe_check.rs` | symbol limit, cursor |
//! | `connection.rs` | one client: resume, resync, gap, lag, slow-consumer close |
//! | `connection_state.rs` | what a connection gets next: new events, snapshots or missed events |
//! | `outbox.rs` | pending frames, conflation, `interval_ms`, buffer limit |
//! | `frame_buffer.rs` | bytes of pending frames |
//! | `conflated_keys.rs` | keys whose newest event has yet to be sent |
//! | `snapshot_set.rs` | symbols whose snapshots have yet to be sent |
//! | `catch_up_quota.rs` | share of a turn for catching up |
//! | `overload.rs` | when a shard conflates |
//! | `flush_window.rs` | when and how long a shard collects updates |
//! | `heartbeats.rs` | when each heartbeat is due |
//! | `deadlines.rs` | ping, message and auth timeouts, unreachable clients |
//! | `liveness.rs` | sends pings, closes |
//! | `encoding_cache.rs` | encodes each value once |
//! | `market_state.rs` | the last values, the feed state and the newest seek |
//! | `sockets.rs` | the sockets of a thread's connections |
//! | `relay.rs` | messages to all peers, `[relay]` |
//! | `relay_frames.rs` | encodes relayed messages once |
//! | `rate_limiter.rs` | rate limits |
//! | `spread.rs` | spreads numbers evenly |
//! | `settings.rs` | a shard's settings |
//!
//! ## session
//!
//! | file | what it has or does |
//! |---|---|
//! | `mod.rs` | the loop of one client |
//! | `message_handler.rs` | permissions, rates, relay or command |
//! | `config.rs` | `[session]` (heartbeat, buffers) and `[limits]` |
//!
//! ## server
//!
//! | file | what it has or does |
//! |---|---|
//! | `mod.rs` | `[server]` |
//! | `listen.rs` | binds the addresses |
//! | `accept.rs` | accept loop, file descriptors |
//! | `admission.rs` | connection limits, trusted proxies |
//! | `tls.rs` | TLS certificates and their renewal |
//! | `connections.rs` | TLS, HTTP and sessions of one worker, shutdown |
//! | `worker.rs` | a thread with its shard |
//! | `guard.rs` | limits, Host, Origin and methods of each request |
//! | `routes.rs` | paths |
//! | `app_state.rs` | checks that all routes share: token, URL |
//! | `host.rs` | Host rule |
//! | `origin.rs` | Origin rule |
//! | `cross_origin.rs` | CORS, `OPTIONS` |
//! | `networks.rs` | parses trusted proxies |
//! | `refusal_log.rs` | logs refused requests |
//! | `handshake.rs` | the WebSocket handshake |
//! | `streams.rs` | `/ndjson` and `/sse` |
//! | `session_response.rs` | the head of the response that begins a session |
//! | `feed_api.rs` | `/api/v1/feed` |
//! | `bars_api.rs` | `/api/v1/bars/SYMBOL` |
//! | `cluster_api.rs` | `/api/v1/cluster` |
//! | `data_api.rs` | checks `/api/v1/symbols`, `/api/v1/snapshots` and `/api/v1/events` |
//! | `last_values_page.rs` | the JSON of last prices and snapshots, in slices |
//! | `events_page.rs` | the JSON of past events |
//! | `answers.rs` | writes, compresses and sends long answers without a delay of updates |
//! | `compression.rs` | `Accept-Encoding`, gzip, brotli, zstd |
//! | `info.rs` | `/api/v1/info` |
//! | `contract_pages.rs` | `/openapi.json`, `/asyncapi.json` |
//! | `metrics.rs` | gauges of `/metrics` |
//! | `readiness.rs` | `/readyz`, `[ready]` |
//! | `json_response.rs` | error responses |
//! | `write_timeout.rs` | closes connections that accept no bytes |
//! | `request_timer.rs` | time limits of headers and of idle connections |
//! | `request_socket.rs` | JSON for the error responses of the HTTP library |
//! | `dashboard.rs` | `/`, `/client.js` and the other files that `build.rs` has built |
//! | `page.html` | the plain page, which a program has at `/` that was built without npm |
//!
//! ## cli
//!
//! | file | what it has or does |
//! |---|---|
//! | `mod.rs` | flags of the server, help |
//! | `serve.rs` | signals, runs the server |
//! | `watch.rs` | the command `watch` |
//! | `send.rs` | the command `send` |
//! | `client_args.rs` | flags and token of `watch` and `send` |
//! | `config.rs` | `config` and its `--check` |
//! | `file_args.rs` | flags for files |
//! | `load_config.rs` | loads a subcommand's configuration |
//! | `reload.rs` | SIGHUP |
//! | `log.rs` | the program's log |
//! | `progress_bar.rs` | a replay's progress bar |
//! | `stderr.rs` | lines on standard error |
//! | `error.rs` | errors and hints |
//! | `did_you_mean.rs` | misspelt commands |
//!
//! ## files
//!
//! | file | what it has or does |
//! |---|---|
//! | `inspect.rs` | the table and JSON of `inspect` |
//! | `cat.rs` | the command `cat` |
//!
//! ## client
//!
//! | file | what it has or does |
//! |---|---|
//! | `target.rs` | where to connect, the token |
//! | `url.rs` | the URL and its query |
//! | `tls.rs` | trusted certificates |
//! | `connection.rs` | connect, read, write, ping |
//! | `subscription.rs` | connects again, resumes |
//! | `progress.rs` | the cursor |
//! | `backoff.rs` | pauses between attempts |
//! | `frame.rs` | fields of frames |
//! | `names.rs` | the feed's symbols |
//! | `error.rs` | errors and hints |
//!
//! ## tests
//!
//! | file | what it has or does |
//! |---|---|
//! | `it/` | tests from outside, e.g. `server/` (HTTP and WebSocket), `program/` (the built program) |
//! | `bench/` | benchmarks and the soak test |
//! | `browser/` | tests in a browser |
//! | `conformance/` | the Autobahn test suite |
//! | `cluster/` | installs NATS servers for the tests of clusters |
//! | `contract/` | validators and random requests for the OpenAPI and the AsyncAPI document |
//! | `notebook/` | executes `docs/notebook.ipynb` |
//! | `spreadsheet/` | the formulas of `docs/spreadsheets.md`, entered into Calc |
//! | `virtual_environment.sh` | creates the Python environments of the tests |
//! | `serving.py` | starts servers for the tests in Python |
//!
//! ## The build
//!
//! | file | what it has or does |
//! |---|---|
//! | `build.rs` | builds the dashboard and the client library with npm, lists their files for `dashboard.rs` |
//! | `dashboard/build.mjs` | runs Vite, writes the licences, compresses the files |
//! | `packaging/crate` | packs the crate with the built files |
//!
//! ## dashboard
//!
//! The dashboard at `/` is a package of its own, in TypeScript. The table lists the folders and files of
//! `dashboard/src`. Data flow from the session to the market, and from there to the table and to the detail.
//! The folder `dashboard/test` has the tests of modules that need no browser.
//!
//! | file | what it has or does |
//! |---|---|
//! | `page.ts` | the state of the page, and what a person can do to it |
//! | `app.ts` | lays out the parts of the page, and passes on what a person does |
//! | `frame.ts` | draws once a frame |
//! | `session/` | the connections, the token, what the server is |
//! | `market/` | the last values of all symbols, numbers and times in words |
//! | `table/` | the table: rows in view, their cells and sparklines, columns, order |
//! | `detail/` | the opened symbol: its chart, candles and last trades |
//! | `feed/` | the bar of the feed, its scrubber, its status |
//! | `status/` | the state of the connection in words, the line at the bottom, notices |
//! | `panels/` | the relay, the lines for other programs, settings, keys, the field for a token |
//! | `state/` | the address, the watchlists and what else the browser keeps |
//! | `style/` | the style sheets, colours in `tokens.css` |
//!
//! ## clients/js
//!
//! The client library for browsers and Node is a package of its own, in TypeScript. The table lists the files
//! of its folder `src`.
//!
//! | file | what it has or does |
//! |---|---|
//! | `index.ts` | what the package exports |
//! | `types.ts` | the client as programs see it |
//! | `generated.ts` | the types of frames, commands and answers, generated from the two documents |
//! | `connect.ts` | carries out calls, distributes frames |
//! | `connection.ts` | connects again, notices silence, chooses the transport |
//! | `link.ts` | one WebSocket or stream |
//! | `calls.ts` | commands and their replies |
//! | `progress.ts` | the cursor, snapshots that are still to come |
//! | `wanted.ts` | the symbols and channels of the subscription |
//! | `store.ts` | the last values of all symbols |
//! | `day.ts` | adds trades and bars to a day |
//! | `decimal.ts` | exact numbers, parses frames |
//! | `http.ts` | requests to HTTP routes |
//! | `errors.ts` | errors of the server |
//! | `emitter.ts` | listeners |
//! | `iterate.ts` | updates in a loop |
//!
//! Tests also check that the files of a folder do not import each other in a circle. The code of the hub must
//! not mention the WebSocket protocol and must not write JSON. Only the server uses the library warp.
//!
//! # Invariants
//!
//! 1. The bus alone defines the order of events. The log of the events also has an entry for each feed state
//!    and each seek. So a client gets the feed state `ended` after the last event. Every shard handles a seek
//!    at the same position of the log.
//! 2. For each symbol, a client gets a snapshot at one position of the log. Then the client gets every event
//!    after that position, without a gap or a repetition. The client's shard sends the snapshot and the later
//!    events on one thread, without a lock. Snapshots are written as fast as the client reads them.
//! 3. If a client resumes from a cursor, the client gets all missed events, or the server refuses the resume.
//!    The missed events are read from the log in chunks. The server refuses a cursor at or before the newest
//!    seek, because this seek has replaced all earlier values.
//! 4. The server counts the subscribed events that a client does not get, and tells the client this number.
//! 5. A client waits for its shard, and a shard waits for the log. The log waits neither for shards nor for
//!    clients. The only exception is back-pressure: a feed at full speed waits for the shards and for the
//!    reader of the bars. So does a feed at whose end the program exits. If a client stalls such a feed, the
//!    server closes the client's connection. If the reader of the bars makes no progress during the stall
//!    timeout, the feed goes on without it.
//! 6. A shard encodes an event at most once for each encoding, and only if the event has a subscriber. At
//!    each position of the log, a shard also encodes a symbol's snapshot at most once for each encoding. When
//!    a client resumes, its missed events are encoded for this client alone.
//! 7. Every queue and every message has a configured limit. The code that enforces a limit also counts how
//!    often clients exceed the limit. A batch, which is a group of events that a shard writes together, has
//!    at most about 5,000 events. The memory that the server uses for one client is bounded, by default to 10
//!    MiB.
//! 8. A client cannot harm other clients. An error or a panic in a connection ends only this connection.
//! 9. Every task has an owner. The owner of a task waits until the task ends, and gets the task's result. The
//!    tasks of the feed are the pump, which publishes events, and the readers. If one of these tasks fails,
//!    the feed's state becomes `failed`, and the server tells clients the reason. If a shard or the accept
//!    loop fails, the process shuts down all its parts in order.
//! 10. `market`, `wire`, `encoding`, the shard, the outbox and the log do no I/O and read no clock.
//! 11. Shards share only the log and the relay. A shard locks the log once for each segment of events that it
//!     reads.
//! 12. The code has no global variables, so that one process can have several buses.

pub mod app;
pub mod auth;
pub mod bars;
pub mod bus;
pub mod cli;
pub mod client;
pub mod cluster;
pub mod config;
pub mod contract;
pub mod counters;
pub mod encoding;
mod exact_timer;
pub mod exit_code;
mod fault;
pub mod feed;
pub mod files;
pub mod hub;
pub mod market;
pub mod nearest;
pub mod range;
pub mod server;
pub mod session;
pub mod task;
pub mod wire;
