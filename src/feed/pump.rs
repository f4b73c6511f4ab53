//! The pump: a task that publishes a feed's events and state on the bus, and executes commands to the feed.

use std::iter::{self, Peekable};
use std::mem;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;
use std::vec;

use futures_util::FutureExt;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};
use tokio::{select, task};
use tokio_stream::StreamExt;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

mod commands;

use super::Feed;
use super::control::{ControlError, QueuedCommand};
use super::cut_gaps::CutGapsLog;
use super::error::FeedError;
use super::lateness::Lateness;
use super::schedule::Schedule;
use super::source::{BETWEEN_LAPS, Source};
use super::speed::Speed;
use super::standby::Standby;
use super::status::{Progress, Status};
use super::symbol_gate::SymbolGate;
use super::wall_clock::WallClock;
use crate::bus::{Bus, LastValueCache};
use crate::fault;
use crate::market::{Event, FeedState, Time};
use crate::task::catch_panic;

/// The number of events that a flow-controlled feed publishes before it waits until all readers have caught
/// up.
///
/// The number of events is large, so that the feed rarely waits. But the number is small enough that a
/// client's outbox, i.e. its send buffer, can hold this many events.
const AHEAD: usize = 4096;

/// At the end of a replay, the pump waits for slow readers this much longer than the stall timeout. Within
/// this additional time, the server's threads close the clients that have exceeded the stall timeout.
const STALL_MARGIN: Duration = Duration::from_secs(1);

/// If the pump does not run for more than this duration although an event is due, the process or the machine
/// is assumed to have been suspended.
const STANDSTILL: Duration = Duration::from_secs(1);

/// Publishes a feed's events and state until the feed fails or `stop` is cancelled. Also executes the
/// commands to the feed.
///
/// After the feed's last event, the pump waits for commands such as a seek, until all
/// [`Control`](super::Control) handles are dropped. If the pump panics, the feed's state becomes `failed`.
///
/// If the bus is [ending](Bus::is_ending) after the feed's last event or failure, the pump returns as soon as
/// the clients have got everything.
///
/// Returns the feed as a standby, which has to start its source again before it can continue.
pub async fn pump(feed: Feed, bus: Arc<Bus>, stop: CancellationToken) -> Standby {
    let Feed { config, given, source, gate, pending, schedule, wall_clock, .. } = feed;
    let Feed { is_paused, waits_for_client, stalled_after, stall_timeout, reject_counters, .. } = feed;
    let Feed { progress, control, mut commands, .. } = feed;
    // The pump's own control must not keep the command channel open.
    drop(control);
    let mut pump = Pump {
        source,
        gate,
        pending: pending.into_iter().peekable(),
        schedule,
        wall_clock,
        cut_gaps_log: CutGapsLog::default(),
        lateness: Lateness::default(),
        mode: if is_paused { Mode::Paused } else { Mode::Running },
        waits_for_client,
        stalled_after,
        stall_timeout,
        ends_paused: false,
        ahead: 0,
        seen: Instant::now(),
        answer: None,
        is_step_waiting: false,
        progress,
        bus: &bus,
    };
    // This function owns the queue of commands and the sender of the answer, so a panic in `run` drops
    // neither. `fail` can therefore record the reason before a waiting caller gets an error.
    match stop.run_until_cancelled(catch_panic(pump.run(&mut commands))).await {
        None | Some(Ok(Ok(()))) => {}
        Some(Ok(Err(error))) => pump.fail(error.in_full()),
        Some(Err(panic)) => pump.fail(format!("the feed's own task {panic}")),
    }
    // From here on, the pump executes no command. So each caller that waits gets an error at once.
    drop((commands, pump.answer.take()));
    if bus.is_ending() {
        stop.run_until_cancelled(pump.wait_for_the_last_readers()).await;
    }
    Standby::of_source(config, given, pump.source, pump.gate, reject_counters)
}

