//! Finds the symbol and the day in the path of a file.

use super::time::{self, DateOrder};
use super::words::is_among_in_any_case;
use crate::market::Symbol;

/// Words in file names that describe the content of a file, and are usually not symbols.
const OTHER_WORDS: &str = "adj adjusted agg aggs aggtrades ask bar bars bid bookticker \
    candles candlestick copy csv currency daily dat data dataset download equity export fx historical \
    historicaldata historicalprices historicalquotes history hour hourly intraday klines kopie max message min minute monthly nt ohlcv orderbook price prices \
    quote quotes sample second stock stocks table test tick tickbidask ticks trade trades train um unnamed untitled utf8 weekly wiki 과거 데이터 us close result results output final new \
    sheet1 mappe1 feuil1 book1 my test1 file report query market log part sorted clean cleaned merged combined filtered raw processed \
    datos históricos historicos dados historische historiska historyczne daten kurse données donnees historiques dati storici dane \
    geçmiş verileri Прошлые прошлые Данные данные \
    ticker symbol isin wkn bq googlefinance spreadsheet classeur cotation cotations cours kurs kursdaten kursliste abruf cotizacion \
    cotización cotizaciones historico histórico historique historic chart charts backup mydownload ohlc book feuil mappe";

/// Words in file names that are exchanges, brokers or vendors. Such a word is the symbol only if no other word is.
const SOURCES: &str = "binance bitfinex bitmex bitstamp bybit coinbase deribit gateio gemini huobi kraken kucoin mexc okex okx upbit bithumb poloniex \
    nse bse mcx nfo nyse nasdaq amex arca lse xetra tsx asx hkex sehk tse jpx krx sgx sse szse cme cbot nymex comex ice cboe \
    lme idc euronext eurex moex bovespa bmv jse six omx twse \
    alpaca alphavantage barchart bloomberg dukascopy eodhd finam firstrate fxcm ibkr iex kibot marketwatch norgate oanda \
    pepperstone polygon refinitiv schwab stooq tiingo tradingview yahoo";

/// Currencies that may be the second half of a currency pair, as in `EUR_USD`.
const CURRENCIES: &str = "AUD BRL BTC CAD CHF CNY CZK DKK ETH EUR GBP HKD HUF IDR INR JPY KRW MXN NOK NZD PLN SEK SGD THB \
    TRY TWD USD USDC USDT ZAR";

/// Words in capitals that are no symbols beside another name: forms of companies, and zones.
const NO_NAMES: &str = "ETF INDEX INC CORP LTD PLC AG SE NV SA CO UTC GMT EST EDT ET CET CEST BST JST IST";

/// The characters between the words of a file name.
const SEPARATORS: [char; 4] = ['_', '-', ',', ' '];

/// A month in a file's name is the month of a contract if the rows begin at least this many days before it.
const BEFORE_CONTRACT_MONTH: i64 = 7;

/// A contract is traded for at most this many days before its month.
const LONGEST_CONTRACT: i64 = 3 * 366;

/// Extensions that are removed from a file name: file formats such as `csv`, and kinds of prices such as
/// `bid`.
const ENDINGS: [&str; 10] = ["csv", "txt", "tsv", "gz", "zip", "zst", "dat", "last", "bid", "ask"];

