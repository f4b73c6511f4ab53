//! What holds for the events of every profile, whatever the seed and the settings.

use std::collections::HashMap;

use proptest::prelude::*;
use rust_decimal::Decimal;

use super::*;
use crate::market::{Payload, Symbol, Time};

fn of(name: &str, events: &[Event]) -> Vec<Event> {
    events.iter().filter(|event| event.symbol.as_str() == name).cloned().collect()
}

/// Checks the events of a market. Without odd lots, sizes must be whole lots.
fn check(config: &Config, events: &[Event]) {
    let lot = Decimal::from(config.lot.get());
    let mut books: HashMap<&Symbol, (Decimal, Decimal)> = HashMap::new();
    let is_whole = |size: Decimal| size > Decimal::ZERO && (size % lot).is_zero();
    for pair in events.windows(2) {
        assert!(pair[0].time <= pair[1].time, "{pair:?}");
    }
    for event in events {
        match &event.payload {
            Payload::Quote(quote) => {
                let [bid, ask] = [quote.bid, quote.ask].map(|price| price.unwrap().0);
                let sizes = [quote.bid_size, quote.ask_size].map(|size| size.unwrap().0);
                assert!(Decimal::ZERO < bid && bid < ask, "{event:?}");
                assert!(matches!(bid.scale(), 2 | 4) && bid.scale() == ask.scale(), "{event:?}");
                assert!(sizes.into_iter().all(is_whole), "{event:?}");
                books.insert(&event.symbol, (bid, ask));
            }
            Payload::Trade(trade) => {
                let (bid, ask) = books[&event.symbol];
                let (price, size) = (trade.price.0, trade.size.unwrap().0);
                if matches!(config.profile, Profile::Realistic | Profile::Gbm) {
                    assert!(price == bid || price == ask, "{event:?} {bid} {ask}");
                }
                assert!(price > Decimal::ZERO, "{event:?}");
                assert!(size > Decimal::ZERO && (config.odd_lots > 0.0 || is_whole(size)), "{event:?}");
            }
            Payload::Bar(_) | Payload::Status(_) => unreachable!("a simulation has trades and quotes"),
        }
    }
}

/// Returns any profile, with any trading hours that the profile can have.
fn any_market() -> impl Strategy<Value = (Profile, Hours)> {
    const HOURS: [&str; 4] =
        ["24h", "09:30-16:00 America/New_York", "23:30-23:59 UTC", "18:00-23:59 America/New_York"];
    prop_oneof![
        prop::sample::select(&HOURS[..]).prop_map(|hours| (Profile::Realistic, hours.parse().unwrap())),
        prop::sample::select(vec![Profile::Gbm, Profile::Flat, Profile::Saw, Profile::Step])
            .prop_map(|profile| (profile, Hours::AllDay)),
    ]
}

