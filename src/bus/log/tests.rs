//! The log by itself.

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
    Log::new(&config)
}

fn seek(log: &mut Log, symbols: usize) {
    let mut last_values = LastValueCache::at(log.head());
    for symbol in 0..symbols {
        last_values.absorb(&trade(&format!("S{symbol}")));
    }
    log.seek(last_values, Time::default(), FeedState::Paused, Instant::now());
}

#[test]
fn a_seek_takes_the_past_from_cursors_and_leaves_it_to_readers() {
    let mut log = log(1 << 20);
    log.append(vec![trade("A"), trade("A")], Instant::now());
    seek(&mut log, 1);
    assert!((0..=2).all(|seq| log.after(seq).is_err()), "its own head is of another past too");
    log.append(vec![trade("A")], Instant::now());

    assert!(log.after(2).is_err());
    assert!(matches!(log.after(3), Ok(None)));
    let entries: Vec<u64> = (0..log.end())
        .map(|position| match log.read(position) {
            Ok(Some(segment)) => segment.last(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(entries, [2, 2, 3]);
}

#[test]
fn what_a_seek_folds_counts_as_history() {
    let mut log = log(100_000);
    log.append(vec![trade("A")], Instant::now());
    for _ in 0..100 {
        seek(&mut log, 100);
    }

    let held: usize = log.segments.iter().map(|entry| entry.segment.bytes()).sum();
    assert!(log.segments.len() < 10 && held <= 100_000, "{held} bytes in {}", log.segments.len());
    let start = Checkpoint::from(log.checkpoint());
    assert_eq!(start.last_values.iter().count(), 100);
    assert_eq!(start.seek, log.seek);
}

/// A log that holds as little as it can, and the fold of all events before each of its positions.
struct Folded {
    log: Log,
    folds: Vec<LastValueCache>,
}

impl Folded {
    fn new(history_bytes: usize) -> Self {
        let config =
            Config { history: 1.try_into().unwrap(), history_bytes: history_bytes.try_into().unwrap() };
        Self { log: Log::new(&config), folds: vec![LastValueCache::default()] }
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

    /// Checks what a reader gets from a checkpoint.
    fn check(&self, checkpoint: SharedCheckpoint) {
        let start = Checkpoint::from(checkpoint);
        let fold = &self.folds[usize::try_from(start.position).unwrap()];
        assert_eq!(start.last_values.seq(), fold.seq());
        assert!(start.last_values.iter().eq(fold.iter()), "{start:?}\n{fold:?}");
    }
}

#[test]
fn eviction_waits_for_no_reader_that_copies_the_base_and_copies_nothing_itself() {
    let mut folded = Folded::new(1 << 20);
    (0..10).for_each(|symbol| folded.append(&[symbol]));
    let held = folded.log.checkpoint();
    assert_eq!(held.position, 9);

    (5..15).for_each(|symbol| folded.append(&[symbol]));

    assert_eq!(folded.log.segments.len(), 1);
    assert!(Arc::ptr_eq(&held.base, &folded.log.base));
    folded.check(folded.log.checkpoint());
    folded.check(held);
    folded.append(&[0]);
    assert!(folded.log.unfolded.is_empty());
    folded.check(folded.log.checkpoint());
}

#[test]
fn what_waits_for_a_reader_that_copies_the_base_is_bounded() {
    let mut folded = Folded::new(10_000);
    folded.append(&[0]);
    let held = folded.log.checkpoint();

    for symbol in 0..=255 {
        folded.append(&[symbol]);
        let waiting: usize = folded.log.unfolded.iter().map(|segment| segment.bytes()).sum();
        assert_eq!(waiting, folded.log.unfolded_bytes);
        assert!(waiting <= 10_000, "{waiting} bytes wait");
    }

    folded.check(folded.log.checkpoint());
    folded.check(held);
}

#[derive(Clone, Debug)]
enum Step {
    Append(Vec<u8>),
    Mark,
    Seek(usize),
    /// A reader takes a checkpoint and is slow to copy it.
    Hold,
    /// One of those copies it.
    Copy(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => vec(0_u8..8, 1..4).prop_map(Step::Append),
        1 => Just(Step::Mark),
        1 => (0_usize..4).prop_map(Step::Seek),
        2 => Just(Step::Hold),
        2 => any::<usize>().prop_map(Step::Copy),
    ]
}

proptest! {
    #[test]
    fn every_checkpoint_is_the_fold_of_all_before_it_however_long_readers_take(
        history_bytes in prop_oneof![100_usize..2000, Just(1 << 20)],
        steps in vec(step(), 1..100),
    ) {
        let mut folded = Folded::new(history_bytes);
        let mut held = Vec::new();
        for step in steps {
            match step {
                Step::Append(symbols) => folded.append(&symbols),
                Step::Mark => folded.set_feed_state(),
                Step::Seek(symbols) => folded.seek(symbols),
                Step::Hold => held.push(folded.log.checkpoint()),
                Step::Copy(choice) if !held.is_empty() => folded.check(held.swap_remove(choice % held.len())),
                Step::Copy(_) => {}
            }
            let bytes: usize = folded.log.segments.iter().map(|entry| entry.segment.bytes()).sum();
            prop_assert_eq!(bytes, folded.log.bytes);
            let evicted = folded.folds[usize::try_from(folded.log.first_position).unwrap()].seq();
            prop_assert!(folded.log.oldest() > evicted);
            folded.check(folded.log.checkpoint());
        }
        for checkpoint in held {
            folded.check(checkpoint);
        }
    }
}
