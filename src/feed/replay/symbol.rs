//! The symbol that a file's name tells.

use std::path::Path;

use crate::market::Symbol;

/// Words of file names that say what a file holds or where it is from, and not of what it is.
const OTHER_WORDS: &str = "adj adjusted agg aggs aggtrades ascii ask bar bars bid candles candlestick csv daily \
    dat data download historical historicaldata history hourly intraday klines min minute monthly nt ohlcv price \
    prices quotes sample stock tick ticks trades um utf8 weekly wiki";

/// Reads the symbol off a file's name; `None` where no word of it can be one.
///
/// The name without its extension is cut into words at `_`, `,`, blanks and hyphens. The first word is the symbol
/// that is no interval (`5min`, `d1`), no number, and none of the words that say something else (`daily`,
/// `trades`); with the hyphens and the words that follow, where those are of this kind too: `BTC-USD`. Where all
/// words are out, it is a number of four to six digits that is no year: `005930`. Small letters become capitals.
/// So `intraday_5min_IBM.csv` is `IBM`, and `eurusd-d1-bid-2017-01-01.csv` is `EURUSD`.
///
/// Two sources have a name of their own: `TradingView`'s `EXCHANGE_SYMBOL, INTERVAL`, and Stooq's
/// `symbol_market_d`, which is `SYMBOL.MARKET`.
pub fn from_path(path: &Path) -> Option<Symbol> {
    let name = path.file_stem()?.to_str()?;
    if let Some((listing, _interval)) = name.split_once(", ") {
        let symbol = listing.split_once('_').map_or(listing, |(_exchange, symbol)| symbol);
        return Symbol::from_name(symbol).ok();
    }
    let parts: Vec<&str> = name.split(['_', ',', ' ']).collect();
    if let [symbol, market, "d" | "w" | "m"] = parts[..]
        && market.len() == 2
        && market.bytes().all(|byte| byte.is_ascii_lowercase())
    {
        return Symbol::from_name(&format!("{symbol}.{market}").to_uppercase()).ok();
    }
    let named = parts.iter().find_map(|part| {
        let words = part.split('-').skip_while(|word| !is_name(word));
        let words: Vec<&str> = words.take_while(|word| is_name(word)).collect();
        (!words.is_empty()).then(|| words.join("-"))
    });
    let number = || name.split(['_', '-', ',', ' ']).find(|word| is_number_of_a_symbol(word));
    let symbol = named.or_else(|| number().map(str::to_owned))?;
    let is_small = !symbol.contains(char::is_uppercase);
    Symbol::from_name(&if is_small { symbol.to_uppercase() } else { symbol }).ok()
}

fn is_name(word: &str) -> bool {
    !is_number(word) && !is_interval(word) && !is_other_word(word)
}

/// No word at all is a number too.
fn is_number(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// Korean and Japanese symbols are numbers.
fn is_number_of_a_symbol(word: &str) -> bool {
    let is_year = word.len() == 4 && (word.starts_with("19") || word.starts_with("20"));
    (4..=6).contains(&word.len()) && !is_year && word.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_other_word(word: &str) -> bool {
    OTHER_WORDS.split_ascii_whitespace().any(|other| word.eq_ignore_ascii_case(other))
}

/// A number with a unit on either side: `1min`, `5m`, `h1`, `d1`.
fn is_interval(word: &str) -> bool {
    const UNITS: [&str; 13] =
        ["s", "sec", "second", "m", "min", "minute", "h", "hour", "d", "day", "w", "week", "mn"];
    let word = word.to_ascii_lowercase();
    let unit = word.trim_matches(|c: char| c.is_ascii_digit());
    unit.len() < word.len() && UNITS.contains(&unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_tells_the_symbol() {
        for (name, symbol) in [
            ("SPY.csv", "SPY"),
            ("^KS11.csv", "^KS11"),
            ("SPY-20200901-20210113.csv", "SPY"),
            ("SPY-2013-old-layout.csv", "SPY"),
            ("SPY ETF Stock Price History.csv", "SPY"),
            ("WIKI-ORCL-2000-quandl.csv", "ORCL"),
            ("aapl_us_d.csv", "AAPL.US"),
            ("BTC-USD.csv", "BTC-USD"),
            ("brk-b_1h.csv", "BRK-B"),
            ("daily_IBM.csv", "IBM"),
            ("intraday_5min_IBM.csv", "IBM"),
            ("eurusd-d1-bid-2017-01-01-2020-01-01.csv", "EURUSD"),
            ("DAT_ASCII_EURUSD_M1_201202.csv", "EURUSD"),
            ("6EH4.XCME_1min_bars.csv", "6EH4.XCME"),
            ("BINANCE_BTCUSDT, 60.csv", "BTCUSDT"),
            ("bitstampUSD.csv", "bitstampUSD"),
            ("US30m_H1_202401012300_202509082200.csv", "US30m"),
            ("data_005930_utf8.csv", "005930"),
            ("BTCUSDT-um-trades-2024-12-31.csv", "BTCUSDT"),
        ] {
            let found = from_path(Path::new(name)).map(|symbol| symbol.to_string());
            assert_eq!(found.as_deref(), Some(symbol), "{name}");
        }
    }

    #[test]
    fn a_name_that_only_says_what_a_file_holds_tells_no_symbol() {
        for name in ["HistoricalData.csv", "trades.csv", "bars-1m.csv", "ticks.csv", "2006-min-005.txt"] {
            assert_eq!(from_path(Path::new(name)), None, "{name}");
        }
    }
}
