//! `watch`: subscribes and prints each frame on a line.

use std::io::{self, Write};

use http::Uri;
use indexmap::IndexMap;
use serde_json::value::RawValue;
use tokio::signal::unix::{SignalKind, signal};
use tokio_tungstenite::tungstenite::Message;

use super::CliError;
use crate::client::{ClientError, Connection};

/// The format in which frames are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// As JSON, unchanged.
    Json,
    /// As words, for a person.
    Text,
}

/// Adds the symbols to the URL. Without symbols, adds `*` unless the URL already has symbols.
pub fn with_symbols(url: &Uri, symbols: &[String]) -> Result<Uri, CliError> {
    let has_symbols = form_urlencoded::parse(url.query().unwrap_or_default().as_bytes())
        .any(|(name, _)| matches!(&*name, "symbols" | "symbol" | "tickers" | "ticker"));
    if symbols.is_empty() && has_symbols {
        return Ok(url.clone());
    }
    let symbols = if symbols.is_empty() { "*".to_owned() } else { symbols.join(",") };
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("symbols", &symbols).finish();
    // The serializer writes a space as `+`, but the server reads `+` as a plus sign.
    let query = query.replace('+', "%20");
    let joint = if url.query().is_some() { '&' } else { '?' };
    format!("{url}{joint}{query}").parse().map_err(CliError::Symbols)
}

/// Connects and prints every frame. Ends when the server closes normally or shuts down, or when the user
/// interrupts.
pub async fn watch(url: Uri, format: Format) -> Result<(), CliError> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(CliError::System)?;
    tokio::select! {
        watched = print_frames(url, format) => watched,
        _ = interrupt.recv() => Ok(()),
    }
}

async fn print_frames(url: Uri, format: Format) -> Result<(), CliError> {
    let mut out = io::stdout();
    let mut connection = Connection::open(url).await?;
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

/// Formats a frame for a person: its time, symbol and type, then the other fields with their names.
fn words(text: &str) -> String {
    let Ok(mut fields) = serde_json::from_str::<IndexMap<String, Box<RawValue>>>(text) else {
        return text.to_owned();
    };
    let mut bare = |name: &str| {
        let value = fields.shift_remove(name)?;
        Some(value.get().trim_matches('"').to_owned())
    };
    let head = [bare("time"), bare("symbol"), bare("type")].into_iter().flatten();
    let rest = fields.iter().map(|(name, value)| format!("{name} {}", value.get()));
    head.chain(rest).collect::<Vec<_>>().join("  ")
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
    fn symbols_become_part_of_the_url() {
        let watched = |url: &str, symbols: &[&str]| {
            let symbols: Vec<String> = symbols.iter().map(|symbol| (*symbol).to_owned()).collect();
            with_symbols(&url.parse().unwrap(), &symbols).unwrap().to_string()
        };

        assert_eq!(watched("ws://h/ws", &["AAPL", "A+B"]), "ws://h/ws?symbols=AAPL%2CA%2BB");
        assert_eq!(watched("ws://h/ws", &["A B"]), "ws://h/ws?symbols=A%20B");
        assert_eq!(watched("ws://h/ws", &[]), "ws://h/ws?symbols=*");
        assert_eq!(watched("ws://h/ws?delivery=every", &[]), "ws://h/ws?delivery=every&symbols=*");
        assert_eq!(watched("ws://h/ws?symbols=X", &[]), "ws://h/ws?symbols=X");
        assert_eq!(watched("ws://h/ws?ticker=X", &[]), "ws://h/ws?ticker=X");
    }
}
