//! A client of the path `/sse`, which works like a browser's `EventSource`.

use std::fmt::Debug;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};

use super::line_client::{LineClient, Next};

/// A connection to `/sse`.
pub struct EventSource<S> {
    lines: LineClient<S>,
    /// The cursor of the last complete event, over all connections of the client; empty if there is none.
    pub last_id: String,
    event: Event,
}

/// One Server-Sent Event.
#[derive(Clone, Debug, Default)]
pub struct Event {
    /// The cursor of the event, if the event has one.
    pub id: Option<String>,
    pub name: String,
    pub data: Value,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Debug> EventSource<S> {
    /// Connects, and sends the cursor `last_id` unless it is empty.
    pub async fn connect(socket: S, path: &str, last_id: String) -> Self {
        let header = if last_id.is_empty() { String::new() } else { format!("Last-Event-ID: {last_id}\r\n") };
        let lines = LineClient::ask_with(socket, path, &header).await;
        Self { lines, last_id, event: Event::default() }
    }

    pub fn head(&self) -> &str {
        &self.lines.head
    }

    /// Reads one line. If the line completes an event, returns the event.
    ///
    /// # Errors
    ///
    /// Returns the end of the stream if no line follows.
    pub async fn line(&mut self) -> Result<Option<Event>, Next> {
        let line = self.lines.text().await?;
        let (name, value) = line.split_once(": ").unwrap_or((&line, ""));
        match name {
            "" if line.is_empty() => {
                let event = std::mem::take(&mut self.event);
                self.last_id = event.id.clone().unwrap_or_else(|| self.last_id.clone());
                return Ok(Some(event));
            }
            "id" => self.event.id = Some(value.to_owned()),
            "event" => value.clone_into(&mut self.event.name),
            "data" => self.event.data = serde_json::from_str(value).unwrap(),
            // A line that begins with a colon is a comment.
            name => assert!(line.starts_with(':'), "there is no field {name}"),
        }
        Ok(None)
    }

    /// Returns the next event.
    pub async fn next(&mut self) -> Event {
        loop {
            if let Some(event) = self.line().await.expect("the stream goes on") {
                return event;
            }
        }
    }
}
