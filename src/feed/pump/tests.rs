//! Tests of the pump. The tests use Tokio's paused clock, and feeds whose events come from the test itself.

mod commands;
mod panics;

use std::cell::Cell;
use std::io;
use std::num::NonZeroU32;

use tokio::task::JoinSet;
use tokio::time::{advance, sleep};

use super::super::reader::BATCH;
use super::super::{Config, Control, ControlError, FeedCommand, RejectCounters, Status, open, schedule};
use super::*;
use crate::bus::{self, Read, Segment};
use crate::market::{FeedKind, Payload, Trade};

fn bus(kind: FeedKind) -> Arc<Bus> {
    Bus::new(&bus::Config::default(), kind, "test".to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_simulated_event_is_published_when_its_time_has_come() {
    let config: Config = toml::from_str("simulated = { profile = \"gbm\", rate = 10 }").unwrap();
    let bus = bus(config.kind);
    let stop = CancellationToken::new();
    let pump = pump(open(&config).unwrap(), Arc::clone(&bus), stop.clone());
    let look = async {
        sleep(Duration::from_millis(10_050)).await;
        let head = bus.head();
        stop.cancel();
        head
    };

    let (_, head) = tokio::join!(pump, look);

    assert_eq!(head, 101);
}

/// Returns a feed of the given kind and speed, and the sender through which a test gives events to the feed.
fn sent(kind: FeedKind, speed: Speed) -> (mpsc::Sender<Result<Vec<Event>, FeedError>>, Feed) {
    let (sender, receiver) = mpsc::channel(8);
    let clock = schedule::Config { speed, ..schedule::Config::default() };
    let config = Config { kind, clock, ..Config::default() };
    (sender, Feed::new(&config, Source::Channel(receiver), RejectCounters::default()))
}

fn trade(seconds: i64) -> Event {
    Event {
        symbol: "AAPL".parse().unwrap(),
        time: Time::from_nanos(seconds * 1_000_000_000),
        payload: Payload::Trade(Trade { price: "1".parse().unwrap(), size: None }),
    }
}

/// Returns a text for each entry of the bus's log. For a batch of events, the text is the size of the batch.
/// For a change of the feed's state, the text is the name of the state or, after a failure, the reason.
fn entries(bus: &Arc<Bus>) -> Vec<String> {
    let (mut reader, _) = bus.awaited_reader("test");
    let entries = iter::from_fn(|| reader.try_next()).map(|read| match read {
        Read::Segment(segment) => match &*segment {
            Segment::Events { events, .. } => events.len().to_string(),
            Segment::FeedState { state, .. } | Segment::Seek { state, .. } => {
                state.detail().unwrap_or(state.name()).to_owned()
            }
        },
        Read::Lagged(_) => "lagged".to_owned(),
    });
    entries.collect()
}

/// Returns the time of each event on the bus, in milliseconds since the first event.
fn times(bus: &Bus) -> Vec<u128> {
    let mut events = Vec::new();
    while let Ok(Some(chunk)) = bus.after(&bus.epoch(), events.len() as u64) {
        events.extend(chunk.iter().map(|(_, event)| event.time));
    }
    events.iter().map(|time| time.since(events[0]).as_millis()).collect()
}

#[tokio::test(start_paused = true)]
async fn after_a_standstill_the_schedule_goes_on_from_where_it_stood() {
    let bus = bus(FeedKind::Replay);
    let (sender, feed) = sent(FeedKind::Replay, Speed::Factor(1.0));
    sender.send(Ok((0..5).map(trade).collect())).await.unwrap();
    drop(sender);
    let start = Instant::now();
    let stop = async {
        sleep(Duration::from_millis(500)).await;
        advance(Duration::from_secs(8)).await;
    };

    tokio::join!(pump(feed, Arc::clone(&bus), CancellationToken::new()), stop);

    assert_eq!(entries(&bus), ["running", "1", "1", "1", "1", "1", "ended"]);
    assert_eq!(start.elapsed(), Duration::from_millis(4_000 + 7_500));
}

#[tokio::test(start_paused = true)]
async fn a_standstill_while_the_feed_does_not_sleep_moves_the_schedule_too() {
    let bus = bus(FeedKind::Replay);
    let (sender, feed) = sent(FeedKind::Replay, Speed::Factor(1.0));
    sender.send(Ok((0..5).map(trade).collect())).await.unwrap();
    drop(sender);
    let start = Instant::now();
    let stop = async {
        while bus.head() == 0 {
            task::yield_now().await;
        }
        advance(Duration::from_hours(8)).await;
    };

    tokio::join!(pump(feed, Arc::clone(&bus), CancellationToken::new()), stop);

    assert_eq!(entries(&bus), ["running", "1", "1", "1", "1", "1", "ended"]);
    assert_eq!(start.elapsed(), Duration::from_hours(8) + Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn after_a_suspension_of_the_machine_retimed_events_have_the_time_of_its_wall_clock() {
    let bus = bus(FeedKind::Replay);
    let (sender, feed) = sent(FeedKind::Replay, Speed::Factor(1.0));
    let feed = Feed { wall_clock: Some(WallClock::new(mocked)), ..feed };
    sender.send(Ok((0..4).map(trade).collect())).await.unwrap();
    drop(sender);
    let suspend = async {
        // The monotonic clock stops during a suspension, so only the wall clock moves.
        sleep(Duration::from_millis(1_500)).await;
        SUSPENDED.set(Duration::from_hours(3));
    };

    tokio::join!(pump(feed, Arc::clone(&bus), CancellationToken::new()), suspend);

    assert_eq!(entries(&bus), ["running", "1", "1", "1", "1", "ended"]);
    let suspended = 3 * 3_600_000;
    assert_eq!(times(&bus), [0, 1_000, suspended + 2_000, suspended + 3_000]);
}

thread_local! {
    /// The instant at which the mocked wall clock shows the year 1970.
    static BEGIN: Instant = Instant::now();
    /// How long the machine was suspended, according to the mocked wall clock.
    static SUSPENDED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// Returns the time of a mocked wall clock, which goes on during a suspension of the machine.
fn mocked() -> Time {
    Time::default().later(BEGIN.with(Instant::elapsed) + SUSPENDED.get())
}

#[tokio::test]
async fn a_loop_that_reaches_the_year_2262_starts_again_with_the_files_own_times() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("A.csv");
    std::fs::write(&path, "time,price\n1970-01-02,1\n2100-01-01,1\n").unwrap();
    let config =
        format!("kind = \"replay\"\nclock.paused = true\nreplay.files = [{path:?}]\nreplay.loop = true");
    let feed = open(&toml::from_str(&config).unwrap()).unwrap();
    let (bus, control) = (bus(FeedKind::Replay), feed.control().clone());
    let mut pumping = JoinSet::new();
    pumping.spawn(pump(feed, Arc::clone(&bus), CancellationToken::new()));
    let step = FeedCommand::Step(NonZeroU32::new(5).unwrap());

    let status = control.send(step).await.unwrap();

    assert_eq!((status.state, status.events), (FeedState::Paused, 5));
    assert_eq!(status.position.unwrap().to_string(), "1970-01-02T00:00:00Z");
    assert_eq!(entries(&bus), ["paused", "2", "2", "paused", "1"]);
}

#[tokio::test]
async fn a_lap_of_a_loop_does_not_wait_for_the_next_day() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("A.csv");
    std::fs::write(&path, "time,price\n2024-01-03 09:30:00,1\n2024-01-03 09:30:10,1\n").unwrap();
    let config =
        format!("kind = \"replay\"\nclock.speed = 1000\nreplay.files = [{path:?}]\nreplay.loop = true");
    let feed = open(&toml::from_str(&config).unwrap()).unwrap();
    let bus = bus(FeedKind::Replay);
    let mut pumping = JoinSet::new();
    pumping.spawn(pump(feed, Arc::clone(&bus), CancellationToken::new()));

    let four_laps = async {
        while bus.head() < 8 {
            task::yield_now().await;
        }
    };
    timeout(Duration::from_mins(1), four_laps).await.expect("a day at this speed lasts 86 seconds");

    let day = 86_400_000;
    assert_eq!(times(&bus)[..6], [0, 10_000, day, day + 10_000, 2 * day, 2 * day + 10_000]);
}

#[tokio::test(start_paused = true)]
async fn a_short_delay_moves_nothing_that_comes_later() {
    let bus = bus(FeedKind::Replay);
    let (sender, feed) = sent(FeedKind::Replay, Speed::Factor(1.0));
    sender.send(Ok((0..5).map(trade).collect())).await.unwrap();
    drop(sender);
    let start = Instant::now();
    let delay = async {
        sleep(Duration::from_millis(500)).await;
        advance(Duration::from_millis(1_500)).await;
    };

    tokio::join!(pump(feed, Arc::clone(&bus), CancellationToken::new()), delay);

    assert_eq!(entries(&bus), ["running", "1", "2", "1", "1", "ended"]);
    assert_eq!(start.elapsed(), Duration::from_secs(4));
}

#[tokio::test(start_paused = true)]
async fn events_that_are_due_together_are_published_together() {
    let bus = bus(FeedKind::Replay);
    let (sender, feed) = sent(FeedKind::Replay, Speed::Factor(60.0));
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
    let (reader, _) = bus.awaited_reader("test");
    let (sender, feed) = sent(FeedKind::Replay, Speed::Max);
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
async fn a_feed_at_full_speed_outruns_no_reader_of_a_short_history() {
    let config: bus::Config = toml::from_str("history = 2000").unwrap();
    let bus = Bus::new(&config, FeedKind::Replay, "test".to_owned());
    let (mut reader, _) = bus.awaited_reader("test");
    let (sender, feed) = sent(FeedKind::Replay, Speed::Max);
    for _ in 0..8 {
        sender.send(Ok(iter::repeat_n(trade(0), BATCH).collect())).await.unwrap();
    }
    drop(sender);
    let read = async {
        let mut seq = 0;
        while seq < 8 * BATCH as u64 {
            // This reader reads only every 10 ms.
            sleep(Duration::from_millis(10)).await;
            while let Some(read) = reader.try_next() {
                let Read::Segment(segment) = read else { panic!("the log has passed its reader") };
                if let Segment::Events { events, .. } = &*segment {
                    seq += events.len() as u64;
                }
            }
            reader.done(seq);
        }
    };

    tokio::join!(pump(feed, Arc::clone(&bus), CancellationToken::new()), read);

    assert_eq!(bus.head(), 8 * BATCH as u64);
}

#[tokio::test(start_paused = true)]
async fn at_full_speed_the_end_comes_when_the_readers_have_caught_up() {
    let bus = bus(FeedKind::Replay);
    let (reader, _) = bus.awaited_reader("test");
    let (sender, feed) = sent(FeedKind::Replay, Speed::Max);
    sender.send(Ok((0..3).map(trade).collect())).await.unwrap();
    drop(sender);
    let mut pump = Box::pin(pump(feed, Arc::clone(&bus), CancellationToken::new()));

    let is_waiting = timeout(Duration::from_secs(9), &mut pump).await.is_err();
    let before = entries(&bus);
    reader.done(3);
    timeout(Duration::from_secs(1), pump).await.expect("the feed ends");

    assert!(is_waiting);
    assert_eq!(before, ["running", "3"]);
    assert_eq!(entries(&bus), ["running", "3", "ended"]);
}

#[tokio::test(start_paused = true)]
async fn the_end_waits_for_a_reader_that_is_at_work_for_longer_than_the_stall_timeout() {
    let bus = bus(FeedKind::Replay);
    let (reader, _) = bus.awaited_reader("test");
    let (sender, feed) = sent(FeedKind::Replay, Speed::Max);
    sender.send(Ok((0..3).map(trade).collect())).await.unwrap();
    drop(sender);
    let start = Instant::now();
    let work = async {
        // The reader reports that it is at work, although it has processed no event. An example is a reader
        // that sends snapshots to a client.
        for _ in 0..60 {
            sleep(Duration::from_secs(1)).await;
            reader.done(0);
            assert!(bus.is_waiting());
        }
        reader.done(3);
    };

    tokio::join!(pump(feed, Arc::clone(&bus), CancellationToken::new()), work);

    assert_eq!(start.elapsed(), Duration::from_mins(1));
    assert_eq!(entries(&bus), ["running", "3", "ended"]);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_is_never_done_does_not_keep_the_end_for_ever() {
    let bus = bus(FeedKind::Replay);
    let _reader = bus.awaited_reader("test");
    let (sender, feed) = sent(FeedKind::Replay, Speed::Max);
    sender.send(Ok(vec![trade(0)])).await.unwrap();
    drop(sender);

    let pump = pump(feed, Arc::clone(&bus), CancellationToken::new());
    timeout(Duration::from_secs(12), pump).await.expect("the feed ends");

    assert_eq!(entries(&bus), ["running", "1", "ended"]);
}

/// Publishes eight batches at full speed, while a briefly awaited reader reports nothing. Runs `meanwhile` at
/// the same time. Returns how long the feed takes.
async fn time_with_a_silent_reader(meanwhile: impl Future<Output = ()>) -> Duration {
    let bus = bus(FeedKind::Replay);
    let (reader, _) = bus.briefly_awaited_reader("test");
    reader.done(0);
    let (sender, feed) = sent(FeedKind::Replay, Speed::Max);
    for _ in 0..8 {
        sender.send(Ok(iter::repeat_n(trade(0), BATCH).collect())).await.unwrap();
    }
    drop(sender);
    let start = Instant::now();

    tokio::join!(pump(feed, Arc::clone(&bus), CancellationToken::new()), meanwhile);

    assert_eq!(bus.head(), 8 * BATCH as u64);
    assert_eq!(bus.feed_state(), FeedState::Ended);
    start.elapsed()
}

#[tokio::test(start_paused = true)]
async fn at_full_speed_a_silent_reader_of_the_bars_is_awaited_once_for_the_stall_timeout() {
    assert_eq!(time_with_a_silent_reader(async {}).await, Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn a_standstill_of_the_process_does_not_count_as_a_silence_of_a_reader() {
    let standstill = async {
        sleep(Duration::from_secs(4)).await;
        advance(Duration::from_mins(1)).await;
    };

    assert_eq!(time_with_a_silent_reader(standstill).await, Duration::from_secs(64 + 10));
}

#[tokio::test(start_paused = true)]
async fn a_live_feed_is_stalled_when_nothing_comes_and_runs_again_with_the_next_event() {
    let bus = bus(FeedKind::Stdin);
    let (sender, feed) = sent(FeedKind::Stdin, Speed::Factor(1.0));
    let pump = pump(feed, Arc::clone(&bus), CancellationToken::new());
    let input = async {
        sender.send(Ok(vec![trade(0)])).await.unwrap();
        sleep(Duration::from_secs(100)).await;
        sender.send(Ok(vec![trade(1)])).await.unwrap();
        drop(sender);
    };

    tokio::join!(pump, input);

    assert_eq!(entries(&bus), ["running", "1", "stalled", "running", "1", "ended"]);
}

#[tokio::test(start_paused = true)]
async fn a_replay_whose_file_gives_nothing_is_stalled_and_one_that_waits_for_its_schedule_is_not() {
    let bus = bus(FeedKind::Replay);
    let (sender, feed) = sent(FeedKind::Replay, Speed::Factor(1.0));
    let pump = pump(feed, Arc::clone(&bus), CancellationToken::new());
    let input = async {
        sender.send(Ok(vec![trade(0), trade(100)])).await.unwrap();
        sleep(Duration::from_secs(200)).await;
        sender.send(Ok(vec![trade(101)])).await.unwrap();
        drop(sender);
    };

    tokio::join!(pump, input);

    assert_eq!(entries(&bus), ["running", "1", "1", "stalled", "running", "1", "ended"]);
}

#[tokio::test]
async fn a_feed_that_fails_is_marked_with_the_reason_and_keeps_the_events_before() {
    let bus = bus(FeedKind::Stdin);
    let (sender, feed) = sent(FeedKind::Stdin, Speed::Max);
    sender.send(Ok(vec![trade(0)])).await.unwrap();
    let source = io::Error::other("the disk is gone");
    sender.send(Err(FeedError::Stdin { source })).await.unwrap();

    pump(feed, Arc::clone(&bus), CancellationToken::new()).await;

    assert_eq!(entries(&bus), ["running", "1", "cannot read standard input: the disk is gone"]);
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_waits_for_a_client_publishes_nothing_before_one_listens() {
    let bus = bus(FeedKind::Replay);
    let (sender, feed) = sent(FeedKind::Replay, Speed::Max);
    let feed = Feed { waits_for_client: true, ..feed };
    sender.send(Ok(vec![trade(0)])).await.unwrap();
    drop(sender);
    let mut pump = Box::pin(pump(feed, Arc::clone(&bus), CancellationToken::new()));

    let waited = timeout(Duration::from_hours(1), &mut pump).await;
    let before = entries(&bus);
    bus.note_subscriber();
    pump.await;

    assert!(waited.is_err());
    assert!(before.is_empty(), "{before:?}");
    assert_eq!(entries(&bus), ["running", "1", "ended"]);
}
