//! Integration tests of the library's public interface, of a real server on a free port, and of the built
//! program.
//!
//! | folder | what its tests check |
//! |---|---|
//! | `shard` | the log, one shard and its outboxes, called step by step without a runtime or sockets |
//! | `bars` | the bars that are folded from the log, and the task that folds them |
//! | `cluster` | nodes in this process that share a real NATS server |
//! | `session` | one shard with its sessions, over in-memory sockets and a paused clock |
//! | `server` | the whole server in this process: HTTP, WebSocket, TLS, limits, the relay, feed control |
//! | `program` | the built program as a process: commands, errors, logs, signals, faulty networks, `curl` |
//! | `files` | the layouts of CSV files, `inspect` and `cat`, the samples in `feeds/` |
//! | `fuzz` | generated frames, commands, files and lines on standard input |
//! | `simulated_network` | the whole server on a simulated network, for many random seeds |
//! | `contract` | `/openapi.json` and `/asyncapi.json`, compared with what the server does |
//! | `docs` | the examples in `docs/protocol.md`, and the completeness of the documents |
//! | `architecture` | the imports between the modules of `src` |
//! | `support` | no tests: the servers, clients and models that the tests share |

mod architecture;
mod bars;
mod cluster;
mod contract;
mod docs;
mod files;
mod fuzz;
mod program;
mod server;
mod session;
mod shard;
mod simulated_network;
mod support;
