//! The pump: it moves what is due from a feed to the bus, and says there how the feed fares.

use std::iter;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};
use tokio::{select, task};
use tokio_stream::StreamExt;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::clock::{Lateness, Schedule};
use super::skipped::Gate;
use super::{Batches, Feed, FeedError, Pace};
use crate::bus::Bus;
use crate::market::{Event, FeedState};

/// A replay at full speed publishes at most so many events before it waits for the readers of the bus: enough that the wait
/// costs little, few enough that they fit in a client's outbox. Then all are level, however slow, or one stands still.
const AHEAD: usize = 4096;

/// Publishes a feed to its end, to its failure, or until `stop` fires, and marks on the bus how it fares.
pub async fn pump(feed: Feed, bus: Arc<Bus>, stop: CancellationToken) {
    let outcome = select! {
        biased;
        () = stop.cancelled() => return,
        outcome = feed.publish_to(&bus) => outcome,
    };
    match outcome {
        Ok(()) => {
            info!(events = bus.head(), "the feed has ended");
            bus.mark(FeedState::Ended);
        }
        Err(error) => {
            let detail = error.in_full();
            error!(%detail, "the feed has failed");
            bus.mark(FeedState::Failed { detail });
        }
    }
}

impl Feed {
    async fn publish_to(self, bus: &Bus) -> Result<(), FeedError> {
        if self.waits_for_client {
            info!("the feed waits for a subscriber");
            bus.listened().await;
        }
        bus.mark(FeedState::Running);
        let gate = Gate::new(self.symbols, self.skipped);
        let supply = Supply { batches: self.batches, stalled_after: self.stalled_after, gate, bus };
        match self.pace {
            Pace::Scheduled(schedule) => publish_when_due(supply, schedule, bus).await,
            Pace::Live => publish_as_they_come(supply, bus).await,
            Pace::Unscheduled => publish_with_the_readers(supply, bus).await,
        }
    }
}

/// What comes from where a feed comes from; that nothing comes for too long is marked on the bus.
struct Supply<'a> {
    batches: Batches,
    stalled_after: Duration,
    gate: Gate,
    bus: &'a Bus,
}

impl Supply<'_> {
    /// The next events, never none; `None` at the end.
    async fn next(&mut self) -> Result<Option<Vec<Event>>, FeedError> {
        while let Some(batch) = self.next_batch().await {
            let events = self.gate.pass(batch?);
            if !events.is_empty() {
                return Ok(Some(events));
            }
        }
        Ok(None)
    }

    async fn next_batch(&mut self) -> Option<Result<Vec<Event>, FeedError>> {
        if let Ok(next) = timeout(self.stalled_after, self.batches.next()).await {
            return next;
        }
        info!(after = ?self.stalled_after, "nothing comes from the feed");
        self.bus.mark(FeedState::Stalled);
        let next = self.batches.next().await;
        if let Some(Ok(_)) = next {
            self.bus.mark(FeedState::Running);
        }
        next
    }
}

/// Publishes each event when its time has come, and all that are due by then with it.
async fn publish_when_due(
    mut supply: Supply<'_>,
    mut schedule: Schedule,
    bus: &Bus,
) -> Result<(), FeedError> {
    let mut lateness = Lateness::default();
    while let Some(batch) = supply.next().await? {
        let mut events = batch.into_iter().peekable();
        while let Some(next) = events.peek() {
            let due = schedule.due(next.time);
            sleep_until(due).await;
            let now = Instant::now();
            lateness.observe(now - due);
            let mut next_due = || events.next_if(|event| schedule.due(event.time) <= now);
            bus.publish(iter::from_fn(&mut next_due).collect());
            // A feed that is late never sleeps, and must not keep its thread from the others.
            task::yield_now().await;
        }
    }
    Ok(())
}

/// Publishes as fast as the readers of the bus go.
async fn publish_with_the_readers(mut supply: Supply<'_>, bus: &Bus) -> Result<(), FeedError> {
    let mut ahead = 0;
    while let Some(batch) = supply.next().await? {
        if ahead + batch.len() > AHEAD {
            bus.level().await;
            ahead = 0;
        }
        ahead += batch.len();
        bus.publish(batch);
        task::yield_now().await;
    }
    Ok(())
}

