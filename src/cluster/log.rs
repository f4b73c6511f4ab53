//! The shared log as a node sees it: a stream of messages, numbered from 1, that all nodes read and append to.
//!
//! The stream may lose messages: the oldest ones when it is full, beats when a newer beat comes, and newer ones
//! if a server restarts with older data.

use std::future::Future;

/// Asks other nodes.
pub trait Ask: Clone + Send + Sync + 'static {
    /// Sends a request to a node. Returns the answer.
    fn ask(&self, node: &str, request: Vec<u8>) -> impl Future<Output = Result<Vec<u8>, Unavailable>> + Send;
}

/// What comes from other nodes beside the log.
pub trait Mailbox: Send {
    /// Waits for what comes next.
    ///
    /// Cancel safe: a cancelled wait loses nothing.
    fn next(&mut self) -> impl Future<Output = Mail> + Send;
}

/// What comes from another node beside the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mail {
    /// A sign of presence.
    Presence(Vec<u8>),
    /// A request, and where the answer goes.
    Request {
        /// The request.
        request: Vec<u8>,
        /// The address of the answer.
        reply_to: String,
    },
}

/// A shared log.
pub trait SharedLog: Ask {
    /// What comes from other nodes beside the log.
    type Mailbox: Mailbox;

    /// The messages from a place of the stream on.
    type Messages: Messages;

    /// Appends a message if the stream's newest message has the number `expected`. Returns the number of the
    /// message.
    ///
    /// A result is no proof: only what a node reads is in the log. Even after [`AppendError::NoAnswer`], the
    /// message may be stored, now or later.
    fn append(
        &self,
        subject: Subject,
        message: Vec<u8>,
        expected: u64,
    ) -> impl Future<Output = Result<u64, AppendError>> + Send;

    /// Returns the numbers of the stream's oldest and newest message. Creates the stream if there is none.
    fn ends(&self) -> impl Future<Output = Result<Ends, Unavailable>> + Send;

    /// Returns a message; `None` if the stream does not have the message any more.
    fn message(&self, number: u64) -> impl Future<Output = Result<Option<Vec<u8>>, Unavailable>> + Send;

    /// Returns what comes for a node from other nodes.
    fn mailbox(&self, node: &str) -> impl Future<Output = Result<Self::Mailbox, Unavailable>> + Send;

    /// Sends a sign of presence to all nodes, this one included.
    fn announce(&self, presence: Vec<u8>) -> impl Future<Output = ()> + Send;

    /// Answers a request.
    fn reply(&self, reply_to: String, answer: Vec<u8>) -> impl Future<Output = ()> + Send;

    /// Stores bytes under a name, beside the stream.
    fn save(
        &self,
        name: &'static str,
        bytes: Vec<u8>,
    ) -> impl Future<Output = Result<(), Unavailable>> + Send;

    /// Returns the bytes that are stored under a name; `None` if there are none.
    fn load(&self, name: &'static str) -> impl Future<Output = Result<Option<Vec<u8>>, Unavailable>> + Send;

    /// Returns the messages from the number `next` on.
    fn messages(&self, next: u64) -> impl Future<Output = Result<Self::Messages, Unavailable>> + Send;
}

/// The messages from a place of the stream on.
pub trait Messages: Send {
    /// Waits for the next message.
    ///
    /// Cancel safe: a cancelled wait loses no message.
    ///
    /// # Errors
    ///
    /// Returns an error if the stream has given no sign of life for a second.
    fn next(&mut self) -> impl Future<Output = Result<Message, Unavailable>> + Send;
}

/// A message of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The number of the message in the stream.
    pub number: u64,
    /// The encoded entry.
    pub bytes: Vec<u8>,
}

/// The numbers of the stream's oldest and newest message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// The number of the oldest message; one more than `last` if the stream is empty.
    pub first: u64,
    /// The number of the newest message; 0 if there never was a message.
    pub last: u64,
}

/// The subject of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Messages that stay in the stream.
    Log,
    /// Beats: a message replaces the older messages of this subject.
    Beat,
}

/// The reason why an append may have failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The newest message has another number.
    #[error("another message came first")]
    Refused,
    /// The stream does not take the message for another reason, for example because it has no room.
    #[error("{0}")]
    Rejected(String),
    /// There is no answer.
    #[error("no answer")]
    NoAnswer,
}

/// The shared log cannot be reached.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unavailable(pub String);
