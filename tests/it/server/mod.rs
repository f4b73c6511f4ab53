//! Tests of the whole server, over real or in-memory sockets.

mod admission;
mod auth;
mod bars;
#[cfg(target_os = "linux")]
mod behind_proxies;
mod compression;
mod dashboard;
mod data_api;
mod data_pages;
mod delivery;
mod end_of_replay;
mod feed_control;
mod half_closed;
mod http;
mod http_limits;
mod message_limits;
mod metrics;
mod ndjson;
mod new_epoch;
mod panic_isolation;
mod readiness;
mod relay;
mod shutdown;
mod sse;
mod strangers;
mod tls;
mod transcripts;
mod unknown_symbols;
