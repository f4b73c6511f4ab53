//! `watch`: subscribes and prints each frame on a line.
//!
//! `watch` prints frames to standard output. Notices about the connection go to standard error.

use std::io::{self, Write};

use indexmap::IndexMap;
use serde_json::value::RawValue;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::{JoinSet, spawn_blocking};

use super::stderr::{self, in_one_line};
use super::{CliError, block_on};
use crate::client::{ClientError, Notice, Subscription, Target, Update, names};
use crate::feed::printable;
use crate::nearest::did_you_mean;
use crate::task::{Panicked, TaskFailed};

/// The first unknown symbols, up to this number, get a warning each. One more warning counts the other
/// symbols.
const MOST_UNKNOWN: usize = 10;

/// The format in which frames are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Frames are printed as the JSON that the server sends.
    Json,
    /// Frames are printed as words for a person.
    Text,
}

/// Connects to the server and prints every frame. Connects again when the connection is lost. Ends when the
/// server closes the connection normally, or when the user interrupts the program.
pub async fn watch(target: Target, format: Format) -> Result<(), CliError> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(CliError::System)?;
    // Frames are printed on another thread, so that the user can interrupt while the output is blocked, for
    // example by a pager. The thread has its own runtime, because the thread may outlive this function's
    // runtime for a moment.
    let printing = spawn_blocking(move || block_on(print_frames(target, format)));
    tokio::select! {
        printed = printing => printed.unwrap_or_else(|panic| {
            Err(TaskFailed::panicked("watch", &Panicked::new(panic.into_panic())).into())
        }),
        _ = interrupt.recv() => Ok(()),
    }
}

async fn print_frames(target: Target, format: Format) -> Result<(), CliError> {
    let mut out = io::stdout();
    let mut subscription = Subscription::open(target.clone()).await?;
    // Names are looked up while frames are printed. The end of this function aborts the look-ups.
    let mut lookups = JoinSet::new();
    loop {
        match subscription.next().await {
            Ok(Update::Frame(text)) => {
                let printed = match format {
                    Format::Json => writeln!(out, "{text}"),
                    Format::Text => writeln!(out, "{}", words(&text)),
                };
                printed.and_then(|()| out.flush()).map_err(CliError::Output)?;
            }
            Ok(Update::Unknown(symbols)) => {
                lookups.spawn(warn_of_unknown(target.clone(), symbols));
            }
            Ok(Update::Notice(notice)) => stderr::print(&line(&notice)),
            Err(ClientError::Closed { code: 1000 | 1001, .. }) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Warns about subscribed symbols that the feed does not know, and suggests similar symbols of the feed.
async fn warn_of_unknown(target: Target, symbols: Vec<String>) {
    let names = names(&target).await;
    for symbol in symbols.iter().take(MOST_UNKNOWN) {
        let question = did_you_mean(symbol, names.iter().map(String::as_str));
        stderr::print(&format!("warning: the feed has had no symbol {symbol} so far{question}"));
    }
    if let Some(more @ 1..) = symbols.len().checked_sub(MOST_UNKNOWN) {
        stderr::print(&format!("warning: the feed has had none of {more} more symbols so far"));
    }
}

/// Formats a notice about the connection as a line for a person.
fn line(notice: &Notice) -> String {
    match notice {
        Notice::Lost(error) => format!("warning: {}; connecting again", in_one_line(error)),
        Notice::Resumed => "note: connected again; the missed events follow".to_owned(),
        Notice::Missed { events: Some((after, until)), .. } if after >= until => {
            "note: connected again; the feed has moved to another time, and snapshots follow".to_owned()
        }
        Notice::Missed { events: Some((after, until)), reason } => {
            let first = after + 1;
            format!("warning: connected again; events {first} to {until} of the feed are missing ({reason}), and snapshots follow")
        }
        Notice::Missed { events: None, reason } => {
            format!("warning: connected again; events are missing ({reason}), and snapshots follow")
        }
        Notice::Anew => "warning: connected again before all snapshots had come; events may be missing, and new snapshots follow".to_owned(),
    }
}

/// Formats a frame for a person: the frame's time, symbol and type, then the other fields with their names.
/// Control characters of the frame are replaced, because the text of a message may come from another client.
fn words(text: &str) -> String {
    let Ok(mut fields) = serde_json::from_str::<IndexMap<String, Box<RawValue>>>(text) else {
        return printable(text);
    };
    let mut bare = |name: &str| {
        let value = fields.shift_remove(name)?;
        Some(value.get().trim_matches('"').to_owned())
    };
    let head = [bare("time"), bare("symbol"), bare("type")].into_iter().flatten();
    let rest = fields.iter().map(|(name, value)| format!("{name} {}", value.get()));
    printable(&head.chain(rest).collect::<Vec<_>>().join("  "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_becomes_words_with_every_digit() {
        let frame = r#"{"type":"trade","symbol":"AAPL","seq":7,"time":"2024-01-03T14:30:00Z","price":184.250,"size":100}"#;

        assert_eq!(words(frame), "2024-01-03T14:30:00Z  AAPL  trade  seq 7  price 184.250  size 100");
    }

    #[test]
    fn a_message_cannot_control_the_terminal() {
        // JSON allows C1 control characters, such as this CSI, without an escape.
        let message = "{\"type\":\"message\",\"from\":\"c1\",\"text\":\"\u{9b}2J\"}";

        assert_eq!(words(message), "message  from \"c1\"  text \"\u{fffd}2J\"");
        assert_eq!(words("\u{1b}[2J"), "\u{fffd}[2J");
    }
}
