//! Real files, read by a replay and compared with an independent reading of them.
//!
//! The files belong to their owners and are no part of this project. They are looked for in `../shared/data/history`
//! beside the checkout, or where `TICKERPLANT_HISTORY` says; where they are not, these tests say so and pass.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

use rust_decimal::Decimal;
use serde_json::Value;
use tickerplant::feed::{self, Speed};
use tickerplant::market::{Data, Event, FeedKind, Price, Size};
use tokio_stream::StreamExt;

/// The files that can be read without being told anything about them.
const TOLD_BY_THEMSELVES: [&str; 26] = [
    "yahoo/SPY-20200901-20210113.csv",
    "yahoo/SPY-2013-old-layout.csv",
    "yahoo/^KS11.csv",
    "stooq/aapl_us_d.csv",
    "alphavantage/intraday_5min_IBM.csv",
    "alphavantage/daily_IBM.csv",
    "tardis/bitmex_trades_XBTUSD.csv",
    "tardis/huobi-dm-swap_quotes_BTC-USD.csv",
    "tardis/binance-futures_book_snapshot_5_BTCUSDT.csv",
    "databento/glbx-mdp3-20240701.trades.pretty.csv",
    "databento/glbx-mdp3-20240701.ohlcv-1m.pretty.csv",
    "databento/glbx-mdp3-20240701.mbp-1.raw.csv",
    "dukascopy/eurusd-d1-bid-2017-01-01-2020-01-01.csv",
    "firstrate/AAPL_1min_sample.csv",
    "kaggle/individual_stocks_5yr/AAPL_data.csv",
    "tradingview/BINANCE_BTCUSDT, 60.csv",
    "pandas/EURUSD.csv",
    "quandl/WIKI-ORCL-2000-quandl.csv",
    "fxcm/gbpusd-m1-bid-2012.csv",
    "fxcm/gbpusd-m1-ask-2012.csv",
    "nautilus/6EH4.XCME_1min_bars.csv",
    "made/alpaca/bars.csv",
    "made/alpaca/quotes.csv",
    "made/binance/BTCUSDT-um-trades-2024-12-31.csv",
    "made/stooq/data/daily/us/nasdaq stocks/1/aapl.us.txt",
    "made/finam/SBER_210301_210301.csv",
];

/// The files whose symbol has to be given.
const SYMBOL_GIVEN: [(&str, &str); 2] =
    [("backtrader/2006-min-005.txt", "FESX"), ("backtrader/ticksample.csv", "TICK")];

/// What a reading of a file comes to, with numbers in their shortest form.
#[derive(Debug, PartialEq)]
struct Reading {
    events: u64,
    symbols: BTreeMap<String, u64>,
    price_sum: String,
    size_sum: String,
    first: BTreeMap<String, String>,
    last: BTreeMap<String, String>,
}

#[tokio::test]
async fn real_files_read_as_an_independent_reading_says() {
    let Some(folder) = history() else { return };
    let expected: Value = serde_json::from_slice(&fs::read(folder.join("expected.json")).unwrap()).unwrap();
    let told = TOLD_BY_THEMSELVES.map(|name| (name, None));
    let given = SYMBOL_GIVEN.map(|(name, symbol)| (name, Some(symbol.to_owned())));
    let mut wrong = Vec::new();

    for (name, symbol) in told.into_iter().chain(given) {
        match replayed(&folder.join(name), symbol).await {
            Ok(events) if reading(&events) == expectation(&expected[name]) => {}
            Ok(events) => wrong.push(format!(
                "{name}:\n  read     {:?}\n  expected {:?}",
                reading(&events),
                expectation(&expected[name])
            )),
            Err(error) => wrong.push(format!("{name}: {error}")),
        }
    }

    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

pub fn history() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/history");
    let folder = env::var_os("TICKERPLANT_HISTORY").map_or(beside, PathBuf::from);
    if folder.join("expected.json").is_file() {
        return Some(folder);
    }
    println!("skipped: no market data in {}", folder.display());
    None
}

