//! Tests that use a log directly, without a bus.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::market::{Payload, Trade};

fn trade(symbol: &str) -> Event {
    let payload = Payload::Trade(Trade { price: "1".parse().unwrap(), size: None });
    Event { symbol: symbol.parse().unwrap(), time: Time::default(), payload }
}

fn log(history_bytes: usize) -> Log {
    let config = Config { history_bytes: history_bytes.try_into().unwrap(), ..Config::default() };
    Log::new(&config, "test".into())
}

fn seek(log: &mut Log, symbols: usize) {
    let mut last_values = LastValueCache::at(log.head());
    for symbol in 0..symbols {
        last_values.fold_unpublished(&trade(&format!("S{symbol}")));
    }
    log.seek(last_values, Time::default(), FeedState::Paused, Instant::now());
}

#[test]
fn a_seek_cuts_the_history_for_cursors_but_not_for_readers() {
    let mut log = log(1 << 20);
    log.append(vec![trade("A"), trade("A")], Instant::now());
    seek(&mut log, 1);
    assert!(
        (0..=2).all(|seq| log.after("test", seq).is_err()),
        "a cursor at the head of the seek is cut off too"
    );
    log.append(vec![trade("A")], Instant::now());

    assert!(log.after("test", 2).is_err());
    assert!(matches!(log.after("test", 3), Ok(None)));
    let entries: Vec<u64> = (0..log.end())
        .map(|position| match log.read(position) {
            Ok(Some(segment)) => segment.last(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(entries, [2, 2, 3]);
}

#[test]
fn the_cache_of_a_seek_counts_as_history() {
    let mut log = log(100_000);
    log.append(vec![trade("A")], Instant::now());
    for _ in 0..100 {
        seek(&mut log, 100);
    }

    let bytes: usize = log.segments.iter().map(|entry| entry.segment.bytes()).sum();
    assert!(log.segments.len() < 10 && bytes <= 100_000, "{bytes} bytes in {}", log.segments.len());
    let checkpoint = Checkpoint::from(log.checkpoint());
    assert_eq!(checkpoint.last_values.iter().count(), 100);
    assert_eq!(checkpoint.seek, log.seek);
}

/// A log whose history is limited to one event, and the expected last values at each of the log's positions.
struct Folded {
    log: Log,
    folds: Vec<LastValueCache>,
}

impl Folded {
    fn new(history_bytes: usize) -> Self {
        let config =
            Config { history: 1.try_into().unwrap(), history_bytes: history_bytes.try_into().unwrap() };
        Self { log: Log::new(&config, "test".into()), folds: vec![LastValueCache::default()] }
    }

    fn newest(&self) -> LastValueCache {
        self.folds.last().unwrap().clone()
    }

    fn append(&mut self, symbols: &[u8]) {
        let events: Vec<Event> = symbols.iter().map(|symbol| trade(&format!("S{symbol}"))).collect();
        let mut fold = self.newest();
        for event in &events {
            fold.fold(fold.seq() + 1, event);
        }
        self.log.append(events, Instant::now());
        self.folds.push(fold);
    }

    fn set_feed_state(&mut self) {
        self.log.set_feed_state(FeedState::Running, Instant::now());
        self.folds.push(self.newest());
    }

    fn seek(&mut self, symbols: usize) {
        seek(&mut self.log, symbols);
        let Some(Entry { segment, .. }) = self.log.segments.back() else { unreachable!() };
        let Segment::Seek { last_values, .. } = &**segment else { unreachable!() };
        self.folds.push(LastValueCache::clone(last_values));
    }

    /// Asserts that a checkpoint has the last values that are expected at the checkpoint's position.
    fn check(&self, shared: SharedCheckpoint) {
        let checkpoint = Checkpoint::from(shared);
        let fold = &self.folds[usize::try_from(checkpoint.position).unwrap()];
        assert_eq!(checkpoint.last_values.seq(), fold.seq());
        assert!(checkpoint.last_values.iter().eq(fold.iter()), "{checkpoint:?}\n{fold:?}");
    }
}

#[test]
fn eviction_goes_on_without_a_copy_while_a_reader_copies_the_base() {
    let mut folded = Folded::new(1 << 20);
    (0..10).for_each(|symbol| folded.append(&[symbol]));
    let shared = folded.log.checkpoint();
    assert_eq!(shared.position, 9);

    (5..15).for_each(|symbol| folded.append(&[symbol]));

    assert_eq!(folded.log.segments.len(), 1);
    assert!(Arc::ptr_eq(&shared.base, &folded.log.base));
    folded.check(folded.log.checkpoint());
    folded.check(shared);
    folded.append(&[0]);
    assert!(folded.log.unfolded.is_empty());
    folded.check(folded.log.checkpoint());
}

#[test]
fn events_that_wait_for_a_reader_that_copies_the_base_are_bounded() {
    let mut folded = Folded::new(10_000);
    folded.append(&[0]);
    let shared = folded.log.checkpoint();

    for symbol in 0..=255 {
        folded.append(&[symbol]);
        let waiting: usize = folded.log.unfolded.iter().map(|segment| segment.bytes()).sum();
        assert_eq!(waiting, folded.log.unfolded_bytes);
        assert!(waiting <= 10_000, "{waiting} bytes wait");
    }

    folded.check(folded.log.checkpoint());
    folded.check(shared);
}

#[derive(Clone, Debug)]
enum Step {
    Append(Vec<u8>),
    SetFeedState,
    Seek(usize),
    /// A step in which a reader gets a shared checkpoint, but does not copy the checkpoint's cache yet.
    Share,
    /// A step in which a reader copies the cache of one of the shared checkpoints.
    Copy(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => vec(0_u8..8, 1..4).prop_map(Step::Append),
        1 => Just(Step::SetFeedState),
        1 => (0_usize..4).prop_map(Step::Seek),
        2 => Just(Step::Share),
        2 => any::<usize>().prop_map(Step::Copy),
    ]
}

proptest! {
    #[test]
    fn every_checkpoint_is_the_fold_of_all_events_before_it_however_long_readers_take(
        history_bytes in prop_oneof![100_usize..2000, Just(1 << 20)],
        steps in vec(step(), 1..100),
    ) {
        let mut folded = Folded::new(history_bytes);
        let mut shared = Vec::new();
        for step in steps {
            match step {
                Step::Append(symbols) => folded.append(&symbols),
                Step::SetFeedState => folded.set_feed_state(),
                Step::Seek(symbols) => folded.seek(symbols),
                Step::Share => shared.push(folded.log.checkpoint()),
                Step::Copy(choice) if !shared.is_empty() => {
                    folded.check(shared.swap_remove(choice % shared.len()));
                }
                Step::Copy(_) => {}
            }
            let bytes: usize = folded.log.segments.iter().map(|entry| entry.segment.bytes()).sum();
            prop_assert_eq!(bytes, folded.log.bytes);
            let evicted = folded.folds[usize::try_from(folded.log.first_position).unwrap()].seq();
            prop_assert!(folded.log.oldest() > evicted);
            folded.check(folded.log.checkpoint());
        }
        for checkpoint in shared {
            folded.check(checkpoint);
        }
    }
}
