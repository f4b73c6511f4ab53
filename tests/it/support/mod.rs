//! What the tests share: servers, clients and models. No test is here.

pub mod client_model;
pub mod faulty_proxy;
pub mod in_memory_server;
pub mod process;
pub mod reference_history;
pub mod resuming_client;
pub mod session_harness;
pub mod shard_harness;
pub mod subscriber;
pub mod test_certificate;
pub mod test_server;