/// Publishes what comes when it comes.
async fn publish_as_they_come(mut supply: Supply<'_>, bus: &Bus) -> Result<(), FeedError> {
    while let Some(batch) = supply.next().await? {
        bus.publish(batch);
        task::yield_now().await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io;

    use tokio::sync::mpsc;
    use tokio_stream::wrappers::ReceiverStream;

    use super::super::{BATCH, Config, Skipped, open};
    use super::*;
    use crate::bus::{self, Read, Segment};
    use crate::market::{Data, FeedKind, Time, Trade};

    fn bus(kind: FeedKind) -> Arc<Bus> {
        Bus::new(&bus::Config::default(), kind, "test".to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn a_simulated_event_is_published_when_its_time_has_come() {
        let config: Config = toml::from_str("simulated.rate = 10").unwrap();
        let bus = bus(config.kind);
        let stop = CancellationToken::new();
        let pump = pump(open(&config).unwrap(), Arc::clone(&bus), stop.clone());
        let look = async {
            tokio::time::sleep(Duration::from_millis(10_050)).await;
            let head = bus.head();
            stop.cancel();
            head
        };

        let ((), head) = tokio::join!(pump, look);

        assert_eq!(head, 101);
    }

    /// A feed of what is sent, at a pace.
    fn sent(pace: Pace) -> (mpsc::Sender<Result<Vec<Event>, FeedError>>, Feed) {
        let (sender, receiver) = mpsc::channel(8);
        let feed = Feed {
            batches: Box::pin(ReceiverStream::new(receiver)),
            pace,
            waits_for_client: false,
            stalled_after: Duration::from_secs(30),
            symbols: 0,
            skipped: Skipped::default(),
        };
        (sender, feed)
    }

    fn trade(seconds: i64) -> Event {
        Event {
            symbol: "AAPL".parse().unwrap(),
            time: Time::from_nanos(seconds * 1_000_000_000),
            data: Data::Trade(Trade { price: "1".parse().unwrap(), size: None }),
        }
    }

    /// What the log holds, in a word an entry: a state, or how many events.
    fn entries(bus: &Arc<Bus>) -> Vec<String> {
        let (mut reader, _) = bus.reader();
        let entries = iter::from_fn(|| reader.try_next()).map(|read| match read {
            Read::Segment(segment) => match &*segment {
                Segment::Events { events, .. } => events.len().to_string(),
                Segment::Mark { state, .. } | Segment::Seek { state, .. } => {
                    state.detail().unwrap_or(state.name()).to_owned()
                }
            },
            Read::Lagged(_) => "lagged".to_owned(),
        });
        entries.collect()
    }

    #[tokio::test(start_paused = true)]
    async fn events_that_are_due_together_are_published_together() {
        let bus = bus(FeedKind::Replay);
        let (sender, feed) = sent(Pace::Scheduled(Schedule::new(60.0)));
        sender.send(Ok([100, 100, 160, 220, 220].map(trade).into())).await.unwrap();
        drop(sender);
        let start = Instant::now();

        pump(feed, Arc::clone(&bus), CancellationToken::new()).await;

        assert_eq!(entries(&bus), ["running", "2", "1", "2", "ended"]);
        assert_eq!(start.elapsed(), Duration::from_secs(2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_feed_at_full_speed_waits_for_a_reader_that_is_far_behind() {
        let bus = bus(FeedKind::Replay);
        let (reader, _) = bus.reader();
        let (sender, feed) = sent(Pace::Unscheduled);
        let batch: Vec<Event> = iter::repeat_n(trade(0), BATCH).collect();
        for _ in 0..8 {
            sender.send(Ok(batch.clone())).await.unwrap();
        }
        drop(sender);
        let mut pump = Box::pin(pump(feed, Arc::clone(&bus), CancellationToken::new()));

        let is_waiting = timeout(Duration::from_mins(1), &mut pump).await.is_err();
        let head_while_waiting = bus.head();
        reader.done(head_while_waiting);
        pump.await;

        assert!(is_waiting);
        assert_eq!(head_while_waiting, AHEAD as u64);
        assert_eq!(bus.head(), 8 * BATCH as u64);
    }

    #[tokio::test(start_paused = true)]
    async fn a_live_feed_is_stalled_when_nothing_comes_and_runs_again_with_the_next_event() {
        let bus = bus(FeedKind::Stdin);
        let (sender, feed) = sent(Pace::Live);
        let pump = pump(feed, Arc::clone(&bus), CancellationToken::new());
        let input = async {
            sender.send(Ok(vec![trade(0)])).await.unwrap();
            tokio::time::sleep(Duration::from_secs(100)).await;
            sender.send(Ok(vec![trade(1)])).await.unwrap();
            drop(sender);
        };

        tokio::join!(pump, input);

        assert_eq!(entries(&bus), ["running", "1", "stalled", "running", "1", "ended"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_replay_whose_file_gives_nothing_is_stalled_and_one_that_waits_for_its_schedule_is_not() {
        let bus = bus(FeedKind::Replay);
        let (sender, feed) = sent(Pace::Scheduled(Schedule::new(1.0)));
        let pump = pump(feed, Arc::clone(&bus), CancellationToken::new());
        let input = async {
            sender.send(Ok(vec![trade(0), trade(100)])).await.unwrap();
            tokio::time::sleep(Duration::from_secs(200)).await;
            sender.send(Ok(vec![trade(101)])).await.unwrap();
            drop(sender);
        };

        tokio::join!(pump, input);

        assert_eq!(entries(&bus), ["running", "1", "1", "stalled", "running", "1", "ended"]);
    }

    #[tokio::test]
    async fn a_feed_that_fails_is_marked_with_the_reason_and_keeps_what_came_before() {
        let bus = bus(FeedKind::Stdin);
        let (sender, feed) = sent(Pace::Unscheduled);
        sender.send(Ok(vec![trade(0)])).await.unwrap();
        let source = io::Error::other("the disk is gone");
        sender.send(Err(FeedError::Stdin { source })).await.unwrap();

        pump(feed, Arc::clone(&bus), CancellationToken::new()).await;

        assert_eq!(entries(&bus), ["running", "1", "cannot read standard input: the disk is gone"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_feed_that_waits_for_a_client_publishes_nothing_before_one_listens() {
        let bus = bus(FeedKind::Replay);
        let (sender, feed) = sent(Pace::Unscheduled);
        let feed = Feed { waits_for_client: true, ..feed };
        sender.send(Ok(vec![trade(0)])).await.unwrap();
        drop(sender);
        let mut pump = Box::pin(pump(feed, Arc::clone(&bus), CancellationToken::new()));

        let waited = timeout(Duration::from_hours(1), &mut pump).await;
        let before = entries(&bus);
        bus.listen();
        pump.await;

        assert!(waited.is_err());
        assert!(before.is_empty(), "{before:?}");
        assert_eq!(entries(&bus), ["running", "1", "ended"]);
    }
}