/// The state of a running pump.
struct Pump<'a> {
    source: Source,
    gate: SymbolGate,
    /// Events from the source that are not published yet.
    pending: Peekable<vec::IntoIter<Event>>,
    schedule: Option<Schedule>,
    /// The wall clock from which events get new times; `None` if the setting `feed.clock.retime` is off.
    wall_clock: Option<WallClock>,
    cut_gaps_log: CutGapsLog,
    lateness: Lateness,
    mode: Mode,
    waits_for_client: bool,
    stalled_after: Duration,
    /// How long one slow client may keep the feed waiting.
    stall_timeout: Duration,
    /// Whether a feed that has ended will be paused after a command starts it again.
    ends_paused: bool,
    /// The number of events that were published since the last wait for the readers.
    ahead: usize,
    /// The newest instant at which the pump is known to have run.
    seen: Instant,
    /// The channel for the answer to the command that is being executed.
    answer: Option<oneshot::Sender<Result<Status, ControlError>>>,
    /// Whether a step has published the source's last event, and waits for the readers. Another command ends
    /// the wait.
    is_step_waiting: bool,
    progress: Progress,
    bus: &'a Bus,
}

/// The mode of the pump: whether it publishes events.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Running,
    Paused,
    /// The source has no more events.
    Ended,
}

