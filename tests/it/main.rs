//! Integration tests: the public interface, the real server on a free port, and the built program.
//!
//! | folder | what its tests check |
//! |---|---|
//! | `shard` | the log, one shard and its outboxes, moved by hand: no runtime, no sockets |
//! | `session` | one shard with its sessions, over sockets in memory and a paused clock |
//! | `server` | the whole server in this process: HTTP, WebSocket, TLS, limits, the relay, feed control |
//! | `program` | the built program as a process: commands, errors, logs, signals, bad networks |
//! | `files` | the layouts of CSV files, `inspect` and `cat`, the samples in `feeds/` |
//! | `fuzz` | generated frames, commands, files and lines on standard input |
//! | `simulated_network` | the whole server on a simulated network, seed by seed |
//! | `docs` | the examples of `docs/protocol.md`, and that the documents leave nothing out |
//! | `architecture` | the modules of `src` import one another one way |
//! | `support` | what the tests share: servers, clients, models; no tests |

mod architecture;
mod docs;
mod files;
mod fuzz;
mod program;
mod server;
mod session;
mod shard;
mod simulated_network;
mod support;