/// Returns the symbol in a file's name; `None` if no word of the name can be a symbol.
///
/// First, the extensions are removed from the file name. Then the rest of the name is split into words at
/// `_`, `,`, blanks and hyphens.
///
/// - The symbol is the first word that is neither an interval (`5min`, `d1`), nor a number, nor one of
///   [`OTHER_WORDS`] or [`SOURCES`].
/// - The symbol includes further words that are joined to the first word with hyphens (`BTC-USD`).
/// - The marks of a copy, such as `Copy of` and `(1)`, are left out.
/// - Words that begin with a capital, the number of an index and the month of a contract belong to the symbol if
///   blanks stand before them (`NIFTY BANK`, `NIFTY 50`, `ES 03-24`).
/// - An option ends with its right (`BTC-27JUN25-100000-C`).
/// - If the word after the symbol is a currency, the symbol includes this currency (`EUR_USD`).
/// - If the name has no word that can be a symbol, the symbol is the first number of four to six digits that
///   is not a year (`005930`), or else an exchange (`ICE_daily`).
/// - A symbol in lower case is converted to upper case.
///
/// For example, the file `intraday_5min_IBM.csv` has the symbol `IBM`, and the file
/// `eurusd-d1-bid-2017-01-01.csv` has the symbol `EURUSD`.
///
/// The file names of seven vendors follow other rules:
///
/// - Cboe names a file of a future `CFE_MONTH_ROOT`. The whole name is the symbol.
/// - `TradingView` names a file `EXCHANGE_SYMBOL, INTERVAL`, where the exchange may be `CME_MINI_DL`.
/// - `MarketWatch` names a file `Download Data - KIND_COUNTRY_EXCHANGE_SYMBOL`.
/// - `CoinAPI` names a file `IDDI-NUMBER+SC-EXCHANGE_KIND_SYMBOL+S-NAME`.
/// - `HistData` names a file `DAT_PROGRAM_SYMBOL_…`.
/// - Stooq names a file `symbol_market_d`. The symbol of such a file is `SYMBOL.MARKET`.
/// - LEAN appends the contract to the file name, and the symbol includes this contract. The file
///   `20131007_es_minute_trade_201312_20131220` has the symbol `ES_201312_20131220`.
pub fn symbol(path: &str) -> Option<Symbol> {
    let name = without_copy_mark(stem(path));
    let name = ["历史数据", "过去データ", "過去データ"]
        .iter()
        .fold(name, |name, end| name.trim_end_matches(end))
        .trim_end();
    if let Some((_, id)) = name.split_once("+SC-") {
        let id = id.split('+').next().unwrap_or(id);
        return Symbol::from_name(id.splitn(3, '_').nth(2).unwrap_or(id)).ok();
    }
    if let Some((listing, _interval)) = name.split_once(", ") {
        let symbol = listing.split_once('_').map_or(listing, |(_exchange, symbol)| symbol);
        let symbol = symbol.strip_prefix("MINI_").unwrap_or(symbol);
        let symbol = symbol.strip_prefix("DL_").or(symbol.strip_prefix("DLY_")).unwrap_or(symbol);
        return Symbol::from_name(symbol).ok();
    }
    // A short name in upper case is a symbol, even if it is in `OTHER_WORDS`: `AGG` is a fund.
    if (1..=5).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Symbol::from_name(name).ok();
    }
    let parts: Vec<&str> = name.split(['_', ',', ' ']).collect();
    if let ["CFE", _month, _root] = parts[..] {
        return Symbol::from_name(name).ok();
    }
    if let ["DAT", _program, symbol, ..] = parts[..] {
        return Symbol::from_name(symbol).ok();
    }
    if let ["Download", "Data", "-", _kind, _country, _exchange, symbol] = parts[..] {
        return Symbol::from_name(symbol).ok();
    }
    if let [symbol, market, "d" | "w" | "m"] = parts[..]
        && market.len() == 2
        && market.bytes().all(|byte| byte.is_ascii_lowercase())
    {
        return Symbol::from_name(&format!("{symbol}.{market}").to_uppercase()).ok();
    }
    let is_small = |word: &str| !word.contains(|c: char| c.is_uppercase() || c.is_ascii_digit());
    let is_ticker = |part: &&str| {
        let is_upper = part.bytes().all(|byte| byte.is_ascii_uppercase());
        (2..=5).contains(&part.len()) && is_upper && is_name(part) && !is_among_in_any_case(NO_NAMES, part)
    };
    let first_name = parts.iter().find(|part| part.split('-').any(is_name));
    let ticker =
        parts.iter().find(|part| is_ticker(part)).filter(|_| first_name.is_some_and(|first| is_small(first)));
    // In `kursdaten_MSFT`, the word in small letters is none of the symbol.
    let skipped = parts.iter().position(|part| Some(part) == ticker).unwrap_or(0);
    let named = parts.iter().zip(1..).skip(skipped).find_map(|(part, next)| {
        // Nasdaq Data Link and others name an instrument `NSE-TCS`.
        let is_prefix = |word: &str| part.starts_with(&format!("{word}-")) && is_listing(word);
        let words = part.split('-').skip_while(|word| !is_name(word) && !is_prefix(word));
        let is_option = part.ends_with("-C") || part.ends_with("-P");
        let words: Vec<&str> =
            words.take_while(|word| is_option || is_name(word) || is_prefix(word)).collect();
        let mut name = words.join("-");
        let behind = parts.get(next).copied().unwrap_or_default();
        let (word, rest) = behind.split_once('-').unwrap_or((behind, ""));
        if is_among_in_any_case(CURRENCIES, word) || is_contract(&name, word, rest) {
            name = format!("{name}_{word}");
        }
        // OKX names a file `BTC-USD-240329-1D`.
        let mut after = part.strip_prefix(&name).unwrap_or_default().split('-').skip(1);
        if let (Some(day), Some(length)) = (after.next(), after.next())
            && is_day_of_contract(day)
            && is_interval(length)
        {
            name = format!("{name}-{day}");
        }
        (!words.is_empty()).then_some(name)
    });
    let named = named.map(|symbol| [&[symbol.as_str()][..], &words_behind(name, &symbol)].concat().join("_"));
    let number = || number_of_a_symbol(name);
    let symbol = named.or_else(|| number().or_else(|| source(name)).map(str::to_owned))?;
    let symbol = [&[symbol.as_str()][..], contract(&parts)].concat().join("_");
    let is_small = !symbol.contains(char::is_uppercase);
    Symbol::from_name(&if is_small { symbol.to_uppercase() } else { symbol }).ok()
}

