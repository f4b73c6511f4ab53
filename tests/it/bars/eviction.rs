//! Eviction by `bars.bytes`.

use tickerplant::bars::{BarInterval, Config};
use tickerplant::market::{Event, Payload, Time, Trade};

use super::Folding;

const SECOND: i64 = 1_000_000_000;

/// Returns a trade of each of `symbols` symbols in each of `seconds` seconds.
fn trades(symbols: usize, seconds: std::ops::Range<i64>) -> impl Iterator<Item = Event> {
    seconds.flat_map(move |second| {
        (0..symbols).map(move |symbol| Event {
            symbol: format!("S{symbol}").parse().unwrap(),
            time: Time::from_nanos(second * SECOND),
            payload: Payload::Trade(Trade { price: "1.25".parse().unwrap(), size: None }),
        })
    })
}

#[test]
fn the_bars_never_exceed_their_bytes_and_seconds_go_first() {
    const BYTES: usize = 512 * 1024;
    let mut folding = Folding::start(Config { bytes: BYTES, ..Config::default() });

    for second in 0..1200 {
        folding.publish(trades(20, second..second + 1));

        let figures = folding.fold.figures();
        assert!(figures.bytes <= BYTES, "{} bytes after second {second}", figures.bytes);
    }

    let evicted = folding.fold.figures().evicted;
    assert!(evicted.bytes > 0);
    assert_eq!((evicted.seconds, evicted.minutes), (0, 0), "the limit of bytes came first");
    for symbol in 0..20 {
        let bars = |interval| folding.bars(&format!("S{symbol}"), interval);
        let seconds = bars(BarInterval::Second);
        assert_eq!(bars(BarInterval::Minute).len(), 20, "every minute stays");
        assert_eq!(seconds.last().unwrap().start, Time::from_nanos(1199 * SECOND));
        let gaps = seconds.windows(2).filter(|pair| pair[1].start.since(pair[0].start).as_secs() > 1);
        assert_eq!(gaps.count(), 0, "only the oldest seconds went");
    }
}

#[test]
fn minutes_go_when_no_seconds_are_left() {
    const BYTES: usize = 100 * 1024;
    let mut folding = Folding::start(Config { bytes: BYTES, ..Config::default() });

    for minute in 0..1000 {
        folding.publish(trades(10, minute * 60..minute * 60 + 1));
        assert!(folding.fold.figures().bytes <= BYTES);
    }

    for symbol in 0..10 {
        let minutes = folding.bars(&format!("S{symbol}"), BarInterval::Minute);
        assert!((50..1000).contains(&minutes.len()), "{}", minutes.len());
        assert_eq!(minutes.last().unwrap().start, Time::from_nanos(999 * 60 * SECOND));
    }
}

#[test]
fn the_newest_bars_stay_even_if_they_exceed_the_bytes() {
    let mut folding = Folding::start(Config { bytes: 1, ..Config::default() });

    folding.publish(trades(100, 0..300));

    for symbol in 0..100 {
        let bars = |interval| folding.bars(&format!("S{symbol}"), interval);
        for interval in [BarInterval::Second, BarInterval::Minute] {
            let newest = bars(interval).pop().expect("the newest bar stays");
            assert_eq!(newest.start, interval.start_of(Time::from_nanos(299 * SECOND)));
        }
    }
}

#[test]
fn the_limits_of_a_symbol_are_counted() {
    let mut folding = Folding::start(Config { seconds: 100, minutes: 3, ..Config::default() });

    folding.publish(trades(1, 0..300));

    let evicted = folding.fold.figures().evicted;
    assert_eq!((evicted.seconds, evicted.minutes, evicted.bytes), (200, 2, 0));
}

#[test]
fn an_idle_symbol_takes_less_than_half_a_kibibyte() {
    let mut folding = Folding::start(Config::default());

    folding.publish(trades(1000, 0..1));

    let bytes = folding.fold.figures().bytes;
    assert!(bytes < 512 * 1000, "{bytes} bytes for 1,000 symbols with one trade each");
}
