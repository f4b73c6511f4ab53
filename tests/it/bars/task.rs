//! The task that folds the log into the bars.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tickerplant::bars::{BarInterval, Bars, Config, Figures};
use tickerplant::bus::{self, Bus};
use tickerplant::feed;
use tickerplant::market::{FeedKind, Symbol};
use tokio::select;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::trade;

fn bus(history: usize) -> Arc<Bus> {
    let config = bus::Config { history: history.try_into().unwrap(), ..bus::Config::default() };
    Bus::new(&config, FeedKind::Replay, "test".to_owned())
}

fn a() -> Symbol {
    "A".parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_feed_at_full_speed_waits_for_the_fold() {
    let bus = bus(65_536);
    bus.set_flow_controlled(true);
    let (bars, task) = Bars::new(&Config::default(), &bus);
    bus.publish(vec![trade("14:30:00", "1", "")]);
    assert!(bus.caught_up().now_or_never().is_none(), "the fold has yet to read");

    select! {
        () = task.run() => {}
        caught_up = timeout(Duration::from_secs(10), bus.caught_up()) => caught_up.unwrap(),
    }

    assert_eq!(bars.newest(&a(), BarInterval::Minute, 10).unwrap().len(), 1);
    assert!(bus.caught_up().now_or_never().is_some(), "a fold that has ended is not awaited");
}

#[tokio::test(start_paused = true)]
async fn a_fold_that_the_history_has_passed_goes_on_at_the_checkpoint_and_counts() {
    let bus = bus(1);
    let (bars, task) = Bars::new(&Config::default(), &bus);
    for (time, price) in [("14:30:00", "1"), ("14:30:01", "2"), ("14:30:02", "3")] {
        bus.publish(vec![trade(time, price, "")]);
    }

    select! {
        () = task.run() => {}
        () = bars.caught_up(bus.end()) => {}
    }

    assert_eq!((bars.figures().lags, bars.figures().missed), (1, 1));
    let minutes = bars.newest(&a(), BarInterval::Minute, 10).unwrap();
    // Only the newest trade before the checkpoint is known.
    assert_eq!(minutes.iter().map(super::text).collect::<Vec<_>>(), ["14:30:00 2 3 2 3 partial"]);
}

#[tokio::test(start_paused = true)]
async fn a_replay_at_full_speed_goes_on_without_a_fold_that_stands_still_and_the_fold_counts_what_it_missed()
{
    let rows: Vec<_> = (0..9_000).map(|row| format!("2024-01-03T14:30:00.{row:04}Z,A,1\n")).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trades.csv");
    std::fs::write(&path, format!("time,symbol,price\n{}", rows.concat())).unwrap();
    let feed = format!("kind = \"replay\"\nreplay.files = [{path:?}]\nclock.speed = \"max\"");
    let feed = feed::open(&toml::from_str(&feed).unwrap()).unwrap();
    let bus = bus(100);
    let (bars, task) = Bars::new(&Config::default(), &bus);

    feed::pump(feed, Arc::clone(&bus), CancellationToken::new()).await;

    assert_eq!(bus.head(), 9_000);
    select! {
        () = task.run() => {}
        () = bars.caught_up(bus.end()) => {}
    }
    assert_eq!(bars.newest(&a(), BarInterval::Minute, 10).unwrap().len(), 1);
    let Figures { lags, missed, .. } = bars.figures();
    assert_eq!(lags, 1);
    // The history has 100 events, and at most a batch more.
    assert!(missed > 7_000, "{missed}");
}

#[tokio::test(start_paused = true)]
async fn the_newest_bars_are_answered_up_to_a_limit() {
    let bus = bus(65_536);
    let (bars, task) = Bars::new(&Config::default(), &bus);
    bus.publish((10..30).map(|second| trade(&format!("14:30:{second}"), "1", "")).collect());

    select! {
        () = task.run() => {}
        () = bars.caught_up(bus.end()) => {}
    }

    let starts = |limit| {
        let bars = bars.newest(&a(), BarInterval::Second, limit).unwrap();
        bars.iter().map(|bar| bar.start.to_string()[17..19].to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(starts(2), ["28", "29"]);
    assert_eq!(starts(5000).len(), 20);
    assert_eq!(bars.newest(&"B".parse().unwrap(), BarInterval::Second, 2), None);
}