/// Returns whether a word behind the name of an instrument is its contract or its class of shares: `PERP`, `Z23`, a day in
/// front of the length of bars as in `240329-1h`, or `B`.
fn is_contract(name: &str, word: &str, rest: &str) -> bool {
    let is_small = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let is_upper = name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    let is_same_case = is_upper || is_small && !word.contains(char::is_uppercase);
    let word = &word.to_ascii_uppercase();
    let is_month = match word.as_bytes() {
        [month, year @ ..] => {
            b"FGHJKMNQUVXZ".contains(month)
                && (1..=2).contains(&year.len())
                && year.iter().all(u8::is_ascii_digit)
        }
        [] => false,
    };
    let is_length = rest.split('-').next().is_some_and(is_interval);
    let is_month = is_month && !is_interval(word) && name.len() <= 3;
    let is_class = ["A", "B", "C"].contains(&word.as_str());
    is_same_case && (word == "PERP" || is_month || is_class || is_day_of_contract(word) && is_length)
}

/// Returns whether a word is a day in six digits with the year first.
fn is_day_of_contract(word: &str) -> bool {
    word.len() == 6 && is_number(word) && time::date(format!("20{word}").as_bytes(), DateOrder::Ymd).is_some()
}

/// Returns whether a word in front of a hyphen is an exchange in capitals.
fn is_listing(word: &str) -> bool {
    is_among_in_any_case(SOURCES, word) && word.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// Returns the first word of a file name that is an exchange, a broker or a vendor.
fn source(name: &str) -> Option<&str> {
    name.split(SEPARATORS).find(|word| is_among_in_any_case(SOURCES, word))
}

/// Returns the exchange, the broker or the vendor in a file's name that is no part of its symbol.
pub fn source_beside<'a>(path: &'a str, symbol: &Symbol) -> Option<&'a str> {
    let name = stem(path);
    // TradingView always writes the exchange in front.
    let is_in_symbol =
        |source: &str| symbol.as_str().split('-').any(|word| word.eq_ignore_ascii_case(source));
    source(name).filter(|source| !name.contains(", ") && !is_in_symbol(source))
}

/// Returns whether a symbol is written like a usual word, such as `Dollar`, rather than like a ticker.
pub fn is_like_a_word(symbol: &Symbol) -> bool {
    let mut letters = symbol.as_str().chars();
    let is_capital = letters.next().is_some_and(char::is_uppercase);
    is_capital && letters.clone().count() >= 3 && letters.all(char::is_lowercase)
}

/// Returns the words that belong to a symbol, and stand behind it after blanks: words that begin with a capital, the
/// number of an index, and the month of a contract.
fn words_behind<'a>(name: &'a str, symbol: &str) -> Vec<&'a str> {
    let behind = name.split_once(symbol).map_or("", |(_, behind)| behind);
    let Some(behind) = behind.strip_prefix(' ') else { return Vec::new() };
    let is_word = |word: &str| {
        word.len() > 1
            && word.starts_with(|first: char| first.is_uppercase())
            && word.chars().all(char::is_alphabetic)
            && !is_among_in_any_case(NO_NAMES, word)
            && is_name(word)
    };
    let is_index_number = |word: &str| (2..=3).contains(&word.len()) && is_number(word);
    let words: Vec<&str> = behind.split(' ').map(without_days).collect();
    let is_part = |index: &usize| {
        let is_number = is_index_number(words[*index]);
        let is_length = words.get(index + 1).is_some_and(|unit| is_interval(&format!("1{unit}")));
        is_word(words[*index]) || is_contract_month(words[*index]) || is_number && !is_length
    };
    (0..words.len()).take_while(is_part).map(|index| words[index]).collect()
}

/// Returns a word without the days behind it, as in `50-01-01-2024-to-31-01-2024`.
fn without_days(word: &str) -> &str {
    let is_day = |text: &str| {
        let day = text.get(..10).map(str::as_bytes);
        day.is_some_and(|day| time::date(day, DateOrder::Ymd).or(time::date(day, DateOrder::Dmy)).is_some())
    };
    word.split_once('-').filter(|(_, behind)| is_day(behind)).map_or(word, |(word, _)| word)
}

