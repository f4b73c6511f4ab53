//! `watch`: subscribes and prints each frame on a line.

use std::io::{self, Write};

use indexmap::IndexMap;
use serde_json::value::RawValue;
use tokio::signal::unix::{SignalKind, signal};
use tokio_tungstenite::tungstenite::Message;

use super::CliError;
use crate::client::{ClientError, Connection, Target};
use crate::feed::printable;

/// The format in which frames are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// As JSON, unchanged.
    Json,
    /// As words, for a person.
    Text,
}

/// Connects and prints every frame. Ends when the server closes normally or shuts down, or when the user
/// interrupts.
pub async fn watch(target: Target, format: Format) -> Result<(), CliError> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(CliError::System)?;
    tokio::select! {
        watched = print_frames(target, format) => watched,
        _ = interrupt.recv() => Ok(()),
    }
}

async fn print_frames(target: Target, format: Format) -> Result<(), CliError> {
    let mut out = io::stdout();
    let mut connection = Connection::open(&target).await?;
    loop {
        match connection.next().await {
            Ok(Message::Text(text)) => {
                let printed = match format {
                    Format::Json => writeln!(out, "{text}"),
                    Format::Text => writeln!(out, "{}", words(&text)),
                };
                printed.and_then(|()| out.flush()).map_err(CliError::Output)?;
            }
            Ok(_) => {}
            Err(ClientError::Closed { code: 1000 | 1001, .. }) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Formats a frame for a person: its time, symbol and type, then the other fields with their names. Control
/// characters are replaced, because a peer may have chosen the text of a message.
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
