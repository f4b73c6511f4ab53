//! Tests in which a client subscribes at every point of a fixed sequence of steps.

use std::time::Duration;

use tickerplant::encoding::Encoding;
use tickerplant::hub::Settings;
use tickerplant::market::KindSet;
use tickerplant::wire::{Cursor, Delivery, Symbols};

use crate::support::client_model::Pace;
use crate::support::resuming_client::ResumingClient;
use crate::support::shard_harness::{ShardHarness, Step, a_bus, cursor, symbols};

/// Returns the fixed sequence of steps. In this sequence, the shard reads one or several events at a time.
/// The client's socket accepts all bytes, some bytes or none. The sequence also has feed states, seeks and
/// messages of other clients.
fn steps() -> Vec<Step> {
    let publish = |choices: &[u8]| Step::Publish(choices.to_vec());
    vec![
        publish(&[0, 1]),
        Step::Read(usize::MAX, false),
        publish(&[3]),
        publish(&[4, 0]),
        Step::SetFeedState,
        Step::Read(150, false),
        Step::Write(70),
        publish(&[7]),
        Step::Read(usize::MAX, false),
        Step::Block,
        publish(&[0, 3, 6]),
        Step::Read(usize::MAX, false),
        Step::Write(usize::MAX),
        Step::Relay(20),
        publish(&[9]),
        // These seeks have data or none. Some seeks happen while events are conflated.
        Step::Seek(vec![3, 0, 10]),
        Step::Write(usize::MAX),
        publish(&[6]),
        Step::Read(usize::MAX, false),
        Step::Seek(vec![]),
        Step::Read(100, false),
        // A short history evicts some of these events before the shard reads them. So the shard lags.
        publish(&[1]),
        publish(&[4, 10, 3]),
        publish(&[8]),
        Step::Read(90, true),
        Step::Write(30),
        publish(&[2, 0]),
        Step::Read(0, false),
        Step::Seek(vec![5]),
        Step::Seek(vec![4]),
        Step::Read(usize::MAX, false),
        Step::Write(usize::MAX),
        publish(&[1]),
    ]
}

const DELIVERIES: [(Delivery, Duration); 3] = [
    (Delivery::Latest, Duration::ZERO),
    (Delivery::Latest, Duration::from_secs(7)),
    (Delivery::Every, Duration::ZERO),
];

/// Returns the cursors with which the tests subscribe: no cursor, a cursor of another epoch, and a cursor at
/// each sequence number from 0 to `head + 1`. The sequence number of the newest event is `head`, so the last
/// cursor is one event ahead of the newest event.
fn cursors(head: u64) -> impl Iterator<Item = Option<Cursor>> {
    let other = Cursor { epoch: "other".to_owned(), seq: 1 };
    [None, Some(other)].into_iter().chain((0..=head + 1).map(|seq| Some(cursor(seq))))
}

/// A plan for one client: when and how the client subscribes.
#[derive(Clone, Debug)]
struct Plan {
    /// The client subscribes before the step with this number.
    at: usize,
    after: Option<Cursor>,
    encoding: Encoding,
    delivery: (Delivery, Duration),
    symbols: Symbols,
    /// Whether the client reads all pending bytes after each step. If this is true, no step limits or blocks
    /// the client's socket.
    keeps_up: bool,
}

/// Runs the fixed sequence of steps twice, with clients that follow the given plans. Only the client that
/// subscribed last performs the steps that are actions of a client. In the first run, the shard writes
/// snapshots and missed events one at a time. In the second run, the shard writes all snapshots and missed
/// events at once.
fn run(history: usize, plans: &[Plan]) {
    for catch_up_bytes in [1, Settings::CATCH_UP_BYTES] {
        run_catching_up_by(catch_up_bytes, history, plans);
    }
}

fn pace(keeps_up: bool) -> Pace {
    if keeps_up { Pace::OfTheFeed } else { Pace::ItsOwn }
}