/// Returns whether a word is the month of a contract: `03-24`, as `NinjaTrader` writes it, or `MAR24`.
fn is_contract_month(word: &str) -> bool {
    let is_two_digits = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_month = |text: &str| is_two_digits(text) && ("01"..="12").contains(&text);
    match (word.split_once('-'), word.split_at_checked(3)) {
        (Some((month, year)), _) => is_month(month) && is_two_digits(year),
        (None, Some((month, year))) => {
            let is_upper = month.bytes().all(|byte| byte.is_ascii_uppercase());
            is_upper && time::month(month.as_bytes()).is_some() && is_two_digits(year)
        }
        (None, None) => false,
    }
}

/// Returns the last words of a LEAN file name, if they describe a contract. The words for a future are a
/// month and an expiry. The words for an option are a right (`call` or `put`), a strike and an expiry.
/// <https://github.com/QuantConnect/Lean/blob/master/Common/Util/LeanData.cs>
fn contract<'a>(parts: &'a [&'a str]) -> &'a [&'a str] {
    let is_day = |word: &str| word.len() == 8 && is_number(word);
    match parts {
        [.., "american" | "european", "call" | "put", _, expiry] if is_day(expiry) => {
            &parts[parts.len() - 3..]
        }
        [.., "trade" | "quote", month, expiry] if month.len() == 6 && is_day(expiry) => {
            &parts[parts.len() - 2..]
        }
        _ => &[],
    }
}

/// Returns the month of a contract in a file's name, such as `202403`. `first` is the time of the first row, in
/// nanoseconds since 1970: if the rows are of the month in the name, the month is no contract's.
pub fn month_of_contract(path: &str, first: i64) -> Option<&str> {
    let mut months = stem(path).split(SEPARATORS).filter(|word| word.len() == 6 && is_number(word));
    let (month, None) = (months.next()?, months.next()) else { return None };
    let begin = time::date(format!("{month}01").as_bytes(), DateOrder::Ymd)?;
    let days = begin.checked_sub(first)?.div_euclid(86_400 * 1_000_000_000);
    (BEFORE_CONTRACT_MONTH..=LONGEST_CONTRACT).contains(&days).then_some(month)
}

/// Returns the numbers in a file's name that are no dates and no years. They may tell two instruments apart, or
/// the parts of one file.
pub fn numbers(path: &str) -> Vec<&str> {
    let is_year = |word: &str| word.len() == 4 && (word.starts_with("19") || word.starts_with("20"));
    let mut is_date = false;
    let numbers = without_copy_mark(stem(path)).split(SEPARATORS).filter(|word| {
        // The numbers behind a year are a month and a day.
        is_date = is_year(word) || is_date && word.len() <= 2;
        !is_date && !word.is_empty() && is_number(word) && (word.len() <= 3 || word.len() == 6)
    });
    numbers.collect()
}

/// Returns the symbol in the name of a `MetaTrader` 4 file. In the name, the length of a bar in minutes
/// follows the symbol directly, as in `EURUSD1440`. The name of an index may end with a number, too: `JP225` in
/// a file of hours is no `JP22`. `minutes` is the shortest time between two bars, if it is known.
/// <https://docs.mql4.com/constants/chartconstants/enum_timeframes>
pub fn symbol_with_period(path: &str, minutes: Option<i64>) -> Option<Symbol> {
    const PERIODS: [&str; 9] = ["43200", "10080", "1440", "240", "60", "30", "15", "5", "1"];
    let name = stem(path);
    let is_length = |period: &str| minutes.is_none_or(|minutes| period.parse() == Ok(bar_length(minutes)));
    let periods = PERIODS.iter().filter(|period| is_length(period));
    let symbol = periods.filter_map(|period| name.strip_suffix(period)).find(|symbol| !symbol.is_empty());
    // A number at the end of several words is not a period in minutes, e.g. `EURUSD_M1_2021`.
    let symbol = symbol.filter(|symbol| !symbol.contains(['_', '-', ',', ' ']));
    symbol.map_or_else(|| self::symbol(path), |symbol| Symbol::from_name(symbol).ok())
}

/// Returns the length of a bar in minutes, by the shortest time between two bars. A month counts 43,200 minutes.
fn bar_length(minutes: i64) -> i64 {
    if minutes >= 28 * 1440 { 43_200 } else { minutes }
}

/// Returns what is left of a file name without the words that may differ between files of one symbol: dates,
/// periods, marks of a copy, and [`OTHER_WORDS`].
pub fn distinct_words(path: &str) -> Vec<String> {
    // Bids and asks of one instrument are two sequences of prices.
    let side = path.rsplit(['/', '_', '-', '.', ' ']).find(|word| is_among_in_any_case("bid ask", word));
    let name = without_copy_mark(stem(path)).to_lowercase();
    let is_strike = |word: &str| word.len() == 4 && is_number_of_a_symbol(word);
    let words = name.split(['_', '-', ',', ' ', '+', '.']);
    let is_distinct = |word: &str| is_name(word) && !is_period(word) || is_among_in_any_case(SOURCES, word);
    let words = words.filter(|word| is_distinct(word) || is_strike(word));
    words.chain(side).map(str::to_lowercase).collect()
}

/// Returns whether a folder of a path names the kind of instrument, as the trading engine LEAN does.
/// <https://www.quantconnect.com/docs/v2/lean-cli/datasets/format-and-storage>
pub fn has_lean_kind(path: &str) -> bool {
    const KINDS: [&str; 10] = [
        "equity",
        "option",
        "indexoption",
        "futureoption",
        "crypto",
        "cryptofuture",
        "forex",
        "cfd",
        "future",
        "index",
    ];
    path.rsplit('/').skip(1).any(|folder| KINDS.contains(&folder))
}

/// Returns whether a path is one of the trading engine LEAN, which counts times of day in milliseconds.
pub fn is_of_lean(path: &str) -> bool {
    path.rsplit('/').skip(1).any(|folder| ["tick", "second", "minute"].contains(&folder))
}

/// Returns the midnight at which the day in a path begins, in nanoseconds since 1970.
///
/// The file name is searched first, then each folder above it. The first file or folder name with exactly one
/// day gives the result.
///
/// A day is written as eight digits (`20131007_trade.zip`) or with hyphens (`AAPL_2012-06-21_message.csv`). A
/// name with two days gives a span of time, so such a name is skipped (`SPY-20200901-20210113.csv`).
pub fn day(path: &str) -> Option<i64> {
    path.rsplit('/').find_map(|name| {
        let digits = |word: &&str| word.len() == 8 && word.bytes().all(|byte| byte.is_ascii_digit());
        let compact = name.split(|c: char| !c.is_ascii_digit()).filter(digits);
        let hyphened = name.split(['_', ' ', '.']).filter(|word| word.len() == 10);
        let days = compact.chain(hyphened).filter_map(|word| time::date(word.as_bytes(), DateOrder::Ymd));
        match days.collect::<Vec<_>>()[..] {
            [one] => Some(one),
            _ => None,
        }
    })
}

/// Returns the day of six digits in a file name, with the day first and the year last, as in `EQ080318`.
pub fn short_day(path: &str) -> Option<i64> {
    let name = stem(path);
    let mut words = name.split(|c: char| !c.is_ascii_digit()).filter(|word| word.len() == 6);
    let (word, None) = (words.next()?, words.next()) else { return None };
    let day = format!("{}-{}-20{}", &word[..2], &word[2..4], &word[4..]);
    time::date(day.as_bytes(), DateOrder::Dmy)
}

/// Removes what file managers and browsers add to the name of a copy, as in `AAPL (1)` and `Copy of AAPL`.
fn without_copy_mark(name: &str) -> &str {
    let name = name.strip_prefix("Copy of ").or(name.strip_prefix("Kopie von ")).unwrap_or(name);
    let number = name.strip_suffix(')').and_then(|name| name.rsplit_once('('));
    number.filter(|(_, number)| is_number(number)).map_or(name, |(rest, _)| rest.trim_end())
}

/// Returns the file name in a path, without its extensions.
fn stem(path: &str) -> &str {
    let mut name = path.rsplit('/').next().unwrap_or(path);
    while let Some((stem, ending)) = name.rsplit_once('.')
        && ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known))
    {
        name = stem;
    }
    name
}