async fn replayed(path: &Path, symbol: Option<String>) -> Result<Vec<Event>, feed::FeedError> {
    let replay = feed::replay::Config {
        files: vec![path.to_owned()],
        speed: Speed::Max,
        symbol,
        ..feed::replay::Config::default()
    };
    let mut feed = feed::open(&feed::Config { kind: FeedKind::Replay, replay, ..feed::Config::default() })?;
    let mut events = Vec::new();
    while let Some(batch) = feed.next().await {
        events.extend(batch?);
    }
    Ok(events)
}

fn reading(events: &[Event]) -> Reading {
    let mut symbols = BTreeMap::new();
    let (mut price_sum, mut size_sum) = (Decimal::ZERO, Decimal::ZERO);
    for event in events {
        *symbols.entry(event.symbol.to_string()).or_default() += 1;
        let (prices, sizes) = match &event.data {
            Data::Trade(trade) => (vec![Some(trade.price)], vec![trade.size]),
            Data::Quote(quote) => (vec![quote.bid, quote.ask], vec![quote.bid_size, quote.ask_size]),
            Data::Bar(bar) => (vec![Some(bar.close)], vec![bar.volume]),
        };
        price_sum += prices.into_iter().flatten().map(|price| price.0).sum::<Decimal>();
        size_sum += sizes.into_iter().flatten().map(|size| size.0).sum::<Decimal>();
    }
    Reading {
        events: events.len() as u64,
        symbols,
        price_sum: price_sum.normalize().to_string(),
        size_sum: size_sum.normalize().to_string(),
        first: events.first().map(fields).unwrap_or_default(),
        last: events.last().map(fields).unwrap_or_default(),
    }
}

fn fields(event: &Event) -> BTreeMap<String, String> {
    let price = |price: Option<Price>| price.map(|price| price.0);
    let size = |size: Option<Size>| size.map(|size| size.0);
    let numbers = match &event.data {
        Data::Trade(trade) => vec![("price", Some(trade.price.0)), ("size", size(trade.size))],
        Data::Quote(quote) => vec![
            ("bid", price(quote.bid)),
            ("ask", price(quote.ask)),
            ("bid_size", size(quote.bid_size)),
            ("ask_size", size(quote.ask_size)),
        ],
        Data::Bar(bar) => vec![
            ("open", price(bar.open)),
            ("high", price(bar.high)),
            ("low", price(bar.low)),
            ("close", Some(bar.close.0)),
            ("volume", size(bar.volume)),
        ],
    };
    let numbers = numbers
        .into_iter()
        .filter_map(|(name, number)| Some((name.to_owned(), number?.normalize().to_string())));
    let whole = [
        ("symbol".to_owned(), event.symbol.to_string()),
        ("nanos".to_owned(), event.time.as_nanos().to_string()),
    ];
    whole.into_iter().chain(numbers).collect()
}

fn expectation(file: &Value) -> Reading {
    let counts = file["symbol_counts"].as_object().unwrap();
    Reading {
        events: file["quotes"].as_u64().unwrap(),
        symbols: counts.iter().map(|(name, count)| (name.clone(), count.as_u64().unwrap())).collect(),
        price_sum: file["price_sum"].as_str().unwrap().to_owned(),
        size_sum: file["size_sum"].as_str().unwrap().to_owned(),
        first: expected_fields(&file["first"]),
        last: expected_fields(&file["last"]),
    }
}

fn expected_fields(event: &Value) -> BTreeMap<String, String> {
    let all = event.as_object().unwrap().iter();
    let known = all.filter_map(|(name, value)| match name.as_str() {
        "ts_utc" | "ts_zone" | "ts_zone_ns" => None,
        "ts_utc_ns" => Some(("nanos".to_owned(), value.to_string())),
        _ => Some((name.clone(), value.as_str()?.to_owned())),
    });
    known.collect()
}
