//! `send`: sends one message to all peers, and prints the first message that comes back.

use std::io::{self, IsTerminal, Write};

use super::CliError;
use crate::client::{Connection, Target};
use crate::feed::printable;

/// Connects to the server and sends `text` to all peers. Prints the first message that comes back, as
/// `Received: …`.
pub async fn send(target: Target, text: String) -> Result<(), CliError> {
    let mut connection = Connection::open(&target).await?;
    connection.send(text.clone()).await?;
    let answer = connection.answer(&text).await?;
    let answer = String::from_utf8_lossy(&answer);
    let mut out = io::stdout();
    // Another peer may have written the message, so the message must not control the terminal.
    let answer = if out.is_terminal() { printable(&answer) } else { answer.into_owned() };
    writeln!(out, "Received: {answer}").map_err(CliError::Output)?;
    connection.close().await;
    Ok(())
}
