//! `send`: sends one message to all peers, as in the classic broadcast tutorial.

use std::io::{self, Write};

use http::Uri;

use super::CliError;
use crate::client::Connection;

/// Connects, sends `text`, and prints `Received: …` for the first message that comes back.
pub async fn send(url: Uri, text: String) -> Result<(), CliError> {
    let mut connection = Connection::open(url).await?;
    connection.send(text).await?;
    let answer = connection.answer().await?.into_data();
    writeln!(io::stdout(), "Received: {}", String::from_utf8_lossy(&answer)).map_err(CliError::Output)?;
    connection.close().await;
    Ok(())
}
