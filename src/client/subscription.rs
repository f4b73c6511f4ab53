//! A subscription that survives the loss of its connection.
//!
//! When a connection is lost, the subscription connects again, as often as necessary. After it has connected,
//! the subscription resumes from its cursor. An error before the server's first answer ends the subscription,
//! because the user may have made a mistake. A permanent error, such as an unknown token, always ends the
//! subscription.
//!
//! A server with tokens sends nothing to a client until the client shows a token. So if a new connection
//! stays silent for a second, a client without a token sends a `ping`. A server with tokens answers the ping
//! with an error, which tells the user that a token is missing.

use std::mem;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::backoff::Backoff;
use super::connection::Connection;
use super::error::ClientError;
use super::frame::Head;
use super::progress::Progress;
use super::target::Target;
use super::url;

/// If a new connection is silent for this time, a client without a token asks the server for an answer.
const ASK_AFTER: Duration = Duration::from_secs(1);

/// The message that asks the server for an answer.
const PING: &str = r#"{"action":"ping"}"#;

/// A subscription to the symbols in the target's URL.
#[derive(Debug)]
pub struct Subscription {
    target: Target,
    connection: Option<Connection>,
    /// Whether the next call of `read` is the first call for this connection.
    is_new: bool,
    progress: Progress,
    phase: Phase,
    backoff: Backoff,
    /// An update that a frame has caused. `next` returns the update in the call after the frame.
    next: Option<Update>,
}

/// What a subscription reports: a frame, unknown symbols, or a notice about the connection.
#[derive(Debug)]
pub enum Update {
    /// A frame.
    Frame(Utf8Bytes),
    /// The feed does not know these symbols of the subscription.
    Unknown(Vec<String>),
    /// A notice about the connection.
    Notice(Notice),
}

/// A notice about a subscription's connection.
#[derive(Debug)]
pub enum Notice {
    /// The connection is lost.
    Lost(ClientError),
    /// The subscription resumed after a loss. The events that the client missed follow this notice.
    Resumed,
    /// The subscription continues, but events are missing.
    Missed {
        /// The sequence numbers of the last event before the gap and of the last event in the gap. The value
        /// is `None` if the server's epoch has changed.
        events: Option<(u64, u64)>,
        /// The reason for the gap.
        reason: String,
    },
    /// The subscription started anew after a loss, because the client had no cursor yet.
    Anew,
}

/// The phase of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The server has not sent the first `subscribed` frame yet.
    First,
    /// The server sends frames.
    Live,
    /// The connection is lost.
    Away,
    /// After a loss, the server has answered but has not resumed the subscription. The server's next `gap`
    /// frame says which events are missing.
    Returned,
}

impl Subscription {
    /// Connects and subscribes. If the URL has an `after` parameter, its value is the first cursor.
    ///
    /// # Errors
    ///
    /// Fails if the client cannot connect.
    pub async fn open(target: Target) -> Result<Self, ClientError> {
        let progress = Progress::from(url::value(&target.url, "after"));
        let url = url::keeping(&target.url, |name| name != "after");
        let connection = Connection::open(&target).await?;
        Ok(Self {
            target: Target { url, ..target },
            connection: Some(connection),
            is_new: true,
            progress,
            phase: Phase::First,
            backoff: Backoff::default(),
            next: None,
        })
    }

    /// Waits for the next frame or notice.
    ///
    /// # Errors
    ///
    /// Fails after a permanent error, or after any error before the server's first answer.
    pub async fn next(&mut self) -> Result<Update, ClientError> {
        loop {
            if let Some(update) = self.next.take() {
                return Ok(update);
            }
            let error = match self.read().await {
                Ok(Some(frame)) => return Ok(Update::Frame(frame)),
                Ok(None) => continue,
                Err(error) => error,
            };
            self.connection = None;
            if self.phase == Phase::First || !error.is_transient() {
                return Err(error);
            }
            if mem::replace(&mut self.phase, Phase::Away) != Phase::Away {
                return Ok(Update::Notice(Notice::Lost(error)));
            }
        }
    }

    /// Waits for the next message from the server. If there is no connection, connects first. Returns `None`
    /// if the message is not a frame of the subscription.
    async fn read(&mut self) -> Result<Option<Utf8Bytes>, ClientError> {
        if self.connection.is_none() {
            sleep(self.backoff.pause()).await;
            self.connection = Some(Connection::open(&self.resuming()).await?);
            self.is_new = true;
        }
        let connection = self.connection.as_mut().expect("the client has connected");
        let asks = mem::take(&mut self.is_new) && !self.target.has_token();
        let Ok(message) = timeout(if asks { ASK_AFTER } else { Duration::MAX }, connection.next()).await
        else {
            // A failed send is ignored, because the next read fails too, and finds the server's reason.
            let _ = connection.send(PING.to_owned()).await;
            return Ok(None);
        };
        // Binary messages are ignored, because the server sends none to subscribers.
        let Message::Text(text) = message? else { return Ok(None) };
        let head = Head::of(&text);
        if matches!(self.phase, Phase::First | Phase::Away)
            && let Some(error) = head.clone().into_error()
        {
            return Err(connection.rejected(error));
        }
        if head.kind == "pong" {
            return Ok(None);
        }
        self.note(head);
        Ok(Some(text))
    }

    /// Returns the target, with the current cursor in the target's URL. If the cursor would make the URL too
    /// long, returns the target without a cursor.
    fn resuming(&self) -> Target {
        let url = &self.target.url;
        let resuming = self.progress.cursor().and_then(|cursor| url::with(url, "after", &cursor).ok());
        Target { url: resuming.unwrap_or_else(|| url.clone()), ..self.target.clone() }
    }

    /// Updates the progress and the phase after the client has received a frame.
    fn note(&mut self, frame: Head<'_>) {
        let had_cursor = self.progress.cursor().is_some();
        self.progress.note(&frame);
        match (self.phase, frame.kind.as_ref()) {
            (Phase::First, "subscribed") => {
                self.phase = Phase::Live;
                self.next = (!frame.unknown.is_empty()).then_some(Update::Unknown(frame.unknown));
            }
            (Phase::Away, "subscribed") => {
                self.backoff.reset();
                (self.phase, self.next) = match (frame.resumed, had_cursor) {
                    (true, _) => (Phase::Live, Some(Update::Notice(Notice::Resumed))),
                    (false, true) => (Phase::Returned, None),
                    (false, false) => (Phase::Live, Some(Update::Notice(Notice::Anew))),
                };
            }
            (Phase::Returned, "gap") => {
                self.phase = Phase::Live;
                let (events, reason) = (frame.after.zip(frame.until), frame.reason.unwrap_or_default());
                self.next = Some(Update::Notice(Notice::Missed { events, reason }));
            }
            _ => {}
        }
    }
}
