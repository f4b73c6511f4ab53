//! Servers, clients and models that the tests share.

pub mod client_model;
pub mod event_bytes;
pub mod events;
pub mod faulty_proxy;
pub mod history_folder;
pub mod in_memory_server;
pub mod late_reader;
pub mod likeness;
pub mod line_client;
pub mod local_set;
pub mod mutated_text;
pub mod one_worker;
pub mod process;
pub mod proptest_cases;
pub mod received_frames;
pub mod reference_history;
pub mod resuming_client;
pub mod scripted_server;
pub mod session_harness;
pub mod shard_harness;
pub mod subscriber;
pub mod test_certificate;
pub mod test_server;
#[cfg(target_os = "linux")]
pub mod vanished_machine;
pub mod websocket_client;
