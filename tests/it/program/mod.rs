//! Tests of the built program: the command line, and clients over real networks.

mod build_script;
mod certificate_files;
mod client_exit_codes;
mod client_tls_and_token;
mod curl_examples;
mod errors;
#[cfg(target_os = "linux")]
mod every_route;
mod exit_at_end;
mod faulty_network;
mod feeds;
mod hangup;
mod hostile_clients;
mod listening;
mod logs;
mod out_of_descriptors;
mod send_and_config;
mod slow_consumers_over_tcp;
mod stop_and_restart;
mod task_failures;
mod thousand_clients;
mod unknown_symbols;
mod vanished_clients;
#[cfg(target_os = "linux")]
mod vanished_machines;
mod watch_connects_again;