impl Pump<'_> {
    /// Publishes events and executes commands until the feed fails. Also returns if the feed is paused or has
    /// ended, and no [`Control`](super::Control) handle is left. If the bus is [ending](Bus::is_ending),
    /// returns at once. The function does not change the feed's state when it returns.
    async fn run(&mut self, commands: &mut mpsc::Receiver<QueuedCommand>) -> Result<(), FeedError> {
        self.update_flow_control();
        self.apply_mode();
        loop {
            select! {
                biased;
                Some(QueuedCommand { command, answer }) = commands.recv() => {
                    self.finish_command();
                    self.answer = Some(answer);
                    self.execute(command).await?;
                    if !self.is_step_waiting {
                        self.finish_command();
                    }
                }
                is_more = self.ready(), if self.mode == Mode::Running || self.is_step_waiting => {
                    if is_more? {
                        self.publish();
                    } else {
                        self.end();
                        self.finish_command();
                    }
                }
                else => return Ok(()),
            }
            if self.bus.is_ending() {
                return Ok(());
            }
            // A late feed never sleeps, so the pump yields here to the other tasks of the thread.
            task::yield_now().await;
        }
    }

    /// Answers the command that is being executed, if there is one.
    fn finish_command(&mut self) {
        self.is_step_waiting = false;
        self.update_flow_control();
        if let Some(answer) = self.answer.take() {
            // Sending fails if the caller no longer waits for the answer.
            let _ = answer.send(Ok(self.progress.status()));
        }
    }

    /// Waits until the next event may be published, and returns true. When the source has no more events,
    /// waits for the readers to catch up and returns false.
    ///
    /// Cancel safe: events that were taken from the source remain in `pending`.
    async fn ready(&mut self) -> Result<bool, FeedError> {
        if self.is_step_waiting {
            self.wait_for_the_last_readers().await;
            return Ok(false);
        }
        if self.waits_for_client {
            self.bus.first_subscriber().await;
            self.waits_for_client = false;
            self.set_feed_state(FeedState::Running);
        }
        let is_more = if let Ok(is_more) = timeout(self.stalled_after, self.fill()).await {
            is_more?
        } else {
            info!(after = ?self.stalled_after, "the feed is stalled, no event has come");
            self.set_feed_state(FeedState::Stalled);
            self.fill().await?
        };
        let Some(next) = self.pending.peek().filter(|_| is_more) else {
            self.wait_for_the_last_readers().await;
            return Ok(false);
        };
        let due = self.schedule.as_mut().map(|schedule| (schedule.speed(), schedule.due(next.time)));
        self.set_feed_state(FeedState::Running);
        match due {
            Some((Speed::Factor(_), due)) => sleep_until(due).await,
            Some((Speed::Max, _)) => self.wait_for_readers().await,
            None => {}
        }
        self.notice_standstill();
        self.wait_for_room().await;
        Ok(true)
    }

    /// Makes all due times later if the pump did not run for more than [`STANDSTILL`] although an event was
    /// due. Without this change, many events would be due at once, and healthy clients would fall too far
    /// behind.
    ///
    /// The usual reason is that the process or the machine was suspended. Another reason is a source that gave
    /// no event for so long.
    fn notice_standstill(&mut self) {
        let now = Instant::now();
        let seen = mem::replace(&mut self.seen, now);
        let next = self.pending.peek().filter(|_| self.mode == Mode::Running);
        let (Some(next), Some(schedule)) = (next, &mut self.schedule) else { return };
        let standstill = now.saturating_duration_since(schedule.due(next.time).max(seen));
        if standstill > STANDSTILL {
            schedule.delay(standstill);
            info!(?standstill, "the feed stood still, so all due times move by the standstill");
        }
    }

    /// Fetches the next events from the source, unless some events are still pending. Returns false if the
    /// source has no more events.
    async fn fill(&mut self) -> Result<bool, FeedError> {
        while self.pending.peek().is_none() {
            let Some(batch) = self.source.next().await else {
                if self.starts_over() {
                    continue;
                }
                return Ok(false);
            };
            let batch = batch?;
            if let (Some(schedule), Some(first), true) =
                (&mut self.schedule, batch.first(), self.source.is_lap_start())
            {
                schedule.skip_to(first.time, BETWEEN_LAPS);
            }
            self.pending = self.gate.filter(batch).into_iter().peekable();
        }
        Ok(true)
    }

    /// Starts a loop again with the files' own times, as a seek does, if the times of the next lap would be
    /// after the year 2262. Returns whether the loop starts again.
    fn starts_over(&mut self) -> bool {
        let Source::Files(files) = &mut self.source else { return false };
        let Some(extent) = files.extent().filter(|_| files.is_out_of_time()) else { return false };
        info!("the loop has reached the year 2262, and starts again with the files' own times");
        files.restart();
        if let Some(schedule) = &mut self.schedule {
            schedule.reset();
        }
        self.progress.set_position(extent.first, None, 0);
        self.bus.seek(LastValueCache::at(self.bus.head()), extent.first, self.state());
        true
    }

    /// Waits until all readers have caught up, but only if a reader could otherwise fall too far behind. Too
    /// far means: by more events than `AHEAD` or than the capacity of the bus's log, whichever is smaller.
    ///
    /// A shard closes the clients that stall the feed, so the pump waits for a shard as long as it takes. The
    /// pump gives up another reader, for example the reader of the bars, if that reader reports no progress
    /// during the stall timeout.
    ///
    /// Cancel safe: after a cancelled wait, the stall timeout begins anew.
    async fn wait_for_readers(&mut self) {
        if self.ahead + self.pending.len() > AHEAD.min(self.bus.capacity()) {
            let mut caught_up = pin!(self.bus.caught_up());
            while !Self::are_caught_up_within(self.stall_timeout, caught_up.as_mut()).await {
                self.give_up_silent_readers();
            }
            self.ahead = 0;
        }
    }

    /// Waits until the bus has [room](Bus::room) for more events. All due times move by the wait, so that the
    /// feed does not publish in a burst what it could not publish before.
    ///
    /// Cancel safe: after a cancelled wait, the due times do not move.
    async fn wait_for_room(&mut self) {
        if self.bus.room().now_or_never().is_some() {
            return;
        }
        let begin = Instant::now();
        self.bus.room().await;
        if let Some(schedule) = &mut self.schedule {
            schedule.delay(begin.elapsed());
        }
    }

    /// Waits at the end of a flow-controlled feed until all readers have caught up. An
    /// [ending](Bus::is_ending) bus makes every feed flow-controlled.
    ///
    /// The wait ends early if a shard is behind, and reports no progress during the stall timeout plus
    /// [`STALL_MARGIN`]. Another reader that reports no progress for so long is given up.
    ///
    /// Cancel safe: a cancelled wait can lose some of the readers' progress reports, but nothing else.
    async fn wait_for_the_last_readers(&self) {
        let patience = self.stall_timeout + STALL_MARGIN;
        let mut caught_up = pin!(self.bus.caught_up());
        while self.bus.is_flow_controlled() && !Self::are_caught_up_within(patience, caught_up.as_mut()).await
        {
            self.give_up_silent_readers();
            if !self.bus.all_report() {
                warn!(after = ?patience, "the feed ends although a reader has not caught up");
                break;
            }
        }
    }

    /// Waits until all readers have caught up, but at most for the duration `patience`. Returns whether they
    /// have caught up. The time for which the process stood still does not count.
    async fn are_caught_up_within(
        patience: Duration,
        mut caught_up: Pin<&mut impl Future<Output = ()>>,
    ) -> bool {
        loop {
            let begin = Instant::now();
            let is_caught_up = timeout(patience, caught_up.as_mut()).await.is_ok();
            if is_caught_up || begin.elapsed() <= patience + STANDSTILL {
                return is_caught_up;
            }
        }
    }

    /// Stops waiting for the readers that have made no progress, except for shards.
    fn give_up_silent_readers(&self) {
        for reader in self.bus.give_up_silent_readers() {
            warn!(reader, "the feed no longer waits for a reader that makes no progress");
        }
    }

    /// Publishes the pending events that are due.
    fn publish(&mut self) {
        let Some(schedule) = self.schedule.as_mut().filter(|schedule| schedule.speed() != Speed::Max) else {
            return self.publish_at_once(usize::MAX);
        };
        if let Some(wall_clock) = &mut self.wall_clock {
            wall_clock.follow();
        }
        let (pending, wall_clock) = (&mut self.pending, &self.wall_clock);
        let now = Instant::now();
        let mut lateness = Duration::ZERO;
        let mut newest = None;
        let events = iter::from_fn(|| {
            let event = pending.peek()?;
            let due = schedule.due(event.time);
            if due > now {
                return None;
            }
            let mut event = pending.next()?;
            lateness = lateness.max(now - due);
            newest = Some(event.time);
            event.time = wall_clock.as_ref().map_or(event.time, |wall_clock| wall_clock.time(due));
            Some(event)
        });
        let events = events.collect();
        self.lateness.observe(lateness);
        self.publish_batch(events, newest, Some(lateness));
    }

    /// Publishes up to `count` pending events, even if they are not due yet.
    fn publish_at_once(&mut self, count: usize) {
        let mut events: Vec<Event> = self.pending.by_ref().take(count).collect();
        let newest = events.last().map(|event| event.time);
        if let (Some(schedule), Some(newest)) = (&mut self.schedule, newest) {
            schedule.published_now(newest);
        }
        if let Some(wall_clock) = &mut self.wall_clock {
            let now = wall_clock.now();
            for event in &mut events {
                event.time = now;
            }
        }
        self.publish_batch(events, newest, None);
    }

    fn publish_batch(&mut self, events: Vec<Event>, newest: Option<Time>, lateness: Option<Duration>) {
        fault::point("pump");
        let count = events.len();
        self.ahead += count;
        let head = self.bus.publish(events);
        self.progress.published(count, head, newest.map(|time| self.source.own_time(time)));
        if let Some(schedule) = &self.schedule {
            self.progress.set_schedule(schedule.speed(), schedule.cut_gaps(), lateness);
            self.cut_gaps_log.observe(schedule.cut_gaps());
        }
    }

    fn end(&mut self) {
        if let Some(schedule) = &self.schedule {
            self.cut_gaps_log.sum_up(schedule.cut_gaps());
        }
        info!(events = self.bus.head(), "the feed has ended");
        self.ends_paused = self.mode == Mode::Paused;
        self.mode = Mode::Ended;
        self.set_feed_state(FeedState::Ended);
    }

    fn fail(&self, detail: String) {
        error!(%detail, "the feed has failed");
        self.set_feed_state(FeedState::Failed { detail });
    }

    /// Pauses or resumes the schedule, depending on the pump's mode, and publishes the feed's state.
    fn apply_mode(&mut self) {
        if let Some(schedule) = &mut self.schedule {
            if self.mode == Mode::Running { schedule.resume() } else { schedule.pause() }
        }
        let state = self.state();
        self.set_feed_state(state);
    }

    fn state(&self) -> FeedState {
        match self.mode {
            Mode::Ended => FeedState::Ended,
            Mode::Paused => FeedState::Paused,
            Mode::Running
                if self.waits_for_client && self.bus.first_subscriber().now_or_never().is_none() =>
            {
                FeedState::Starting
            }
            Mode::Running => FeedState::Running,
        }
    }

    /// Tells the bus whether the feed is flow-controlled, i.e. waits for its readers.
    fn update_flow_control(&self) {
        self.bus.set_flow_controlled(self.is_at_full_speed());
    }

    fn is_at_full_speed(&self) -> bool {
        self.schedule.as_ref().is_some_and(|schedule| schedule.speed() == Speed::Max)
    }

    fn set_feed_state(&self, state: FeedState) {
        if self.progress.enter(&state) {
            self.bus.set_feed_state(state);
        }
    }
}

#[cfg(test)]
mod tests;