/// Returns any settings. With low rates, 500 events take days.
pub fn any_config() -> impl Strategy<Value = Config> {
    let rate = prop::option::of(prop_oneof![0.001..0.01_f64, 0.01..5.0_f64]);
    let instrument = (0.02..2_000.0, 0.0..3.0_f64, rate);
    let values = (any::<u32>(), 20_u32..5000, 1_u32..200, prop_oneof![Just(0.0), Just(0.3), Just(1.0)]);
    let start = 0..10 * 86_400_000_000_000_i64;
    (any_market(), values, start, prop::collection::vec(instrument, 1..4)).prop_map(|market| {
        let ((profile, session), (seed, rate, lot, odd_lots), start, instruments) = market;
        let instrument = |(index, (price, volatility, rate))| Instrument {
            price: Some(price),
            annual_volatility: Some(volatility),
            rate,
            ..Instrument::named(format!("S{index}").parse().unwrap())
        };
        Config {
            profile,
            session,
            seed: Some(seed.into()),
            start: Some(Time::from_nanos(1_704_067_200_000_000_000 + start)),
            rate: rate.try_into().unwrap(),
            lot: lot.try_into().unwrap(),
            odd_lots,
            symbols: instruments.into_iter().enumerate().map(instrument).collect(),
            ..Config::default()
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn prices_are_on_the_grid_and_times_do_not_fall(config in any_config()) {
        check(&config, &events(&config, 500));
    }
}

#[test]
fn a_month_at_three_hundred_percent_stays_on_the_grid() {
    let config = config(
        "symbols = [{ name = \"A\", annual_volatility = 3, rate = 0.001 }, \
         { name = \"PENNY\", price = 0.02, annual_volatility = 10, rate = 0.001 }]",
    );

    check(&config, &events(&config, 5000));
}

#[test]
fn a_symbols_events_do_not_depend_on_the_others_if_it_has_its_own_rate() {
    let alone = config("symbols = [{ name = \"AAPL\", rate = 2 }]");
    let others = "{ name = \"MSFT\", rate = 30 }, \"SPY\", { name = \"NEW\", sector = \"a\" }";
    for profile in [Profile::Realistic, Profile::Gbm, Profile::Step] {
        let among = config(&format!("rate = 200\nsymbols = [{others}, {{ name = \"AAPL\", rate = 2 }}]"));
        let [alone, among] = [alone.clone(), among].map(|config| Config { profile, ..config });

        let own = of("AAPL", &events(&among, 40_000));

        assert!(own.len() > 200);
        assert_eq!(own, events(&alone, own.len()), "{profile:?}");
    }
}

#[test]
fn a_symbols_path_does_not_depend_on_its_rate_nor_on_the_others() {
    let paths = |text: &str, symbol: usize| {
        let mut simulation = Simulation::new(&config(text)).unwrap();
        (0..500).map(|_| simulation.measure_minute().changes[symbol].to_bits()).collect::<Vec<_>>()
    };

    let alone = paths("rate = 1\nsymbols = [\"AAPL\"]", 0);

    assert_eq!(alone, paths("rate = 9\nsymbols = [\"XOM\", { name = \"AAPL\", rate = 3 }, \"MSFT\"]", 1));
}

#[test]
fn evenly_spaced_times_are_exact_and_every_symbol_has_a_quote_before_any_comes_again() {
    let config = config("profile = \"gbm\"\nrate = 3\nsymbols = [\"A\", \"B\", \"C\"]");

    let events = events(&config, 7);

    let times: Vec<_> = events.iter().map(|event| event.time.to_string()).collect();
    assert_eq!(times[1], "2024-01-03T14:30:00.333333333Z");
    assert_eq!([&times[3], &times[6]], ["2024-01-03T14:30:01Z", "2024-01-03T14:30:02Z"]);
    let first: Vec<_> = events[..3].iter().map(|event| event.symbol.as_str()).collect();
    assert_eq!(first, ["A", "B", "C"]);
    assert!(events[..3].iter().all(|event| matches!(event.payload, Payload::Quote(_))));
}

#[test]
fn a_step_price_says_which_event_it_is_of() {
    let events = events(&config("profile = \"step\"\nrate = 10\nsymbols = [\"A\"]"), 100);

    for (event, number) in events.iter().zip(1..) {
        let price = match &event.payload {
            Payload::Trade(trade) => trade.price,
            Payload::Quote(quote) => quote.bid.unwrap(),
            Payload::Bar(_) | Payload::Status(_) => unreachable!("a simulation has trades and quotes"),
        };
        assert_eq!(price.0, Decimal::new(number, 2));
    }
}

#[test]
fn every_symbol_of_a_realistic_market_has_a_quote_at_the_start() {
    let config = config("symbols = 500\nrate = 1");

    let events = events(&config, 500);

    assert!(events.iter().all(|event| Some(event.time) == config.start));
    assert!(events.iter().all(|event| matches!(event.payload, Payload::Quote(_))));
}

#[test]
fn settings_that_cannot_be_used_are_errors_by_name() {
    let message = |text: &str| Simulation::new(&config(text)).unwrap_err().to_string();

    assert_eq!(message("symbols = []"), "feed.simulated.symbols: there is none");
    assert_eq!(message("symbols = [\"A\", \"B\", \"A\"]"), "feed.simulated.symbols: `A` is there twice");
    assert!(message("symbols = [{ name = \"A\", price = 0.0 }]").contains("`A` has the price `0`"));
    assert!(
        message("symbols = [{ name = \"A\", annual_volatility = nan }]")
            .contains("`A` has the annual volatility `NaN`; it is from 0 to 10")
    );
    assert!(message("symbols = [{ name = \"A\", rate = 200 }, \"B\"]").contains("add up to 200, and"));
    assert!(
        message("profile = \"gbm\"\nsession = \"09:30-16:00 UTC\"").starts_with("feed.simulated.session: ")
    );
    let old = toml::from_str::<Config>("symbols = [{ name = \"A\", volatility = 0.0002 }]").unwrap_err();
    assert!(old.to_string().contains("annual_volatility is of a year"), "{old}");
}

#[test]
fn an_instrument_in_toml_is_a_name_or_a_table_and_comes_back() {
    let text = r#"
        symbols = ["AAPL", { name = "MSFT", price = 402.5, annual_volatility = 0.2, rate = 2.0, sector = "tech" }]
        start = "2024-01-03T14:30:00Z"
    "#;

    let config: Config = toml::from_str(text).unwrap();

    assert_eq!(config.symbols.list()[0], Instrument::named("AAPL".parse().unwrap()));
    assert_eq!(config.symbols.list()[1].price, Some(402.5));
    let again = toml::to_string(&config).unwrap();
    assert_eq!(toml::from_str::<Config>(&again).unwrap(), config, "{again}");
    let typo = toml::from_str::<Config>(r#"symbols = [{ name = "A", prize = 1 }]"#).unwrap_err();
    assert!(typo.to_string().contains("unknown field `prize`"), "{typo}");
}
