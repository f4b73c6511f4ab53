//! The rules by which events become bars.

use tickerplant::bars::Config;

use super::{Folding, at, bar, trade};
use crate::support::events::quote;

#[test]
fn trades_become_seconds_minutes_and_longer_bars() {
    let mut folding = Folding::start(Config::default());

    folding.publish([
        trade("14:30:00", "10", "5"),
        trade("14:30:00.9", "12.5", "0.1"),
        trade("14:30:59", "9", "1"),
        trade("14:34:00", "11", "2"),
        trade("14:35:00", "11.25", "3"),
    ]);

    assert_eq!(
        folding.texts("A", "1s"),
        [
            "14:30:00 10 12.5 10 12.5 x5.1",
            "14:30:59 9 9 9 9 x1",
            "14:34:00 11 11 11 11 x2",
            "14:35:00 11.25 11.25 11.25 11.25 x3 partial"
        ]
    );
    assert_eq!(
        folding.texts("A", "1m"),
        [
            "14:30:00 10 12.5 9 9 x6.1",
            "14:34:00 11 11 11 11 x2",
            "14:35:00 11.25 11.25 11.25 11.25 x3 partial"
        ]
    );
    assert_eq!(
        folding.texts("A", "5m"),
        ["14:30:00 10 12.5 9 11 x8.1", "14:35:00 11.25 11.25 11.25 11.25 x3 partial"]
    );
    for (interval, start) in [("15m", "14:30:00"), ("1h", "14:00:00"), ("1d", "00:00:00")] {
        assert_eq!(folding.texts("A", interval), [format!("{start} 10 12.5 9 11.25 x11.1 partial")]);
    }
}

#[test]
fn the_market_time_of_the_whole_feed_completes_a_bar() {
    let mut folding = Folding::start(Config::default());
    folding.publish([trade("14:29:30", "1", "")]);
    assert_eq!(folding.texts("A", "1m"), ["14:29:00 1 1 1 1 partial"]);

    // This quote has the time 14:30:00.
    folding.publish([quote("B", "1", "2")]);

    assert_eq!(folding.texts("A", "1m"), ["14:29:00 1 1 1 1"]);
    assert_eq!(folding.texts("B", "1m"), Vec::<String>::new());
}

#[test]
fn a_late_trade_changes_neither_open_nor_close_of_its_bar() {
    let mut folding = Folding::start(Config::default());
    folding.publish([trade("14:30:10", "5", "1"), trade("14:31:00", "6", "1")]);

    folding.publish([trade("14:30:50", "9", "1"), trade("14:30:05", "2", "1"), trade("14:29:00", "4", "1")]);

    assert_eq!(
        folding.texts("A", "1m"),
        ["14:29:00 4 4 4 4 x1", "14:30:00 5 9 2 5 x3", "14:31:00 6 6 6 6 x1 partial"]
    );
}

#[test]
fn a_late_trade_that_makes_a_minute_can_change_open_and_close_of_a_longer_bar() {
    let mut folding = Folding::start(Config::default());
    folding.publish([trade("14:32:00", "5", "1"), trade("14:35:00", "6", "1")]);

    folding.publish([trade("14:34:00", "7", "1"), trade("14:30:00", "3", "1"), trade("14:34:30", "9", "1")]);

    assert_eq!(
        folding.texts("A", "1m"),
        ["14:30:00 3 3 3 3 x1", "14:32:00 5 5 5 5 x1", "14:34:00 7 9 7 7 x2", "14:35:00 6 6 6 6 x1 partial"]
    );
    assert_eq!(folding.texts("A", "5m"), ["14:30:00 3 9 3 7 x4", "14:35:00 6 6 6 6 x1 partial"]);
}

#[test]
fn a_late_trade_of_an_evicted_bar_is_ignored() {
    let mut folding = Folding::start(Config { minutes: 2, ..Config::default() });
    folding.publish([trade("14:30:00", "1", ""), trade("14:32:00", "2", ""), trade("14:33:00", "3", "")]);

    folding.publish([trade("14:30:30", "9", ""), trade("14:29:00", "9", "")]);

    assert_eq!(folding.texts("A", "1m"), ["14:32:00 2 2 2 2", "14:33:00 3 3 3 3 partial"]);
    // The minute 14:30 is evicted, so the bar of 14:30 to 14:35 would be incomplete.
    assert_eq!(folding.texts("A", "5m"), Vec::<String>::new());
}

#[test]
fn a_seek_back_drops_the_bars_from_its_target_on() {
    let mut folding = Folding::start(Config::default());
    let trades = ["14:29:00", "14:30:10", "14:30:20.2", "14:30:20.7", "14:31:00", "14:32:00"];
    folding.publish(trades.map(|time| trade(time, "1", "1")));

    folding.seek(at("14:30:20.5"));

    // The trade at 14:30:20.2 is dropped together with its second.
    assert_eq!(folding.texts("A", "1s"), ["14:29:00 1 1 1 1 x1", "14:30:10 1 1 1 1 x1"]);
    assert_eq!(folding.texts("A", "1m"), ["14:29:00 1 1 1 1 x1", "14:30:00 1 1 1 1 x1 partial"]);
    folding.publish([trade("14:30:20.7", "2", "1"), trade("14:31:00", "3", "1")]);
    assert_eq!(
        folding.texts("A", "1m"),
        ["14:29:00 1 1 1 1 x1", "14:30:00 1 2 1 2 x2", "14:31:00 3 3 3 3 x1 partial"]
    );
}

