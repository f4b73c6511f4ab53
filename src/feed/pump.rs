//! The pump: it moves what is due from a feed to the bus, does what the feed's control asks for, and says on the bus how
//! the feed fares.

use std::iter::{self, Peekable};
use std::num::NonZeroU32;
use std::pin::pin;
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

use super::Feed;
use super::control::{FeedCommand, QueuedCommand};
use super::error::FeedError;
use super::lateness::Lateness;
use super::schedule::Schedule;
use super::source::Source;
use super::speed::Speed;
use super::status::{Progress, Status};
use super::symbol_gate::SymbolGate;
use super::wall_clock::WallClock;
use crate::bus::{Bus, LastValues};
use crate::fault;
use crate::market::{Event, FeedState, Time};
use crate::task::caught;

/// A replay that waits for the readers of the bus publishes at most so many events before it does: enough that the wait
/// costs little, few enough that they fit in a client's outbox. Then all are level, however slow, or one stands still.
const AHEAD: usize = 4096;

/// The end of a replay waits this much longer than the stall timeout, so that the shards have closed the clients that
/// stand still before it gives up.
const STALL_MARGIN: Duration = Duration::from_secs(1);

/// A sleep that ends later than this has been the process's own: it was stopped, or the machine was.
const STANDSTILL: Duration = Duration::from_secs(1);

/// Publishes a feed until it fails or `stop` fires, does what its control asks for, and marks on the bus how it fares.
/// One that has ended can be made to go on, for as long as somebody holds a control. One that panics has failed.
pub async fn pump(feed: Feed, bus: Arc<Bus>, stop: CancellationToken) {
    let Feed { source, schedule, retime, is_paused, waits_for_client, stalled_after, .. } = feed;
    let Feed { stall_timeout, symbols, reject_counters, progress, control, mut commands, .. } = feed;
    // It ends when nobody else can make it go on.
    drop(control);
    let mut pump = Pump {
        source,
        gate: SymbolGate::new(symbols, reject_counters),
        pending: Vec::new().into_iter().peekable(),
        schedule,
        wall_clock: retime.then(WallClock::start),
        lateness: Lateness::default(),
        mode: if is_paused { Mode::Paused } else { Mode::Going },
        waits_for_client,
        stalled_after,
        stall_timeout,
        ends_paused: false,
        ahead: 0,
        answer: None,
        progress,
        bus: &bus,
    };
    // A panic drops what `run` owns before it is caught. The commands and the answer outlive it: a caller that gets no
    // answer then finds the reason in the progress.
    match stop.run_until_cancelled(caught(pump.run(&mut commands))).await {
        None | Some(Ok(Ok(()))) => {}
        Some(Ok(Err(error))) => pump.fail(error.in_full()),
        Some(Err(panic)) => pump.fail(format!("the feed's own task {panic}")),
    }
}

/// A feed on its way to the bus.
struct Pump<'a> {
    source: Source,
    gate: SymbolGate,
    /// What has come from the source and is not published yet.
    pending: Peekable<vec::IntoIter<Event>>,
    schedule: Option<Schedule>,
    /// Stamps events, where they are to have new times.
    wall_clock: Option<WallClock>,
    lateness: Lateness,
    mode: Mode,
    waits_for_client: bool,
    stalled_after: Duration,
    /// How long a client may keep the feed waiting.
    stall_timeout: Duration,
    /// Whether a feed that has ended stays paused where it is sought.
    ends_paused: bool,
    /// How many events have been published since the readers were level.
    ahead: usize,
    /// Where the answer to the command goes that is being carried out.
    answer: Option<oneshot::Sender<Status>>,
    progress: Progress,
    bus: &'a Bus,
}

/// Whether events are published by themselves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Going,
    Paused,
    /// There are none left.
    Ended,
}

