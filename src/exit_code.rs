//! The exit codes of the program. Exit codes from 65 up have the meaning that BSD's header file `sysexits.h`
//! defines.
//!
//! | code | | when |
//! |---|---|---|
//! | 0 | | the command succeeded, or the reader of its output closed the pipe |
//! | 1 | [`STOPPED`] | a second signal stopped the server during its shutdown |
//! | 2 | [`USAGE`] | the command line is wrong |
//! | 65 | [`DATA`] | an input is not readable market data, or the feed failed and `--exit-at-end` was given |
//! | 66 | [`NO_INPUT`] | a file is missing or cannot be read |
//! | 69 | [`UNAVAILABLE`] | the port is taken, no server answers, the server closed a slow client, or NATS cannot be used |
//! | 70 | [`SOFTWARE`] | a part of the program failed |
//! | 71 | [`OS`] | the system cannot start a thread or handle signals |
//! | 74 | [`OUTPUT`] | the output cannot be written |
//! | 76 | [`PROTOCOL`] | the server rejected the client, TLS failed, or the connection ended |
//! | 77 | [`LOGIN`] | the servers of the cluster refuse the login |
//! | 78 | [`CONFIG`] | the configuration is wrong |

use std::io;

use crate::app::{RunError, StartError};
use crate::cli::CliError;
use crate::client::{CaError, ClientError, TargetError};
use crate::cluster::{ClusterError, ClusterErrorClass};
use crate::config::LoadError;
use crate::feed::{ErrorClass, FeedError};
use crate::files::FilesError;
use crate::server::TlsError;

/// The exit code if a second signal stopped the server during its shutdown.
pub const STOPPED: u8 = 1;
/// The exit code for a wrong command line.
pub const USAGE: u8 = 2;
/// The exit code for an input that is not readable market data, or for a feed that failed while the setting
/// `feed.exit_at_end` was on (`EX_DATAERR`).
pub const DATA: u8 = 65;
/// The exit code for a file that is missing or cannot be read (`EX_NOINPUT`).
pub const NO_INPUT: u8 = 66;
/// The exit code if the port is taken, no server answers, or the server closed a slow client
/// (`EX_UNAVAILABLE`).
pub const UNAVAILABLE: u8 = 69;
/// The exit code if a part of the program itself failed, e.g. by a panic (`EX_SOFTWARE`).
pub const SOFTWARE: u8 = 70;
/// The exit code if the operating system cannot start a thread or handle signals (`EX_OSERR`).
pub const OS: u8 = 71;
/// The exit code if the program's output cannot be written (`EX_IOERR`).
pub const OUTPUT: u8 = 74;
/// The exit code if the server rejected the client, TLS failed, or the connection ended (`EX_PROTOCOL`).
pub const PROTOCOL: u8 = 76;
/// The exit code if the servers of the cluster refuse the login (`EX_NOPERM`).
pub const LOGIN: u8 = 77;
/// The exit code for a wrong configuration (`EX_CONFIG`).
pub const CONFIG: u8 = 78;

/// Returns the exit code for an error that ends the program.
#[must_use]
pub fn of(error: &CliError) -> u8 {
    match error {
        CliError::Load(error) => of_load(error),
        CliError::Feed(error)
        | CliError::Files(FilesError::Feed(error) | FilesError::Some { first: error, .. }) => of_feed(error),
        CliError::Start(error) => of_start(error),
        CliError::Client(error) => of_client(error),
        CliError::Stopped => STOPPED,
        CliError::Target(error) => of_target(error),
        CliError::Symbols(_)
        | CliError::UrlAsSymbol
        | CliError::SeveralTexts { .. }
        | CliError::NotACommand { .. }
        | CliError::CommandAfterFlags { .. }
        | CliError::FileWithoutReplay { .. }
        | CliError::FlagWithoutClock { .. } => USAGE,
        CliError::Unusable(error) => match of(error) {
            USAGE => USAGE,
            _ => CONFIG,
        },
        CliError::Failed(_) | CliError::Run(RunError::Task(_)) => SOFTWARE,
        CliError::Run(RunError::Cluster(error)) => of_cluster(error),
        CliError::Run(RunError::Feed { .. }) => DATA,
        CliError::System(_) => OS,
        CliError::Output(_) | CliError::Files(FilesError::Output(_)) => OUTPUT,
    }
}

fn of_load(error: &LoadError) -> u8 {
    match error {
        LoadError::Open { .. } => NO_INPUT,
        _ if error.is_usage() => USAGE,
        LoadError::Syntax { .. } | LoadError::Unknown { .. } | LoadError::Wrong { .. } => CONFIG,
    }
}

fn of_feed(error: &FeedError) -> u8 {
    match error.class() {
        ErrorClass::NoInput => NO_INPUT,
        ErrorClass::BadData => DATA,
        ErrorClass::Configuration => CONFIG,
    }
}

fn of_start(error: &StartError) -> u8 {
    use io::ErrorKind::{AddrInUse, AddrNotAvailable, PermissionDenied};
    match error {
        StartError::Listen(error) => match error.source.kind() {
            AddrInUse | AddrNotAvailable | PermissionDenied => UNAVAILABLE,
            _ => CONFIG,
        },
        StartError::Tls(TlsError::Open { .. }) => NO_INPUT,
        StartError::Exposed { .. } | StartError::Tls(_) => CONFIG,
        StartError::Cluster(error) => of_cluster(error),
        StartError::Thread(_) => OS,
    }
}

fn of_cluster(error: &ClusterError) -> u8 {
    match error.class() {
        ClusterErrorClass::Configuration => CONFIG,
        ClusterErrorClass::NoInput => NO_INPUT,
        ClusterErrorClass::Login => LOGIN,
        ClusterErrorClass::Unavailable => UNAVAILABLE,
    }
}

fn of_target(error: &TargetError) -> u8 {
    match error {
        TargetError::Url(_) | TargetError::CaWithoutTls => USAGE,
        TargetError::Ca(CaError::Open { .. }) => NO_INPUT,
        TargetError::Ca(_) | TargetError::Token => CONFIG,
    }
}

fn of_client(error: &ClientError) -> u8 {
    match error {
        ClientError::Connect { .. } | ClientError::Closed { code: 4008, .. } => UNAVAILABLE,
        ClientError::Tls { .. }
        | ClientError::Refused { .. }
        | ClientError::Rejected { .. }
        | ClientError::Broken { .. }
        | ClientError::Closed { .. } => PROTOCOL,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::TaskFailed;

    #[test]
    fn a_failed_task_exits_with_70() {
        assert_eq!(of(&RunError::from(TaskFailed::ended("shard 0")).into()), 70);
    }

    #[test]
    fn a_thread_that_cannot_be_started_exits_with_71() {
        let none = || io::Error::from(io::ErrorKind::OutOfMemory);

        assert_eq!(of(&StartError::Thread(none()).into()), 71);
        assert_eq!(of(&CliError::System(none())), 71);
    }
}
