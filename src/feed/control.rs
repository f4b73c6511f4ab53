//! The commands to a running feed, and the handle that sends the commands.
//!
//! Commands wait in a short queue for the pump, the task that publishes the feed's events. The pump executes
//! one command at a time. During a command, the pump publishes no events, except the events that the command
//! `step` requests. The pump answers each command with the feed's new status.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use super::replay::{MomentError, MomentParser};
use super::speed::Speed;
use super::status::{Progress, Status};
use crate::market::{FeedKind, FeedState, Time};

/// The maximum number of queued commands. The sender of a command waits while the queue is full.
const QUEUE: usize = 8;

/// How many days past its start and its position a simulation can seek. A seek computes all of these days
/// first, and other commands wait in the meantime. Ten years take about twenty seconds.
const SIMULATED_DAYS: u64 = 3653;

/// A command to a feed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum FeedCommand {
    /// Stops publishing until the feed is resumed.
    Pause,
    /// Resumes publishing after a pause.
    Resume,
    /// Changes the speed of the feed.
    Speed(Speed),
    /// Continues with the first event at or after the given market time. In a looping replay, a seek searches
    /// only the first pass over the files, because later passes shift the times of the events.
    Seek(Time),
    /// Publishes the given number of events at once, then pauses the feed. If the feed has fewer events left,
    /// publishes only those.
    Step(NonZeroU32),
    /// Sets whether a replay starts again at its end. If `true` is set after the end of a replay, the replay
    /// starts again at once.
    Loop(bool),
}

impl fmt::Display for FeedCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pause => f.write_str("pause"),
            Self::Resume => f.write_str("resume"),
            Self::Speed(speed) => write!(f, "speed {speed}"),
            Self::Seek(time) => write!(f, "seek {time}"),
            Self::Step(count) => write!(f, "step {count}"),
            Self::Loop(repeats) => write!(f, "loop {repeats}"),
        }
    }
}

/// The reason why a command cannot be executed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum ControlError {
    /// The feed reads standard input, and therefore takes no commands.
    #[error("standard input is published as it comes; only a replay and a simulation can be controlled")]
    Live,
    /// The feed is a simulation, which cannot loop.
    #[error("a simulation has no end, so it cannot start again; only a replay can loop")]
    NoLoop,
    /// The target of a seek is too far in the future of a simulation.
    #[error("a simulation seeks at most ten years ahead, so at most to {latest}")]
    TooFar {
        /// The latest time to which the simulation can seek now.
        latest: Time,
    },
    /// No node of the cluster leads, so no feed can execute the command.
    #[error("no node of the cluster leads at the moment; try again in a second")]
    NoLeader,
    /// The pump, i.e. the task that publishes the feed's events, has ended.
    #[error("the feed is over{}", detail.as_ref().map(|detail| format!(", it has failed: {detail}")).unwrap_or_default())]
    Over {
        /// The reason why the feed failed; `None` if it did not fail.
        detail: Option<String>,
    },
}

/// A handle that controls a running feed and reads its status.
#[derive(Clone, Debug)]
pub struct Control {
    moments: MomentParser,
    progress: Progress,
    commands: mpsc::Sender<QueuedCommand>,
}

/// A queued command, and the sender through which the caller gets the answer.
#[derive(Debug)]
pub struct QueuedCommand {
    /// The command.
    pub command: FeedCommand,
    /// Gets the status of the feed after the command.
    pub answer: oneshot::Sender<Result<Status, ControlError>>,
}

/// The other end of a [`Control`] whose feed runs elsewhere, for example on another node.
#[derive(Debug)]
pub struct RemoteFeed {
    pub(super) progress: Progress,
    pub(super) commands: mpsc::Receiver<QueuedCommand>,
}

impl RemoteFeed {
    /// Sets the status that the control returns.
    pub fn set_status(&self, status: Status) {
        self.progress.set_remote(status);
    }

    /// Sets the kind of the feed, before its first status comes.
    pub fn set_kind(&self, kind: FeedKind) {
        self.progress.set_kind(kind);
    }

    /// Waits for the next command. Waits without end if no control is left.
    ///
    /// Cancel safe: a cancelled wait loses no command.
    pub async fn next_command(&mut self) -> QueuedCommand {
        match self.commands.recv().await {
            Some(command) => command,
            None => std::future::pending().await,
        }
    }
}

impl Control {
    /// Creates a control, and the receiver from which the pump takes the queued commands.
    pub(super) fn new(moments: MomentParser, progress: Progress) -> (Self, mpsc::Receiver<QueuedCommand>) {
        let (commands, receiver) = mpsc::channel(QUEUE);
        (Self { moments, progress, commands }, receiver)
    }

    /// Creates a control for a bus to which no pump publishes. Every command that is sent through this
    /// control fails.
    #[must_use]
    pub fn of_nothing(kind: FeedKind) -> Self {
        Self::remote(kind).0
    }

    /// Creates a control whose feed runs elsewhere, and the other end of the control.
    #[must_use]
    pub fn remote(kind: FeedKind) -> (Self, RemoteFeed) {
        let progress = Progress::new(Status::new(kind), false);
        let (control, commands) = Self::new(MomentParser::default(), progress.clone());
        (control, RemoteFeed { progress, commands })
    }

    /// Returns the status of the feed.
    #[must_use]
    pub fn status(&self) -> Status {
        self.progress.status()
    }

    /// Parses the time to which a user wants to seek. In a replay, `text` may have any notation that is valid
    /// for the setting `feed.replay.from`.
    ///
    /// # Errors
    ///
    /// Returns an error if `text` is not a time.
    pub fn parse_moment(&self, text: &str) -> Result<Time, MomentError> {
        self.moments.parse(text)
    }

    /// Sends a command to the pump. Waits until the command is executed, and returns the new status.
    ///
    /// # Errors
    ///
    /// Returns an error if the feed cannot execute the command, or if the feed's pump has ended.
    pub async fn send(&self, command: FeedCommand) -> Result<Status, ControlError> {
        let status = self.status();
        match (status.kind, command) {
            (FeedKind::Stdin, _) => return Err(ControlError::Live),
            (FeedKind::Simulated, FeedCommand::Loop(_)) => return Err(ControlError::NoLoop),
            (FeedKind::Simulated, FeedCommand::Seek(target)) => {
                let start = status.simulation.and_then(|simulation| simulation.start);
                let newest = status.position.max(start);
                let latest = newest.map(|time| time.later(Duration::from_hours(SIMULATED_DAYS * 24)));
                if let Some(latest) = latest.filter(|latest| target > *latest) {
                    return Err(ControlError::TooFar { latest });
                }
            }
            _ => {}
        }
        let (answer, answered) = oneshot::channel();
        self.commands.send(QueuedCommand { command, answer }).await.map_err(|_| self.over())?;
        answered.await.map_err(|_| self.over())?
    }

    fn over(&self) -> ControlError {
        match self.status().state {
            FeedState::Failed { detail } => ControlError::Over { detail: Some(detail) },
            _ => ControlError::Over { detail: None },
        }
    }
}
