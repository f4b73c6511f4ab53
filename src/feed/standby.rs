//! A standby: a feed whose events another node publishes.
//!
//! The standby's own source runs along. For each published event, the standby takes the next event from its
//! source, and compares both events. A standby that has kept up, and has found no difference, can continue the
//! feed with the very next event.
//!
//! Standard input cannot be compared. A standby reads the lines of its own standard input, and drops them.

use std::collections::VecDeque;

use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::task;

use super::control::RemoteFeed;
use super::error::FeedError;
use super::pace::Pace;
use super::reject_counters::RejectCounters;
use super::simulated::Simulation;
use super::source::Source;
use super::symbol_gate::SymbolGate;
use super::{Config, Feed};
use crate::market::{Event, FeedKind, FeedState, Time};

/// A feed whose events another node publishes.
#[derive(Debug)]
pub struct Standby {
    config: Config,
    given: (Option<u64>, Option<Time>),
    source: Source,
    gate: SymbolGate,
    reject_counters: RejectCounters,
    /// Events that were taken from the source, but not compared yet.
    pending: VecDeque<Event>,
    place: Place,
}

/// A place in a source: how many events the source has given, and since when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The target of the newest seek; `None` if there was no seek since the feed began.
    pub target: Option<Time>,
    /// The number of events that were published since the newest seek, or since the feed began.
    pub taken: u64,
}

/// The reason why a standby's source does not give the events of the feed.
#[derive(Debug, thiserror::Error)]
pub enum Difference {
    /// An event differs.
    #[error("event {taken} of this node's source is {own:?}, but the feed has {published:?}")]
    Event {
        /// The number of events before this one.
        taken: u64,
        /// The event of the own source; `None` if the source has ended.
        own: Option<Box<Event>>,
        /// The event of the feed.
        published: Box<Event>,
    },
    /// The source has failed.
    #[error("this node's source has failed: {0}")]
    Failed(#[from] FeedError),
    /// The source has ended before the feed.
    #[error("this node's source has only {taken} events")]
    Ended {
        /// The number of events.
        taken: u64,
    },
}

impl Standby {
    /// Makes a standby of a feed that has published nothing. The feed's control controls what the second result
    /// stands for.
    #[must_use]
    pub fn new(feed: Feed) -> (Self, RemoteFeed) {
        let Feed { config, given, source, gate, reject_counters, progress, commands, .. } = feed;
        (Self::of_source(config, given, source, gate, reject_counters), RemoteFeed { progress, commands })
    }

    /// Makes a standby of a source whose place is not known, so that the source starts again.
    pub(super) fn of_source(
        config: Config,
        given: (Option<u64>, Option<Time>),
        source: Source,
        gate: SymbolGate,
        reject_counters: RejectCounters,
    ) -> Self {
        let place = Place { target: None, taken: u64::MAX };
        Self { config, given, source, gate, reject_counters, pending: VecDeque::new(), place }
    }

    /// Returns the settings of the feed.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Returns the seed and the start of a simulation, where the configuration gives them.
    #[must_use]
    pub fn given(&self) -> (Option<u64>, Option<Time>) {
        self.given
    }

    /// Returns the place of the source.
    #[must_use]
    pub fn place(&self) -> Place {
        self.place
    }

    /// Sets the seed and the start of a simulation to those of the published feed. The source starts again.
    pub fn set_origin(&mut self, seed: Option<u64>, start: Option<Time>) {
        if self.config.kind == FeedKind::Simulated {
            let simulated = &mut self.config.simulated;
            simulated.seed = seed.or(simulated.seed);
            simulated.start = start.or(simulated.start);
            self.place.taken = u64::MAX;
        }
    }

