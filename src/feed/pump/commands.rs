//! Executes the commands to a feed: pause, resume, step, seek, and changes of the speed and of the loop.

use std::num::NonZeroU32;

use futures_util::FutureExt;
use tokio::task;
use tracing::info;

use super::{AHEAD, Mode, Pump};
use crate::bus::LastValueCache;
use crate::feed::control::FeedCommand;
use crate::feed::error::FeedError;
use crate::feed::source::Source;
use crate::feed::speed::Speed;
use crate::feed::wall_clock::WallClock;
use crate::market::Time;

impl Pump<'_> {
    /// Executes a command.
    ///
    /// # Errors
    ///
    /// Returns an error if the source fails.
    pub(super) async fn execute(&mut self, command: FeedCommand) -> Result<(), FeedError> {
        info!(%command, "executing a command");
        self.notice_standstill();
        match command {
            FeedCommand::Pause => self.pause(),
            FeedCommand::Resume => self.resume(),
            FeedCommand::Speed(speed) => {
                // Fetches the next event only if it has already arrived, because the command must not wait
                // for the source. `set_speed` uses the time of that event.
                self.fill().now_or_never().transpose()?;
                self.set_speed(speed);
            }
            FeedCommand::Step(count) => self.step(count).await?,
            FeedCommand::Seek(time) => self.seek(time).await?,
            FeedCommand::Loop(repeats) => self.set_repeats(repeats),
        }
        Ok(())
    }

    fn pause(&mut self) {
        match self.mode {
            Mode::Running => {
                self.mode = Mode::Paused;
                self.apply_mode();
            }
            Mode::Ended => self.ends_paused = true,
            Mode::Paused => {}
        }
    }

    fn resume(&mut self) {
        match self.mode {
            Mode::Paused => {
                self.mode = Mode::Running;
                self.apply_mode();
            }
            Mode::Ended => self.ends_paused = false,
            Mode::Running => {}
        }
    }

    fn set_speed(&mut self, speed: Speed) {
        let next = self.pending.peek().map(|event| event.time);
        if let Some(schedule) = &mut self.schedule {
            schedule.set_speed(speed, next);
            self.progress.set_schedule(speed, schedule.cut_gaps(), None);
        }
        self.update_flow_control();
    }

    /// Pauses the feed, and publishes the next `count` events, or fewer if the source ends.
    ///
    /// The step waits for readers if the feed does. A replay's step of more than [`AHEAD`] events waits at
    /// every speed, so that no client with `delivery=every` falls too far behind.
    async fn step(&mut self, count: NonZeroU32) -> Result<(), FeedError> {
        self.pause();
        let mut left = count.get() as usize;
        let waits = self.is_at_full_speed() || left > AHEAD && !matches!(self.source, Source::Simulation(_));
        self.bus.set_flow_controlled(waits);
        while left > 0 && self.mode == Mode::Paused {
            if self.fill().await? {
                if waits {
                    self.wait_for_readers().await;
                }
                let stepped = left.min(self.pending.len());
                self.publish_at_once(stepped);
                left -= stepped;
                task::yield_now().await;
            } else if self.wait_for_the_last_readers().now_or_never().is_some() {
                self.end();
            } else {
                self.is_step_waiting = true;
                break;
            }
        }
        Ok(())
    }

    /// Continues the feed with the first event at or after the market time `target`. Earlier events are not
    /// published, but update the last-value cache, i.e. the current values of each symbol.
    async fn seek(&mut self, target: Time) -> Result<(), FeedError> {
        match &mut self.source {
            Source::Files(files) => files.restart(),
            Source::Simulation(simulation) => {
                while !simulation.walk_to(target) {
                    task::yield_now().await;
                }
                simulation.seek(target);
            }
            Source::Channel(_) => return Ok(()),
        }
        self.pending = Vec::new().into_iter().peekable();
        let mut last_values = LastValueCache::at(self.bus.head());
        let mut folded = 0;
        let now = self.wall_clock.as_mut().map(WallClock::now);
        let mut is_more = true;
        while is_more && self.pending.peek().is_none() {
            is_more = self.fill().await?;
            let is_first_lap = self.source.is_first_lap();
            while let Some(mut event) = self.pending.next_if(|event| is_first_lap && event.time < target) {
                // With `retime`, an event ten seconds before the target gets the time ten seconds before now.
                event.time = now.map_or(event.time, |now| now.earlier(target.since(event.time)));
                last_values.fold_unpublished(&event);
                folded += 1;
            }
            task::yield_now().await;
        }
        let position = self.source.position(target);
        if let Some(schedule) = &mut self.schedule {
            schedule.reset();
        }
        let is_paused = self.mode == Mode::Paused || self.mode == Mode::Ended && self.ends_paused;
        self.ends_paused = is_paused;
        self.mode = match (is_more, is_paused) {
            (false, _) => Mode::Ended,
            (true, true) => Mode::Paused,
            (true, false) => Mode::Running,
        };
        let state = self.state();
        let next = self.pending.peek().map(|event| self.source.own_time(event.time));
        self.progress.set_position(position, next, folded);
        self.progress.enter(&state);
        info!(%position, events = folded, "the feed continues after a seek");
        self.bus.seek(last_values, position, state);
        self.apply_mode();
        Ok(())
    }

    /// Sets whether a replay reads its files again after their end. If `repeats` is true and the replay has
    /// already ended, starts it again.
    fn set_repeats(&mut self, repeats: bool) {
        let Source::Files(files) = &mut self.source else { return };
        files.set_repeats(repeats);
        self.progress.set_repeats(repeats);
        if repeats && self.mode == Mode::Ended {
            if let Some(schedule) = &mut self.schedule {
                // Makes the first event of the new lap due now. Without the reset, this event may already be
                // late.
                schedule.reset();
            }
            self.mode = if self.ends_paused { Mode::Paused } else { Mode::Running };
            self.apply_mode();
        }
    }
}
