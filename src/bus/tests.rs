use std::thread;

use futures_util::FutureExt;
use tokio::time::advance;

use super::*;
use crate::market::{Payload, Trade};

const SECOND: Duration = Duration::from_secs(1);

fn bus(history: usize) -> Arc<Bus> {
    let config = Config { history: history.try_into().unwrap(), ..Config::default() };
    Bus::new(&config, FeedKind::Replay, "test".to_owned())
}

fn trades(count: usize) -> Vec<Event> {
    let payload = Payload::Trade(Trade { price: "1".parse().unwrap(), size: None });
    vec![Event { symbol: "A".parse().unwrap(), time: Time::default(), payload }; count]
}

#[test]
fn a_feed_does_not_wait_for_a_passive_reader() {
    let bus = bus(100);
    let _passive = bus.reader("recorder");

    bus.publish(trades(1));

    assert!(bus.caught_up().now_or_never().is_some());
}

#[test]
fn a_feed_waits_for_an_awaited_reader_until_it_is_done_or_dropped() {
    let bus = bus(100);
    let ((slow, _), (dropped, _)) = (bus.awaited_reader("slow"), bus.awaited_reader("dropped"));
    bus.publish(trades(2));
    assert!(bus.caught_up().now_or_never().is_none());

    slow.done(2);
    assert!(bus.caught_up().now_or_never().is_none());
    drop(dropped);

    assert!(bus.caught_up().now_or_never().is_some());
}

#[test]
fn a_feed_gives_up_a_briefly_awaited_reader_until_the_reader_reports_again() {
    let bus = bus(100);
    let ((silent, _), (at_work, _)) =
        (bus.briefly_awaited_reader("silent"), bus.briefly_awaited_reader("at work"));
    let shard = bus.awaited_reader("shard");
    bus.publish(trades(2));
    at_work.done(1);

    assert_eq!(bus.give_up_silent_readers(), ["silent"]);
    assert_eq!(bus.give_up_silent_readers(), ["at work"], "it has not reported since the last call");
    assert_eq!(bus.give_up_silent_readers(), Vec::<String>::new());
    assert!(bus.caught_up().now_or_never().is_none(), "the shard is still awaited");
    drop(shard);
    assert!(bus.caught_up().now_or_never().is_some());

    silent.done(1);
    assert!(bus.caught_up().now_or_never().is_none());
}

#[test]
fn two_threads_that_publish_at_once_never_move_the_end_back() {
    for _ in 0..200 {
        let bus = bus(100);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| (0..20).for_each(|_| bus.set_feed_state(FeedState::Running)));
            }
        });
        assert_eq!(*bus.end.borrow(), 40);
    }
}

#[tokio::test(start_paused = true)]
async fn the_lag_of_a_reader_is_the_age_of_its_next_entry() {
    let bus = bus(100);
    let (mut quick, _) = bus.reader("quick");
    let (mut slow, _) = bus.reader("slow");
    advance(10 * SECOND).await;
    bus.publish(trades(1));
    advance(SECOND).await;
    bus.publish(trades(1));
    assert!(bus.lagging(SECOND).is_none());

    advance(SECOND).await;
    while quick.try_next().is_some() {}
    assert_eq!(bus.lagging(SECOND), Some(Lagging { name: "slow".to_owned(), lag: 2 * SECOND }));
    slow.try_next();
    assert!(bus.lagging(SECOND).is_none());
    drop(slow);

    advance(10 * SECOND).await;
    assert!(bus.lagging(Duration::ZERO).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_the_log_has_passed_lags() {
    let bus = bus(1);
    let _stuck = bus.reader("stuck");
    for _ in 0..10 {
        bus.publish(trades(1));
    }

    assert_eq!(bus.lagging(SECOND), Some(Lagging { name: "stuck".to_owned(), lag: Duration::MAX }));
}