fn run_catching_up_by(catch_up_bytes: usize, history: usize, plans: &[Plan]) {
    let mut shard = ShardHarness::catching_up_by(catch_up_bytes, a_bus(history, 1 << 30), 1 << 20);
    let mut idle = shard.connect(Encoding::WebSocket, Delivery::Latest, Duration::ZERO);
    let mut clients: Vec<(ResumingClient, bool)> = Vec::new();
    let fail = |error| panic!("{plans:?} with a history of {history}, by {catch_up_bytes}: {error}");
    for (number, step) in steps().into_iter().map(Some).chain([None]).enumerate() {
        for plan in plans.iter().filter(|plan| plan.at == number) {
            let subscription = (plan.symbols.clone(), KindSet::ALL);
            let after = plan.after.clone();
            let mut client =
                ResumingClient::begin(&mut shard, plan.encoding, plan.delivery, subscription, after);
            client.client.model.pace = pace(plan.keeps_up && plan.delivery.1.is_zero());
            clients.push((client, plan.keeps_up));
        }
        match (step, clients.last_mut()) {
            (Some(Step::Read(_, is_near)), Some((_, true))) => {
                shard.step(&mut idle, Step::Read(usize::MAX, is_near));
            }
            (None, _) | (Some(Step::Write(_) | Step::Block), Some((_, true)) | None) => {}
            (Some(step), Some((last, _))) => shard.step(&mut last.client, step),
            (Some(step), None) => shard.step(&mut idle, step),
        }
        for (client, keeps_up) in &mut clients {
            if *keeps_up {
                shard.drain(client.client.id);
            }
            if client.follow(&mut shard).unwrap_or_else(fail) {
                client.client.model.pace = pace(*keeps_up && client.is_immediate());
            }
        }
    }
    for (client, _) in clients {
        client
            .finish(&mut shard)
            .unwrap_or_else(|error| panic!("{plans:?} with {history}, by {catch_up_bytes}: {error}"));
    }
}

fn head_at(at: usize) -> u64 {
    let published = steps().into_iter().take(at).map(|step| match step {
        Step::Publish(choices) => choices.len() as u64,
        _ => 0,
    });
    published.sum()
}

#[test]
fn a_subscribe_at_any_point_from_any_cursor_joins_exactly() {
    for at in 0..=steps().len() {
        for (number, after) in cursors(head_at(at)).enumerate() {
            // Alternates the encoding, so that half of the cases use each encoding.
            let encoding = Encoding::ALL[(at + number) % 2];
            for delivery in DELIVERIES {
                for symbols in [symbols(0, true), symbols(1, false)] {
                    for (keeps_up, history) in [(true, 1000), (false, 1000), (true, 4), (false, 4)] {
                        let (after, symbols) = (after.clone(), symbols.clone());
                        run(history, &[Plan { at, after, encoding, delivery, symbols, keeps_up }]);
                    }
                }
            }
        }
    }
}

#[test]
fn two_clients_at_any_two_points_join_exactly_and_do_not_disturb_each_other() {
    for first in 0..=steps().len() {
        for second in first..=steps().len() {
            // In half of the cases, the two clients have different encodings.
            let encodings = [Encoding::WebSocket, Encoding::ALL[(first + second) % 2]];
            for after in [None, Some(cursor(0)), Some(cursor(head_at(second)))] {
                for (one, other) in [(0, 2), (2, 0), (1, 2), (2, 2)] {
                    let named = Plan {
                        at: first,
                        after: None,
                        encoding: encodings[0],
                        delivery: DELIVERIES[one],
                        symbols: symbols(3, false),
                        keeps_up: true,
                    };
                    let all = Plan {
                        at: second,
                        after: after.clone(),
                        encoding: encodings[1],
                        delivery: DELIVERIES[other],
                        symbols: symbols(0, true),
                        keeps_up: false,
                    };
                    run(8, &[named, all]);
                }
            }
        }
    }
}
