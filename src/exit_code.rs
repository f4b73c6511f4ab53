//! The exit codes of the program: 2 for the command line, the others as in BSD's `sysexits.h`.
//!
//! | code | | when |
//! |---|---|---|
//! | 0 | | the command is done, or nobody reads its output any more |
//! | 1 | [`STOPPED`] | a second signal stopped the server before its shutdown was done |
//! | 2 | [`USAGE`] | the command line is not understood |
//! | 65 | [`DATA`] | an input is no market data that can be read |
//! | 66 | [`NO_INPUT`] | a file is not there or cannot be read |
//! | 69 | [`UNAVAILABLE`] | the port is taken, no server answers, or it closed a slow reader |
//! | 70 | [`SOFTWARE`] | a part of the program failed |
//! | 71 | [`OS`] | the system gives no thread or no signals |
//! | 74 | [`OUTPUT`] | the output cannot be written |
//! | 76 | [`PROTOCOL`] | a server refused or closed, or the connection broke |
//! | 78 | [`CONFIG`] | the configuration asks for what cannot be |

use std::io;

use crate::app::StartError;
use crate::cli::CliError;
use crate::client::ClientError;
use crate::config::{COMMAND_LINE, LoadError};
use crate::feed::{ErrorClass, FeedError};
use crate::files::FilesError;
use crate::server::TlsError;

/// A second signal stopped the server before its shutdown was done.
pub const STOPPED: u8 = 1;
/// The command line is not understood.
pub const USAGE: u8 = 2;
/// An input is no market data that can be read (`EX_DATAERR`).
pub const DATA: u8 = 65;
/// A file is not there or cannot be read (`EX_NOINPUT`).
pub const NO_INPUT: u8 = 66;
/// The port is taken, no server answers, or it closed a slow reader (`EX_UNAVAILABLE`).
pub const UNAVAILABLE: u8 = 69;
/// A part of the program failed (`EX_SOFTWARE`).
pub const SOFTWARE: u8 = 70;
/// The system gives no thread or no signals (`EX_OSERR`).
pub const OS: u8 = 71;
/// The output cannot be written (`EX_IOERR`).
pub const OUTPUT: u8 = 74;
/// A server refused or closed, or the connection broke (`EX_PROTOCOL`).
pub const PROTOCOL: u8 = 76;
/// The configuration asks for what cannot be (`EX_CONFIG`).
pub const CONFIG: u8 = 78;

/// Returns the exit code of a command that failed so.
#[must_use]
pub fn of(error: &CliError) -> u8 {
    match error {
        CliError::Load(error) => of_load(error),
        CliError::Feed(error)
        | CliError::Files(FilesError::Feed(error) | FilesError::Some { first: error, .. }) => of_feed(error),
        CliError::Start(error) => of_start(error),
        CliError::Client(error) => of_client(error),
        CliError::Stopped => STOPPED,
        CliError::Url(_)
        | CliError::Symbols(_)
        | CliError::FileWithoutReplay { .. }
        | CliError::FlagWithoutClock { .. } => USAGE,
        CliError::Failed(_) => SOFTWARE,
        CliError::System(_) => OS,
        CliError::Output(_) | CliError::Files(FilesError::Output(_)) => OUTPUT,
        CliError::Log { .. } => CONFIG,
    }
}

fn of_load(error: &LoadError) -> u8 {
    match error {
        LoadError::Open { .. } => NO_INPUT,
        LoadError::Bad { place, .. } if place == COMMAND_LINE => USAGE,
        LoadError::Bad { .. } | LoadError::Range(_) => CONFIG,
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
        StartError::Listen { source, .. } => match source.kind() {
            AddrInUse | AddrNotAvailable | PermissionDenied => UNAVAILABLE,
            _ => CONFIG,
        },
        StartError::Tls(TlsError::Open { .. }) => NO_INPUT,
        StartError::Exposed { .. } | StartError::Tls(_) => CONFIG,
        StartError::Thread(_) => OS,
    }
}

fn of_client(error: &ClientError) -> u8 {
    match error {
        ClientError::Connect { .. } | ClientError::Closed { code: 4008, .. } => UNAVAILABLE,
        ClientError::Refused { .. } | ClientError::Broken { .. } | ClientError::Closed { .. } => PROTOCOL,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::TaskFailed;

    #[test]
    fn a_part_of_the_program_that_fails_is_an_error_of_the_software() {
        assert_eq!(of(&TaskFailed::ended("shard 0").into()), 70);
    }

    #[test]
    fn a_thread_that_the_system_does_not_give_is_an_error_of_the_system() {
        let none = || io::Error::from(io::ErrorKind::OutOfMemory);

        assert_eq!(of(&StartError::Thread(none()).into()), 71);
        assert_eq!(of(&CliError::System(none())), 71);
    }
}