#[test]
fn a_seek_to_long_evicted_bars_builds_them_anew() {
    let mut folding = Folding::start(Config { seconds: 2, minutes: 2, ..Config::default() });
    folding.publish((10..40).map(|minute| trade(&format!("14:{minute}:00"), "1", "")));

    folding.seek(at("14:11:30"));
    folding.publish([trade("14:11:30", "7", ""), trade("14:12:00", "8", "")]);

    assert_eq!(folding.texts("A", "1m"), ["14:11:00 7 7 7 7", "14:12:00 8 8 8 8 partial"]);
}

#[test]
fn a_seek_forward_keeps_the_bars_before_it() {
    let mut folding = Folding::start(Config { seconds: 1, ..Config::default() });
    folding.publish([trade("14:30:10", "1", "1"), trade("14:30:20", "2", "1")]);

    folding.seek(at("14:30:40"));
    assert_eq!(folding.texts("A", "1m"), ["14:30:00 1 2 1 2 x2 partial"]);

    folding.seek(at("15:00:00"));
    assert_eq!(folding.texts("A", "1m"), ["14:30:00 1 2 1 2 x2"]);
}

#[test]
fn bars_of_the_feed_are_taken_as_they_are() {
    let mut folding = Folding::start(Config::default());

    folding.publish([
        bar("14:30:00", "1m", ["1", "4", "0.5", "2"], "10"),
        bar("14:31:00", "60s", ["2", "3", "1", "3"], "20"),
        bar("14:30:00", "1h", ["7", "7", "7", "7"], "7"),
        bar("14:30:00", "2m", ["8", "8", "8", "8"], "8"),
    ]);

    assert_eq!(folding.texts("A", "1m"), ["14:30:00 1 4 0.5 2 x10", "14:31:00 2 3 1 3 x20"]);
    assert_eq!(folding.texts("A", "5m"), ["14:30:00 1 4 0.5 3 x30 partial"]);
    assert_eq!(folding.texts("A", "1h"), ["14:30:00 7 7 7 7 x7"], "the bar of the feed, not the derived bar");
    assert_eq!(folding.texts("A", "1s"), Vec::<String>::new());
    folding.publish([bar("14:31:00", "1m", ["2", "9", "1", "9"], "25")]);
    assert_eq!(folding.texts("A", "1m"), ["14:30:00 1 4 0.5 2 x10", "14:31:00 2 9 1 9 x25"]);
    assert_eq!(folding.texts("A", "5m"), ["14:30:00 1 9 0.5 9 x35 partial"]);
}

#[test]
fn an_earlier_bar_of_the_feed_is_inserted_unless_bars_of_its_time_are_evicted() {
    let mut folding = Folding::start(Config { minutes: 2, ..Config::default() });
    let minute = |time, price| bar(time, "1m", [price; 4], "1");
    folding.publish([minute("14:30:00", "1"), minute("14:33:00", "3"), minute("14:31:00", "2")]);
    assert_eq!(folding.texts("A", "1m"), ["14:31:00 2 2 2 2 x1", "14:33:00 3 3 3 3 x1"]);

    folding.publish([minute("14:30:00", "9"), minute("14:29:00", "9")]);

    assert_eq!(folding.texts("A", "1m"), ["14:31:00 2 2 2 2 x1", "14:33:00 3 3 3 3 x1"]);
}

#[test]
fn a_bar_of_the_feed_has_precedence_over_trades() {
    let mut folding = Folding::start(Config::default());

    folding.publish([
        trade("14:30:10", "1", "1"),
        bar("14:30:00", "1m", ["5", "5", "5", "5"], "5"),
        trade("14:30:20", "2", "1"),
        trade("14:31:00", "3", "1"),
    ]);

    assert_eq!(folding.texts("A", "1m"), ["14:30:00 5 5 5 5 x5", "14:31:00 3 3 3 3 x1 partial"]);
}

#[test]
fn bars_without_an_interval_have_their_smallest_distance() {
    let mut folding = Folding::start(Config::default());
    let unlabelled = |time| bar(time, "", ["1", "1", "1", "1"], "1");
    folding.publish([unlabelled("14:30:00"), unlabelled("14:33:00")]);
    assert_eq!(folding.texts("A", "1m"), Vec::<String>::new());

    folding.publish([unlabelled("14:34:00")]);

    assert_eq!(
        folding.texts("A", "1m"),
        ["14:30:00", "14:33:00", "14:34:00"].map(|t| format!("{t} 1 1 1 1 x1"))
    );
    assert_eq!(folding.texts("A", "5m"), ["14:30:00 1 1 1 1 x3"], "its last minute is complete");
}

#[test]
fn minutes_are_derived_from_seconds_where_the_feed_has_only_these() {
    let mut folding = Folding::start(Config::default());

    folding.publish([
        bar("14:30:58", "1s", ["1", "4", "1", "2"], "1"),
        bar("14:30:59", "1s", ["2", "3", "2", "3"], "1"),
    ]);

    assert_eq!(folding.texts("A", "1m"), ["14:30:00 1 4 1 3 x2"]);
}
