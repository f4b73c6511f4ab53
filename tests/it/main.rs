//! Integration tests: the public interface, the real server on a free port, and the built program.

mod auth;
mod contained;
mod delivery;
mod descriptors;
mod follower;
mod history;
mod hostile;
mod http;
mod imports;
mod interruptions;
mod metrics;
mod network;
mod process;
mod program;
mod properties;
mod proxy;
mod relay;
mod samples;
mod session;
mod slow_readers;
mod storm;
mod support;
mod transcripts;
mod vanished;