impl Pump<'_> {
    /// Runs until the feed fails, or has nothing to publish and nobody is left to command it: then its state stays.
    async fn run(&mut self, commands: &mut mpsc::Receiver<QueuedCommand>) -> Result<(), FeedError> {
        self.update_flow_control();
        self.apply_mode();
        loop {
            select! {
                biased;
                Some(QueuedCommand { command, answer }) = commands.recv() => {
                    self.answer = Some(answer);
                    self.execute(command).await?;
                    if let Some(answer) = self.answer.take() {
                        // Whoever asked may have gone.
                        let _ = answer.send(self.progress.status());
                    }
                }
                is_more = self.ready(), if self.mode == Mode::Going => {
                    if is_more? { self.publish() } else { self.end() }
                }
                else => return Ok(()),
            }
            // A feed that is late never sleeps, and must not keep its thread from the others.
            task::yield_now().await;
        }
    }

    async fn execute(&mut self, command: FeedCommand) -> Result<(), FeedError> {
        info!(%command, "the feed is told");
        match command {
            FeedCommand::Pause => self.pause(),
            FeedCommand::Resume => self.resume(),
            FeedCommand::Speed(speed) => {
                // What comes next says how late the feed is; it is not waited for.
                self.fill().now_or_never().transpose()?;
                self.set_speed(speed);
            }
            FeedCommand::Step(count) => self.step(count).await?,
            FeedCommand::Seek(time) => self.seek(time).await?,
        }
        Ok(())
    }

    /// Waits until the next events are to be published; false where there are none, and all before them have been served.
    ///
    /// Cancel safe: what has come from the source is pending.
    async fn ready(&mut self) -> Result<bool, FeedError> {
        if self.waits_for_client {
            self.bus.listened().await;
            self.waits_for_client = false;
            self.mark(FeedState::Running);
        }
        let is_more = if let Ok(is_more) = timeout(self.stalled_after, self.fill()).await {
            is_more?
        } else {
            info!(after = ?self.stalled_after, "nothing comes from the feed");
            self.mark(FeedState::Stalled);
            self.fill().await?
        };
        let Some(next) = self.pending.peek().filter(|_| is_more) else {
            self.wait_for_the_last_readers().await;
            return Ok(false);
        };
        let due = self.schedule.as_mut().map(|schedule| (schedule.speed(), schedule.due(next.time)));
        self.mark(FeedState::Running);
        match due {
            Some((Speed::Factor(_), due)) => self.sleep_until(due).await,
            Some((Speed::Max, _)) => self.wait_for_readers().await,
            None => {}
        }
        Ok(true)
    }

    /// Sleeps until what is pending is due. Where the process stood still meanwhile, the schedule goes on from where it
    /// stood: a client that reads is not slow because hours came due at once.
    ///
    /// Cancel safe: nothing is changed before the end.
    async fn sleep_until(&mut self, due: Instant) {
        if due <= Instant::now() {
            return;
        }
        sleep_until(due).await;
        let late = due.elapsed();
        if let Some(schedule) = self.schedule.as_mut().filter(|_| late > STANDSTILL) {
            schedule.delay(late);
            info!(standstill = ?late, "the server stood still, and the feed goes on from where it was");
        }
    }

    /// Takes more from the source where nothing is pending; false at its end.
    async fn fill(&mut self) -> Result<bool, FeedError> {
        while self.pending.peek().is_none() {
            let Some(batch) = self.source.next().await else { return Ok(false) };
            self.pending = self.gate.filter(batch?).into_iter().peekable();
        }
        Ok(true)
    }

    /// Waits until what is pending is not too much for clients with `delivery=every`.
    async fn wait_for_readers(&mut self) {
        if self.ahead + self.pending.len() > AHEAD.min(self.bus.capacity()) {
            self.bus.level().await;
            self.ahead = 0;
        }
    }

    /// Waits at the end of a feed that waits for its readers until they are level. A client that stands still is closed
    /// before this gives up, and a reader that never says what it has done does not keep the end for ever.
    ///
    /// Cancel safe: nothing is changed here but which readers have been heard.
    async fn wait_for_the_last_readers(&self) {
        let patience = self.stall_timeout + STALL_MARGIN;
        let mut level = pin!(self.bus.level());
        while self.bus.is_paced() && timeout(patience, &mut level).await.is_err() {
            if !self.bus.all_work() {
                warn!(after = ?patience, "the feed ends although a reader is behind");
                break;
            }
        }
    }

    /// Publishes what is due by now.
    fn publish(&mut self) {
        let Some(schedule) = self.schedule.as_mut().filter(|schedule| schedule.speed() != Speed::Max) else {
            return self.publish_at_once(usize::MAX);
        };
        let (pending, wall_clock) = (&mut self.pending, &self.wall_clock);
        let now = Instant::now();
        let mut lag = Duration::ZERO;
        let mut newest = None;
        let events = iter::from_fn(|| {
            let event = pending.peek()?;
            let due = schedule.due(event.time);
            if due > now {
                return None;
            }
            let mut event = pending.next()?;
            lag = lag.max(now - due);
            newest = Some(event.time);
            event.time = wall_clock.as_ref().map_or(event.time, |wall_clock| wall_clock.time(due));
            Some(event)
        });
        let events = events.collect();
        self.lateness.observe(lag);
        self.publish_batch(events, newest, Some(lag));
    }

    /// Publishes up to so many events of those that are pending, due or not.
    fn publish_at_once(&mut self, count: usize) {
        let mut events: Vec<Event> = self.pending.by_ref().take(count).collect();
        let newest = events.last().map(|event| event.time);
        if let (Some(schedule), Some(newest)) = (&mut self.schedule, newest) {
            schedule.published_now(newest);
        }
        if let Some(wall_clock) = &self.wall_clock {
            let now = wall_clock.time(Instant::now());
            for event in &mut events {
                event.time = now;
            }
        }
        self.publish_batch(events, newest, None);
    }

    fn publish_batch(&mut self, events: Vec<Event>, newest: Option<Time>, lag: Option<Duration>) {
        fault::point("pump");
        let count = events.len();
        self.ahead += count;
        let head = self.bus.publish(events);
        self.progress.published(count, head, newest.map(|time| self.source.own_time(time)));
        if let Some(schedule) = &self.schedule {
            self.progress.set_schedule(schedule.speed(), schedule.cut_gaps(), lag);
        }
    }

    fn pause(&mut self) {
        match self.mode {
            Mode::Going => {
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
                self.mode = Mode::Going;
                self.apply_mode();
            }
            Mode::Ended => self.ends_paused = false,
            Mode::Going => {}
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

    /// Publishes so many events, fewer where there are no more. A replay does not outrun its readers even so.
    async fn step(&mut self, count: NonZeroU32) -> Result<(), FeedError> {
        self.pause();
        let waits = !matches!(self.source, Source::Walk(_));
        self.bus.set_paced(waits);
        let mut left = count.get() as usize;
        while left > 0 && self.mode == Mode::Paused {
            if self.fill().await? {
                if waits {
                    self.wait_for_readers().await;
                }
                let stepped = left.min(self.pending.len());
                self.publish_at_once(stepped);
                left -= stepped;
                task::yield_now().await;
            } else {
                self.wait_for_the_last_readers().await;
                self.end();
            }
        }
        self.update_flow_control();
        Ok(())
    }

    /// Goes on with the first event at or after a time. What lies before it is folded and not published.
    async fn seek(&mut self, target: Time) -> Result<(), FeedError> {
        let Source::Files(files) = &mut self.source else { return Ok(()) };
        files.restart();
        self.pending = Vec::new().into_iter().peekable();
        let mut last_values = LastValues::at(self.bus.head());
        let mut folded = 0;
        let now = self.wall_clock.as_ref().map(|wall_clock| wall_clock.time(Instant::now()));
        let mut is_more = true;
        while is_more && self.pending.peek().is_none() {
            is_more = self.fill().await?;
            let is_first_lap = self.source.is_first_lap();
            while let Some(mut event) = self.pending.next_if(|event| is_first_lap && event.time < target) {
                // As long before this moment as it lies before what is sought.
                event.time = now.map_or(event.time, |now| now.earlier(target.since(event.time)));
                last_values.absorb(&event);
                folded += 1;
            }
            task::yield_now().await;
        }
        let position = self.source.extent().map_or(target, |extent| target.clamp(extent.first, extent.last));
        if let Some(schedule) = &mut self.schedule {
            schedule.reset();
        }
        let is_paused = self.mode == Mode::Paused || self.mode == Mode::Ended && self.ends_paused;
        self.ends_paused = is_paused;
        self.mode = match (is_more, is_paused) {
            (false, _) => Mode::Ended,
            (true, true) => Mode::Paused,
            (true, false) => Mode::Going,
        };
        let state = self.state();
        self.progress.set_position(position, folded);
        self.progress.enter(&state);
        info!(%position, events = folded, "the feed goes on from elsewhere");
        self.bus.seek(last_values, position, state);
        self.apply_mode();
        Ok(())
    }

    fn end(&mut self) {
        info!(events = self.bus.head(), "the feed has ended");
        self.ends_paused = self.mode == Mode::Paused;
        self.mode = Mode::Ended;
        self.mark(FeedState::Ended);
    }

    fn fail(&self, detail: String) {
        error!(%detail, "the feed has failed");
        self.mark(FeedState::Failed { detail });
    }

    /// Lets time pass or stand still, and says so.
    fn apply_mode(&mut self) {
        if let Some(schedule) = &mut self.schedule {
            if self.mode == Mode::Going { schedule.resume() } else { schedule.pause() }
        }
        let state = self.state();
        self.mark(state);
    }

    fn state(&self) -> FeedState {
        match self.mode {
            Mode::Ended => FeedState::Ended,
            Mode::Paused => FeedState::Paused,
            Mode::Going if self.waits_for_client && self.bus.listened().now_or_never().is_none() => {
                FeedState::Starting
            }
            Mode::Going => FeedState::Running,
        }
    }

    /// Says whether the feed waits for its readers.
    fn update_flow_control(&self) {
        self.bus.set_paced(self.schedule.as_ref().is_some_and(|schedule| schedule.speed() == Speed::Max));
    }

    fn mark(&self, state: FeedState) {
        if self.progress.enter(&state) {
            self.bus.mark(state);
        }
    }
}

#[cfg(test)]
mod tests;