fn is_name(word: &str) -> bool {
    // `history7` and `Classeur1` are such words, too.
    let without_number = word.trim_end_matches(|c: char| c.is_ascii_digit());
    let is_other = is_among_in_any_case(OTHER_WORDS, word)
        || without_number.len() >= 4 && is_among_in_any_case(OTHER_WORDS, without_number);
    let is_code = is_version(word) || is_number(word) || is_interval(word) || is_hash(word);
    !is_other && !is_code && !is_among_in_any_case(SOURCES, word)
}

/// Returns whether a word is a hash in hexadecimal digits, such as `8b0c1f3e`.
fn is_hash(word: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    word.len() >= 8 && word.bytes().all(is_digit) && word.bytes().any(|byte| byte.is_ascii_digit())
}

/// Returns whether a word is the number of a version, such as `v2`.
fn is_version(word: &str) -> bool {
    let number = word.strip_prefix(['v', 'V']).unwrap_or_default();
    !number.is_empty() && number.len() <= 2 && is_number(number)
}

/// Returns whether a word has only digits and points. An empty word counts as a number.
fn is_number(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// Returns the first number of a name that can be a symbol. A number of six digits behind a day is a time of day.
fn number_of_a_symbol(name: &str) -> Option<&str> {
    let mut is_behind_day = false;
    name.split(SEPARATORS).find(|word| {
        let is_time = is_behind_day && word.len() == 6;
        is_behind_day = word.len() == 8 && is_number(word);
        !is_time && is_number_of_a_symbol(word)
    })
}

/// Returns whether a word is a number that can be a symbol, such as a Korean or Japanese stock code.
fn is_number_of_a_symbol(word: &str) -> bool {
    let is_year = word.len() == 4 && (word.starts_with("19") || word.starts_with("20"));
    let is_zero = word.bytes().all(|byte| byte == b'0');
    (4..=6).contains(&word.len()) && !is_year && !is_zero && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns whether a word is the name of a month, a quarter such as `2024q1`, or the number of a part.
fn is_period(word: &str) -> bool {
    let unit = word.trim_matches(|c: char| c.is_ascii_digit());
    let digits = word.len() - unit.len();
    // `mar24` may be the month of a contract, and `10y` the length of a bond.
    time::month(unit.as_bytes()).is_some() && digits != 2
        || unit == "y" && digits == 4
        || unit.len() < word.len() && ["q", "v", "p", "part", "t", "vol", "no", "utc", "gmt"].contains(&unit)
}

/// Returns whether a word is an interval, such as `1min`, `5m`, `h1` or `d1`. An interval is a number with a
/// unit of time before or after it.
fn is_interval(word: &str) -> bool {
    const UNITS: [&str; 13] =
        ["s", "sec", "second", "m", "min", "minute", "h", "hour", "d", "day", "w", "week", "mn"];
    /// The lengths of bars whose unit stands in front.
    const UNIT_FIRST: &str =
        "s1 s5 s10 s15 s30 m1 m2 m3 m4 m5 m6 m10 m12 m15 m20 m30 h1 h2 h3 h4 h6 h8 h12 d1 w1 mn1";
    let word = word.to_ascii_lowercase();
    let unit = word.trim_start_matches(|c: char| c.is_ascii_digit());
    // `H24` is the month of a contract.
    unit.len() < word.len() && UNITS.contains(&unit) || is_among_in_any_case(UNIT_FIRST, &word)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_file_name_has_the_symbol() {
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
            ("CME_MINI_DL_ES1!, 5.csv", "ES1_"),
            ("DAT_MT_GBPUSD_M1_2021.csv", "GBPUSD"),
            ("SPY.Last.txt", "SPY"),
            ("bitstampUSD.csv", "bitstampUSD"),
            ("kursdaten_MSFT.csv", "MSFT"),
            ("ticker_AAPL.csv", "AAPL"),
            ("foo_AB.csv", "AB"),
            ("foo_ABCDE.csv", "ABCDE"),
            ("foo_ABCDEF.csv", "FOO"),
            ("foo_A.csv", "FOO"),
            ("ABC_Z23.csv", "ABC_Z23"),
            ("ABCD_Z23.csv", "ABCD"),
            ("bar7.csv", "BAR7"),
            ("8b0c1f3.csv", "8B0C1F3"),
            ("aapl_EST.csv", "AAPL"),
            ("BTCUSD_PERP-1d-2024-01.csv", "BTCUSD_PERP"),
            ("BTCUSDT_240329-1h-2024-01-03.csv", "BTCUSDT_240329"),
            ("BTCUSDT_240329.csv", "BTCUSDT"),
            ("BTC-USD-240329-1D.csv", "BTC-USD-240329"),
            ("CL_Z23_daily.csv", "CL_Z23"),
            ("EURUSD_H1_2024.csv", "EURUSD"),
            ("ERIC_B.csv", "ERIC_B"),
            ("eric_b.csv", "ERIC_B"),
            ("es_h24.csv", "ES_H24"),
            ("Bitstamp_BTCUSD_1min.csv", "BTCUSD"),
            ("EUR_USD Historical Data.csv", "EUR_USD"),
            ("fx_daily_eur_usd.csv", "EUR_USD"),
            ("US30m_H1_202401012300_202509082200.csv", "US30m"),
            ("data_005930_utf8.csv", "005930"),
            ("BTCUSDT-um-trades-2024-12-31.csv", "BTCUSDT"),
            ("AAPL.csv.gz", "AAPL"),
            ("AGG.csv", "AGG"),
            ("IDDI-1204+SC-BINANCE_SPOT_ETH_USDT+S-ETHUSDT.csv.gz", "ETH_USDT"),
            ("AAPL (1).csv", "AAPL"),
            ("Copy of AAPL.csv", "AAPL"),
            ("AAPL - Copy.csv", "AAPL"),
            ("Table_IBM(2).csv", "IBM"),
            ("stock_data_MSFT.csv", "MSFT"),
            ("NIFTY 50.csv", "NIFTY_50"),
            ("NIFTY BANK.csv", "NIFTY_BANK"),
            ("NIFTY 50-01-01-2024-to-31-01-2024.csv", "NIFTY_50"),
            ("NIFTY BANK-2024-01-01-to-2024-01-31.csv", "NIFTY_BANK"),
            ("Datos históricos IBEX 35.csv", "IBEX_35"),
            ("Прошлые данные - IMOEX.csv", "IMOEX"),
            ("Natural Gas Futures Historical Data.csv", "Natural_Gas_Futures"),
            ("Apple Stock Price History.csv", "Apple"),
            ("NIFTY 100 Historical Data.csv", "NIFTY_100"),
            ("NIFTY 5.csv", "NIFTY"),
            ("TRAIN.csv", "TRAIN"),
            ("EURUSD 60 min.csv", "EURUSD"),
            ("EURUSD 1000.csv", "EURUSD"),
            ("ES 03-24.Last.txt", "ES_03-24"),
            ("CL MAR24.csv", "CL_MAR24"),
            ("CL Mar24.csv", "CL"),
            ("ES 13-24.Last.txt", "ES"),
            ("BTC-27JUN25-100000-C.csv", "BTC-27JUN25-100000-C"),
            ("BTC_USDT-202401.csv", "BTC_USDT"),
            ("GC201312.csv", "GC201312"),
            ("茅台历史数据.csv", "茅台"),
            ("Download Data - STOCK_US_XNAS_AAPL.csv", "AAPL"),
            ("Download Data - STOCK_US_XNAS_MSFT (3).csv", "MSFT"),
            ("IVE_tickbidask.txt", "IVE"),
            ("NSE_TCS.csv", "TCS"),
            ("NSE-TCS.csv", "NSE-TCS"),
            ("NSE-2024.csv", "NSE"),
            ("CFE_F24_VX.csv", "CFE_F24_VX"),
            ("BSE_500325.csv", "500325"),
            ("ICE_daily.csv", "ICE"),
            ("lean/spy/20131007_trade.zip/20131007_spy_minute_trade.csv", "SPY"),
            ("20131007_es_minute_trade_201312_20131220.csv", "ES_201312_20131220"),
            ("20140606_aapl_minute_quote_american_call_6450000_20140606.csv", "AAPL_CALL_6450000_20140606"),
        ] {
            let found = super::symbol(name).map(|symbol| symbol.to_string());
            assert_eq!(found.as_deref(), Some(symbol), "{name}");
        }
    }

    #[test]
    fn a_period_behind_the_symbol_is_the_time_between_bars() {
        for (name, minutes, symbol) in [
            ("EURUSD1440.csv", Some(1440), "EURUSD"),
            ("EURUSD43200.csv", Some(29 * 1440), "EURUSD"),
            ("EURUSD43200.csv", Some(28 * 1440), "EURUSD"),
            ("EURUSD43200.csv", Some(28 * 1440 - 1), "EURUSD43200"),
            ("US305.csv", Some(5), "US30"),
            ("US30.csv", Some(60), "US30"),
            ("JP225.csv", Some(60), "JP225"),
            ("EURUSD60.csv", None, "EURUSD"),
        ] {
            let found = super::symbol_with_period(name, minutes).map(|symbol| symbol.to_string());
            assert_eq!(found.as_deref(), Some(symbol), "{name}");
        }
    }

    #[test]
    fn a_name_of_other_words_only_has_no_symbol() {
        for name in [
            "HistoricalData.csv",
            "HistoricalQuotes.csv",
            "HistoricalQuotes (1).csv",
            "train.csv",
            "stock_data.csv",
            "Download Data.csv",
            "Table_.csv",
            "Copy of data (2).csv",
            "trades.csv",
            "bars-1m.csv",
            "ticks.csv",
            "2006-min-005.txt",
            "1234567.csv",
            "SECOND.csv",
            "results-20240103-143000.csv",
            "part-00000-8b0c1f3e.csv",
            "history7.csv",
            "bars7.csv",
            "8b0c1f3e.csv",
            "Classeur1.csv",
            "cotations.csv",
        ] {
            assert_eq!(super::symbol(name), None, "{name}");
        }
    }

    #[test]
    fn names_of_one_symbol_differ_in_a_period_a_kind_or_the_mark_of_a_copy() {
        let is_one = |one: &str, other: &str| super::distinct_words(one) == super::distinct_words(other);

        for (one, other) in [
            ("AAPL_20240102.csv", "AAPL_20240103.csv.gz"),
            ("AAPL_2024-01-02.csv", "aapl.csv"),
            ("AAPL.csv", "AAPL (1).csv"),
            ("AAPL.csv", "Copy of AAPL.csv"),
            ("AAPL_1min_2024Q1.csv", "AAPL_5min_Mar2024.csv"),
            ("spy_minute_trade.csv", "spy_minute_quote.csv"),
            ("x/BTCUSDT.csv", "y/BTCUSDT.csv"),
        ] {
            assert!(is_one(one, other), "{one} {other}");
        }
        for (one, other) in [
            ("CFE_F24_VX.csv", "CFE_G24_VX.csv"),
            ("CL_MAR24.csv", "CL_APR24.csv"),
            ("ES_H24.csv", "ES_M24.csv"),
            ("SPY_4700.csv", "SPY_4800.csv"),
            ("UST_2Y.csv", "UST_10Y.csv"),
            ("EURUSD_BID.csv", "EURUSD_ASK.csv"),
            ("ES 03-24.Last.txt", "ES 03-24.Bid.txt"),
            ("bid/EURUSD.csv", "ask/EURUSD.csv"),
            ("CRUDE_W.csv", "CRUDE_W_mini.csv"),
            ("CRUDE_W.csv", "CRUDE_ICE.csv"),
            ("NSE_TCS.csv", "BSE_TCS.csv"),
        ] {
            assert!(!is_one(one, other), "{one} {other}");
        }
    }

    #[test]
    fn a_month_is_a_contracts_if_the_rows_begin_a_week_before_it() {
        let month = |name: &'static str, first: &str| {
            super::month_of_contract(name, first.parse::<crate::market::Time>().unwrap().as_nanos())
        };

        assert_eq!(month("CL_202403.csv", "2024-02-23T00:00:00Z"), Some("202403"));
        assert_eq!(month("CL_202403.csv", "2024-02-23T00:00:01Z"), None);
        assert_eq!(month("CL_202403.csv", "2024-03-04T00:00:00Z"), None);
        assert_eq!(month("CL_202403.csv", "2021-02-27T00:00:00Z"), Some("202403"));
        assert_eq!(month("CL_202403.csv", "2021-02-26T00:00:00Z"), None);
        assert_eq!(month("CL_202413.csv", "2024-01-04T00:00:00Z"), None);
        assert_eq!(month("CL_202403_202406.csv", "2024-01-04T00:00:00Z"), None);
    }

    #[test]
    fn the_numbers_of_a_name_are_those_that_are_no_dates() {
        assert_eq!(super::numbers("ES_1.csv"), ["1"]);
        assert_eq!(super::numbers("ES_123_1234.csv"), ["123"]);
        assert_eq!(super::numbers("CL_202403.csv"), ["202403"]);
        assert_eq!(super::numbers("KO-2024-01-05-2 (3).csv"), [""; 0]);
        assert_eq!(super::numbers("20240105_KO_2.csv"), ["2"]);
    }

    #[test]
    fn six_digits_of_a_file_name_are_a_day_with_the_day_first() {
        let day = |path: &str| super::short_day(path).map(crate::market::Time::from_nanos);

        assert_eq!(day("x/EQ080318.CSV").unwrap().to_string(), "2018-03-08T00:00:00Z");
        for path in ["EQ_ISINCODE_310218.CSV", "EQ080318_090318.csv", "EQ0803181.csv", "080318/EQ.csv"] {
            assert_eq!(day(path), None, "{path}");
        }
    }

    #[test]
    fn a_name_with_exactly_one_date_has_the_day() {
        let day =
            |path: &str| super::day(path).map(|nanos| crate::market::Time::from_nanos(nanos).to_string());

        for (path, text) in [
            ("spy/20131007_trade.zip/20131007_spy_minute_trade.csv", "2013-10-07T00:00:00Z"),
            ("AAPL_2012-06-21_34200000_57600000_message_10.csv", "2012-06-21T00:00:00Z"),
            ("EQY_US_ALL_TRADE_20180103.gz", "2018-01-03T00:00:00Z"),
            ("crypto/20240105/trades.csv", "2024-01-05T00:00:00Z"),
        ] {
            assert_eq!(day(path).as_deref(), Some(text), "{path}");
        }
        for path in ["SPY.csv", "SPY-20200901-20210113.csv", "AAPL_99999999.csv"] {
            assert_eq!(day(path), None, "{path}");
        }
    }
}
