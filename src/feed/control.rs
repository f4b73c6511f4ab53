//! The control: what can be asked of a running feed, and its status at any time.
//!
//! Commands wait for the pump in a short queue and are carried out one after the other, between two events. Each is
//! answered when it is done, with the status that it led to.

use std::fmt;
use std::num::NonZeroU32;

use tokio::sync::{mpsc, oneshot};

use super::speed::Speed;
use super::status::{Progress, Status};
use crate::market::{FeedKind, FeedState, Time};

/// So many commands wait; whoever has one more waits to get it in.
const QUEUE: usize = 8;

/// What can be asked of a feed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FeedCommand {
    /// Publish nothing more until told to.
    Pause,
    /// Go on after a pause.
    Resume,
    /// Let time pass at another speed.
    Speed(Speed),
    /// Go on with the first event at or after a time, as the files say it, in the first lap of a loop.
    Seek(Time),
    /// Publish so many events at once, fewer where the feed ends, and pause.
    Step(NonZeroU32),
}

impl fmt::Display for FeedCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pause => f.write_str("pause"),
            Self::Resume => f.write_str("resume"),
            Self::Speed(speed) => write!(f, "speed {speed}"),
            Self::Seek(time) => write!(f, "seek {time}"),
            Self::Step(count) => write!(f, "step {count}"),
        }
    }
}

/// Why a feed does not do what it is asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// Standard input has no clock.
    #[error("standard input is published as it comes; only a replay and a simulation can be controlled")]
    Live,
    /// A simulation has no files.
    #[error("a simulation cannot be sought in: what it draws next depends on what came before")]
    NoFiles,
    /// A simulation is not to run as fast as it can.
    #[error("a simulation has no end and waits for nobody: its speed is a number above zero, e.g. 60")]
    Endless,
    /// Nobody is there to do it.
    #[error("the feed is over{}", detail.as_ref().map(|detail| format!(", it has failed: {detail}")).unwrap_or_default())]
    Over {
        /// Why it failed, where it did.
        detail: Option<String>,
    },
}

/// A handle on a running feed; any number of them may be there.
#[derive(Clone, Debug)]
pub struct Control {
    kind: FeedKind,
    progress: Progress,
    commands: mpsc::Sender<QueuedCommand>,
}

/// A command, and where its answer goes.
#[derive(Debug)]
pub(super) struct QueuedCommand {
    pub(super) command: FeedCommand,
    pub(super) answer: oneshot::Sender<Status>,
}

impl Control {
    /// A handle on a feed, and what it says to the pump.
    pub(super) fn new(kind: FeedKind, progress: Progress) -> (Self, mpsc::Receiver<QueuedCommand>) {
        let (commands, receiver) = mpsc::channel(QUEUE);
        (Self { kind, progress, commands }, receiver)
    }

    /// A handle where somebody else publishes: it refuses every command.
    #[must_use]
    pub fn of_nothing(kind: FeedKind) -> Self {
        Self::new(kind, Progress::new(Status::new(kind), true)).0
    }

    /// How the feed fares.
    #[must_use]
    pub fn status(&self) -> Status {
        self.progress.status()
    }

    /// Has a command carried out, and returns the status after it.
    ///
    /// # Errors
    ///
    /// The feed cannot do this, or is over.
    pub async fn send(&self, command: FeedCommand) -> Result<Status, ControlError> {
        match (self.kind, command) {
            (FeedKind::Stdin, _) => return Err(ControlError::Live),
            (FeedKind::Simulated, FeedCommand::Seek(_)) => return Err(ControlError::NoFiles),
            (FeedKind::Simulated, FeedCommand::Speed(Speed::Max)) => return Err(ControlError::Endless),
            _ => {}
        }
        let (answer, answered) = oneshot::channel();
        self.commands.send(QueuedCommand { command, answer }).await.map_err(|_| self.over())?;
        answered.await.map_err(|_| self.over())
    }

    fn over(&self) -> ControlError {
        match self.status().state {
            FeedState::Failed { detail } => ControlError::Over { detail: Some(detail) },
            _ => ControlError::Over { detail: None },
        }
    }
}