    /// Goes to a place of the source, without comparing the events on the way. Goes back only by starting the
    /// source again.
    ///
    /// # Errors
    ///
    /// Returns an error if the source fails, or ends before this place.
    pub async fn go_to(&mut self, place: Place, repeats: Option<bool>) -> Result<(), Difference> {
        if self.config.kind == FeedKind::Stdin {
            self.place = place;
            return Ok(());
        }
        if let (Source::Files(files), Some(repeats)) = (&mut self.source, repeats) {
            files.set_repeats(repeats);
        }
        if self.place.target != place.target || self.place.taken > place.taken {
            self.start_again(place.target).await?;
        }
        while self.place.taken < place.taken {
            if !self.fill().await? {
                return Err(Difference::Ended { taken: self.place.taken });
            }
            let left = usize::try_from(place.taken - self.place.taken).unwrap_or(usize::MAX);
            let count = left.min(self.pending.len());
            self.pending.drain(..count);
            self.place.taken += count as u64;
            // The way may be long, so the other tasks of the thread run in between.
            task::yield_now().await;
        }
        Ok(())
    }

    /// Compares published events with the next events of the source. `place` is the place before these events.
    ///
    /// # Errors
    ///
    /// Returns an error if an event differs, or if the source fails or ends.
    pub async fn follow(
        &mut self,
        place: Place,
        repeats: Option<bool>,
        published: &[Event],
    ) -> Result<(), Difference> {
        self.go_to(place, repeats).await?;
        for event in published {
            if self.config.kind != FeedKind::Stdin {
                self.fill().await?;
                let own = self.pending.pop_front();
                if !own.as_ref().is_some_and(|own| self.is_same(own, event)) {
                    let (own, published) = (own.map(Box::new), Box::new(event.clone()));
                    return Err(Difference::Event { taken: self.place.taken, own, published });
                }
            }
            self.place.taken += 1;
        }
        Ok(())
    }

    /// Drops what comes from standard input, without end. For another source, waits without end.
    ///
    /// Cancel safe: a cancelled call has dropped every line that it has read.
    pub async fn drop_input(&mut self) {
        if self.config.kind == FeedKind::Stdin {
            while self.source.next().await.is_some() {}
        }
        std::future::pending::<()>().await;
    }

    /// Makes a feed that continues at the place of the source. `state` is the newest state of the feed.
    #[must_use]
    pub fn lead(self, pace: Pace, state: &FeedState) -> Feed {
        let Self { mut config, given, source, gate, reject_counters, pending, .. } = self;
        config.clock.paused = pace.is_paused;
        config.clock.speed = pace.speed.unwrap_or(config.clock.speed);
        config.replay.r#loop = pace.repeats.unwrap_or(config.replay.r#loop);
        let mut feed = Feed::new(&config, source, reject_counters);
        feed.progress.enter(state);
        // Only a feed that has not begun still waits for a client.
        feed.waits_for_client &= *state == FeedState::Starting;
        feed.given = given;
        feed.gate = gate;
        feed.pending = pending.into();
        feed
    }

    /// Returns whether both events are the same. With `feed.clock.retime`, events have the time at which they
    /// were published.
    fn is_same(&self, own: &Event, published: &Event) -> bool {
        let is_same_time = self.config.clock.retime || own.time == published.time;
        is_same_time && own.symbol == published.symbol && own.payload == published.payload
    }

    /// Takes the next events from the source, unless some events are pending. Returns false if the source has
    /// ended.
    async fn fill(&mut self) -> Result<bool, FeedError> {
        while self.pending.is_empty() {
            let Some(batch) = self.source.next().await else { return Ok(false) };
            self.pending = self.gate.filter(batch?).into();
        }
        Ok(true)
    }

    /// Starts the source again, at the target of a seek or at the beginning.
    async fn start_again(&mut self, target: Option<Time>) -> Result<(), FeedError> {
        match &mut self.source {
            Source::Simulation(simulation) => {
                **simulation = Simulation::new(&self.config.simulated)?;
                if let Some(target) = target {
                    while !simulation.walk_to(target) {
                        task::yield_now().await;
                    }
                    simulation.seek(target);
                }
            }
            Source::Files(files) => files.restart(),
            Source::Channel(_) => {}
        }
        self.pending.clear();
        self.place = Place { target, taken: 0 };
        let Some(target) = target else { return Ok(()) };
        while self.fill().await? {
            let is_first_lap = self.source.is_first_lap();
            while self.pending.front().is_some_and(|event| is_first_lap && event.time < target) {
                self.pending.pop_front();
            }
            if !self.pending.is_empty() {
                break;
            }
            task::yield_now().await;
        }
        Ok(())
    }
}
