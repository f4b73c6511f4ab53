//! Suspicions about unused columns: by its name, a column may hold the instrument, a size, a price of a bar,
//! a part of the time, or the zone of the times.

use std::fmt::Write;

use super::super::layout::{Layout, Role, Values, normal};
use super::super::zone;
use super::unused_columns::{UnusedColumn, Words};

/// Normalized names of columns that name an instrument.
const INSTRUMENTS: &str = "symroot scrip scripname scripcode script base basecurrency baseasset tickers issue commodity crypto company indexname ticker tickerid tic asset assetid assetname contract contractid contractname secid isin cusip \
    sedol wkn figi permno permco gvkey conid stock stockid stockcode stockname instrument instrumentid instrumentname \
    instrumenttoken exchangetoken token coinid pairid marketid underlying underlyingsymbol optionsymbol osi \
    mnemonic tidm valor valoren emittent wertpapier instrumento activo ativo papel papier walor spółka emiten \
    股票代码 证券代码 合约代码 代码 股票名称 证券名称 名称 銘柄 銘柄コード 証券コード 종목 종목명 종목번호 тикер инструмент";

/// Normalized names of columns that tell apart the contracts or series of one instrument.
const CONTRACTS: &str = "tradingsymbol contractsymbol instrumenttype tenor delivery expiry expirydt expirydate expiration expirationdate expdate exdate exp expiredate maturity \
    maturitydate strike strikepr strikeprice k iscall isput callflag putflag right optiontype optiontyp opttype putcall callput cp cpflag series \
    futures deliverymonth deliverydate contractmonth contractdate vencimiento vencimento strikepreis verfall basispreis";

/// Normalized names of columns that tell apart kinds of one instrument, such as the spot and a future, if they vary.
const KINDS: &str =
    "series contracttype markettype producttype instrumentclass assetclass segment settlementtype";

/// Parts of normalized names of columns that say in which unit prices are.
const SCALES: &str = "exponent multiplier divisor scale factor decimals precision pricexp pxexp";

/// Normalized names of columns with the fraction of a price.
const PARTS_OF_PRICES: &str = "pricefrac pricefraction pricedecimals pxfrac cents pricecents";

/// Normalized names of columns with the filled part of an order, or its price, beside the order's own.
const FILLS: &str = "fillprice fillpx filledprice execprice executionprice executedprice filledqty filledquantity filledsize \
    executedqty executedquantity fillqty fillsize cumqty";

/// Parts of normalized names of columns whose words vary from trade to trade and from quote to quote of one instrument.
const OF_ROWS: &str = "side direction aggressor taker maker buy sell exch venue mic market source provider feed tape cond flag \
    qualifier liquidity type tick trend color state status session phase note comment remark user account broker reason event \
    action kind order strategy signal id";

/// Words of kinds of one instrument, which have prices of their own.
const KINDS_OF_INSTRUMENTS: &str = "spot perp perpetual swap future futures forward index mark cash";

/// Words of a side or a flag.
const WORDS_OF_ROWS: &str = "buy sell bid ask up down true false yes no maker taker long short open close na nan null none \
    kauf verkauf kupno sprzedaż alış satış koop verkoop köp sälj køb salg kjøp salg compra venta venda vendita acquisto achat vente \
    osto myynti nákup prodej купля покупка продажа 매수 매도 买 卖 买入 卖出 買 売 買入 賣出 買い 売り";

/// Parts of normalized names that mean a size.
const SIZES: &str = "volume volumen volum wolumen qty quantity size shares lots contracts menge stückzahl 成交量 出来高 거래량 объем";

/// Normalized names of columns with a size.
const SHORT_SIZES: &str = "vol ltq sz anzahl 总手 總手";

/// Parts of normalized names that mean another number than a size of a trade or a bar.
const OTHER_SIZES: &str = "avg average weighted vwap bid ask buy sell buyer seller taker maker quote notional turnover \
    money value outstanding float open deliv change chg prev tick lotsize interest cap % min max step id usd eur";

/// Normalized names of columns with a part of the volume.
const PARTS_OF_SIZES: &str = "up down upvol downvol upvolume downvolume upticks downticks buyvol sellvol buyvolume sellvolume \
    buysize sellsize buyqty sellqty buyquantity sellquantity volumebuy volumesell takerbuyvolume takersellvolume bidvolume askvolume";

/// Normalized names of columns that give a zone or an offset from UTC.
const ZONES: &str = "timezone tz tzone tzoffset utcoffset gmtoffset timezoneoffset offset zeitzone 时区";

/// Words that mean a fraction of a second.
const FRACTIONS: &str = "ms milli millis millisec millisecs millisecond milliseconds msec usec micros microsec microsecond \
    microseconds nanos nanosec nanosecond nanoseconds nsec frac fraction fractional subsec subsecond";

/// What an unused column may hold, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suspicion {
    /// The name of the instrument.
    Instrument,
    /// The expiry, the strike or another property that tells the contracts of one instrument apart.
    Contract,
    /// Words that may tell instruments or kinds of rows apart.
    Kind,
    /// A size. The role is the one that the layout lacks.
    Size(Role),
    /// A part of the volume, such as the volume of buyers. The role is the one that the layout lacks.
    PartOfSize(Role),
    /// A price of a bar. The role is the one that the layout lacks.
    BarPrice(Role),
    /// A fraction of a second.
    PartOfTime,
    /// The zone of the times, or their offset from UTC.
    Zone,
    /// The unit of prices that are whole numbers.
    Scale,
    /// What was filled of an order, and at which price.
    Fill,
}

impl Suspicion {
    /// Returns what a column may hold, by its name. `others` are all unused columns of the file.
    pub fn of(column: &UnusedColumn, others: &[UnusedColumn], layout: &Layout) -> Option<Self> {
        let name = normal(column.name.as_bytes());
        let is_among = |names: &str| names.split_ascii_whitespace().any(|known| known == name);
        // A month in words is one of a contract. A month in numbers may be a part of the date.
        if is_among(CONTRACTS)
            || is_among(KINDS) && column.varies
            || name == "month" && column.words != Words::None
        {
            return Some(Self::Contract);
        }
        // A zone of the power grid has other words than one of the clock.
        let is_zone_by_cell = name == "zone" && is_zone_of_clock(&column.example);
        if is_among(ZONES) || is_zone_by_cell || is_zone(&words(&column.name)) {
            return Some(Self::Zone);
        }
        let is_named =
            is_among(INSTRUMENTS) || column.tells_prices_apart || is_ticker_without_name(column, layout);
        if !layout.has_name_column() && is_named {
            return Some(Self::Instrument);
        }
        let has_part = |parts: &str| parts.split_ascii_whitespace().any(|part| name.contains(part));
        if column.words == Words::None && (has_part(SCALES) || is_among(PARTS_OF_PRICES)) {
            return Some(Self::Scale);
        }
        let is_fraction = |word: &String| FRACTIONS.split_ascii_whitespace().any(|known| known == word);
        // A longer number is a whole time.
        if column.example.len() < 10 && words(&column.name).iter().any(is_fraction) {
            return Some(Self::PartOfTime);
        }
        if !layout.has_name_column() && has_kinds_of_ticks(column, layout) {
            return Some(Self::Kind);
        }
        if is_among(FILLS) && layout.uses().any(|(role, _)| role == Role::Price) {
            return Some(Self::Fill);
        }
        let missing = missing_size(&layout.values);
        let size = missing.filter(|_| is_size(&name) || words(&column.name).iter().any(|word| word == "vol"));
        let part = missing.filter(|_| is_among(PARTS_OF_SIZES)).map(Self::PartOfSize);
        let size = missing_quote_size(&name, &layout.values).or(size).map(Self::Size);
        let size = part.or(size);
        size.or_else(|| missing_bar_price(&column.name, others, layout).map(Self::BarPrice))
    }

    /// Returns the warning about a column: the column, an example, and the flag that settles the question.
    pub fn warning(self, column: &UnusedColumn) -> String {
        let UnusedColumn { name, example, .. } = column;
        let mut text = format!("column `{name}`");
        if !example.is_empty() {
            write!(text, " ({example})").expect("a string can be written to");
        }
        let map = |role: Role| format!("--map {role}={}", column.in_a_map());
        let (what, flag) = match self {
            Self::Instrument => ("name the instrument".to_owned(), map(Role::Symbol)),
            Self::Contract => ("tell instruments apart".to_owned(), map(Role::Symbol)),
            Self::Kind => ("tell instruments or kinds of rows apart".to_owned(), map(Role::Symbol)),
            Self::Size(role) => ("hold sizes or their running total".to_owned(), map(role)),
            Self::PartOfSize(role) => {
                ("hold a part of the volume".to_owned(), format!("{}, which reads it alone", map(role)))
            }
            Self::BarPrice(role) => (format!("hold the {role} of bars"), map(role)),
            Self::PartOfTime => (
                "hold a part of the time".to_owned(),
                format!("{}, if it holds milliseconds", map(Role::Millis)),
            ),
            Self::Zone => ("give the zone of the times".to_owned(), "--tz".to_owned()),
            Self::Scale => ("give the unit of the prices".to_owned(), "--price-scale".to_owned()),
            Self::Fill => (
                "hold what was filled of an order, or its price".to_owned(),
                format!("--map price={0} or size={0}", column.in_a_map()),
            ),
        };
        write!(text, " is not used, and may {what} (set it by {flag})").expect("a string can be written to");
        text
    }
}

/// Returns whether a column without a name has one word that looks like a ticker. Names of columns are numbers then.
fn is_ticker_without_name(column: &UnusedColumn, layout: &Layout) -> bool {
    let is_unnamed = column.name.parse() == Ok(column.index) && !layout.is_of_a_vendor();
    let is_upper = column.example.bytes().all(|letter| letter.is_ascii_uppercase());
    let word = normal(column.example.as_bytes());
    let is_other = WORDS_OF_ROWS.split_ascii_whitespace().any(|other| other == word);
    is_unnamed && !column.varies && is_upper && (2..=5).contains(&word.len()) && !is_other
}

/// Returns whether a column of a few words may tell instruments or kinds of trades and quotes apart. In the layout of a
/// vendor, it does not.
fn has_kinds_of_ticks(column: &UnusedColumn, layout: &Layout) -> bool {
    let has_part = |parts: &str, text: &str| parts.split_ascii_whitespace().any(|part| text.contains(part));
    let is_of_rows = || has_part(OF_ROWS, &normal(column.name.as_bytes()));
    let is_word_of_rows = || {
        let example = normal(column.example.as_bytes());
        WORDS_OF_ROWS.split_ascii_whitespace().any(|word| word == example)
    };
    let are_ticks = layout.vendor.is_none() && matches!(layout.values, Values::Ticks { .. });
    let is_kind =
        KINDS_OF_INSTRUMENTS.split_ascii_whitespace().any(|kind| column.example.eq_ignore_ascii_case(kind));
    column.words == Words::Few && are_ticks && (is_kind || !is_of_rows() && !is_word_of_rows())
}

/// Returns whether a cell names a zone of the clock.
fn is_zone_of_clock(cell: &str) -> bool {
    zone::is_named(cell.as_bytes())
        || is_word_of_a_zone(&cell.to_lowercase())
        || ["UTC", "GMT"].contains(&cell)
}

/// Returns whether the name of a column means the volume of a day or of a bar, rather than the size of a trade.
pub fn means_volume(name: &str) -> bool {
    const VOLUMES: [&str; 8] = ["vol", "total", "cum", "acc", "wolumen", "umsatz", "成交量", "거래량"];
    let name = normal(name.as_bytes());
    VOLUMES.iter().any(|part| name.contains(part))
}

/// Returns whether the words of a column name mean a zone, an offset from UTC or daylight saving time.
fn is_zone(words: &[String]) -> bool {
    let has = |names: &[&str]| words.iter().any(|word| names.contains(&word.as_str()));
    let is_offset = has(&["offset"]) && has(&["utc", "gmt", "tz", "zone", "minutes", "hours", "seconds"]);
    has(&["timezone", "tz", "tzone", "dst", "isdst", "daylight"])
        || has(&["time"]) && has(&["zone"])
        || is_offset
}

/// Returns the role for the size of a trade, a bar or a quote; `None` if the layout has a column for it.
fn missing_size(values: &Values) -> Option<Role> {
    match values {
        Values::Bars { volume: None, .. } => Some(Role::Volume),
        Values::Ticks { price: Some(_), size: None, .. } => Some(Role::Size),
        _ => None,
    }
}

fn is_size(name: &str) -> bool {
    let has_any = |parts: &str| parts.split_ascii_whitespace().any(|part| name.contains(part));
    SHORT_SIZES.split_ascii_whitespace().any(|short| short == name) || has_any(SIZES) && !has_any(OTHER_SIZES)
}

/// Returns the role for the size of a bid or an ask, if the name of a column means it and the layout lacks it.
fn missing_quote_size(name: &str, values: &Values) -> Option<Role> {
    const QUOTE_SIZES: &str = "size siz sz qty quantity vol volume amount amt lots shares";
    let Values::Ticks { bid, bid_size, ask, ask_size, .. } = values else { return None };
    let name = name.strip_prefix("best").unwrap_or(name);
    let sides = [
        (Role::BidSize, bid.is_some() && bid_size.is_none(), ["bid", "b"]),
        (Role::AskSize, ask.is_some() && ask_size.is_none(), ["ask", "a"]),
    ];
    let is_size = |side: &str| {
        let size = name.strip_prefix(side);
        let is_known = |size: &str, known: &str| {
            size == known
                || known.len() > 3
                    && size.strip_prefix(known).is_some_and(|unit| unit == "lots" || unit == "shares")
        };
        size.is_some_and(|size| QUOTE_SIZES.split_ascii_whitespace().any(|known| is_known(size, known)))
    };
    let mut missing = sides.into_iter().filter(|(_, is_missing, _)| *is_missing);
    missing.find(|(_, _, names)| names.iter().any(|side| is_size(side))).map(|(role, ..)| role)
}

/// Returns the role of a bar's price that a column may hold, if the layout lacks this role. In a layout of
/// trades or quotes, at least three columns must look like prices of bars.
fn missing_bar_price(name: &str, others: &[UnusedColumn], layout: &Layout) -> Option<Role> {
    let role = bar_price(name)?;
    match layout.values {
        Values::Bars { .. } => layout.uses().all(|(used, _)| used != role).then_some(role),
        Values::Ticks { .. } => {
            let is_there = |role: &Role| others.iter().any(|other| bar_price(&other.name) == Some(*role));
            let roles = [Role::Open, Role::High, Role::Low, Role::Close];
            (roles.iter().filter(|role| is_there(role)).count() >= 3).then_some(role)
        }
    }
}

/// Returns the role of a bar's price whose name is a word of a column name. A name of more than two words is
/// passed over, and so is a name for another day's price or an adjusted price.
fn bar_price(name: &str) -> Option<Role> {
    const OTHERS: [&str; 12] = [
        "adj", "adjusted", "prev", "previous", "bid", "ask", "time", "interest", "limit", "52w", "avg", "int",
    ];
    let words = words(name);
    let is_other = words.len() > 2 || words.iter().any(|word| OTHERS.contains(&word.as_str()));
    let is = |names: &[&str]| words.iter().any(|word| names.contains(&word.as_str()));
    match () {
        () if is_other => None,
        () if is(&["open", "opening", "start"]) => Some(Role::Open),
        () if is(&["high", "highest", "max"]) => Some(Role::High),
        () if is(&["low", "lowest", "min"]) => Some(Role::Low),
        () if is(&["close", "closing", "end"]) => Some(Role::Close),
        () => None,
    }
}

/// Returns whether the name of a column with times may give their zone.
pub fn names_a_zone(name: &str) -> bool {
    let is_utc = |word: &String| matches!(word.as_str(), "utc" | "gmt");
    let words = words(name);
    let has_brackets = name.contains('(') || name.contains('[');
    let names_utc = words.last().is_some_and(is_utc);
    !names_utc && (has_brackets || words.iter().any(|word| is_word_of_a_zone(word)))
}

/// Returns whether a word in small letters is the abbreviation of a zone, or a place that stands for one.
pub fn is_word_of_a_zone(word: &str) -> bool {
    const ZONES: &str = "cet cest est edt et cst cdt ct mst pst pdt pt bst ist jst kst hkt sgt msk aest eastern central \
        pacific london york ny tokyo berlin paris kolkata";
    ZONES.split_ascii_whitespace().any(|known| known == word)
}

/// Splits a column name into words in lower case, at punctuation and before capital letters.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_small = false;
    for letter in name.chars() {
        if !letter.is_alphanumeric() || was_small && letter.is_uppercase() {
            words.push(String::new());
        }
        was_small = letter.is_lowercase();
        if letter.is_alphanumeric() {
            words.last_mut().expect("there is one").extend(letter.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::super::super::layout::{self, Given};
    use super::*;

    fn column(name: &str, example: &str, holds_words: bool) -> UnusedColumn {
        UnusedColumn {
            index: 3,
            name: name.to_owned(),
            example: example.to_owned(),
            words: if holds_words { Words::Any } else { Words::None },
            tells_prices_apart: false,
            varies: false,
        }
    }

    /// Returns what an unused column may hold, in a file with this header.
    fn suspicion(header: &str, name: &str) -> Option<Suspicion> {
        let cells = |line: &str| line.split(',').map(|cell| cell.as_bytes().to_vec()).collect::<Vec<_>>();
        let row = header.split(',').map(|_| "1704292200").collect::<Vec<_>>().join(",");
        let given = Given { path: "AAPL.csv", ..Given::default() };
        let layout = layout::recognize(&[cells(header), cells(&row)], given).unwrap().layout;
        let column = |name: &str| column(name, "", false);
        let others: Vec<UnusedColumn> = header.split(',').chain([name]).map(column).collect();
        Suspicion::of(&column(name), &others, &layout)
    }

    #[test]
    fn a_column_is_suspected_by_its_name() {
        for (header, name, suspected) in [
            ("time,price,size", "tic", Some(Suspicion::Instrument)),
            ("time,price,size", "股票代码", Some(Suspicion::Instrument)),
            ("time,symbol,price,size", "isin", None),
            ("time,symbol,price,size", "STRIKE_PR", Some(Suspicion::Contract)),
            ("time,price", "lastTradedQuantity", Some(Suspicion::Size(Role::Size))),
            ("time,price", "volume(quote)", None),
            ("time,price", "LTQ", Some(Suspicion::Size(Role::Size))),
            ("time,open,high,low,close", "CONTRACTS", Some(Suspicion::Size(Role::Volume))),
            ("time,open,high,low,close", "Open Contracts", None),
            ("time,bid,ask", "bsize", Some(Suspicion::Size(Role::BidSize))),
            ("time,bid,ask", "Best Ask Vol", Some(Suspicion::Size(Role::AskSize))),
            ("time,bid,ask,bid_size", "bsize", None),
            ("time,bid", "asize", None),
            ("time,bid,ask", "basis", None),
            ("time,price", "SYM_ROOT", Some(Suspicion::Instrument)),
            ("time,open,high,low,close", "vol_k", Some(Suspicion::Size(Role::Volume))),
            ("time,open,high,low,close", "Up", Some(Suspicion::PartOfSize(Role::Volume))),
            ("time,open,high,low,close", "Sell Volume", Some(Suspicion::PartOfSize(Role::Volume))),
            ("time,open,high,low,close,volume", "Sell Volume", None),
            ("time,price,size", "is_dst", Some(Suspicion::Zone)),
            ("time,price,size", "utc_offset_minutes", Some(Suspicion::Zone)),
            ("time,price,size", "Time Zone", Some(Suspicion::Zone)),
            ("time,price,size", "offset", Some(Suspicion::Zone)),
            ("time,price,size", "file offset", None),
            ("time,price,size", "time of receipt", None),
            ("time,price,size", "volume", None),
            ("time,open,high,low,close", "Total Trade Quantity", Some(Suspicion::Size(Role::Volume))),
            ("time,price,size", "price_exponent", Some(Suspicion::Scale)),
            ("time,price,size", "price_frac", Some(Suspicion::Scale)),
            ("time,price,size", "filled_qty", Some(Suspicion::Fill)),
            ("time,bid,ask", "filled_qty", None),
            ("time,price,size", "time_frac", Some(Suspicion::PartOfTime)),
            ("time,price,size", "delay_millis", Some(Suspicion::PartOfTime)),
            ("time,price,size", "ms_of_day", Some(Suspicion::PartOfTime)),
            ("time,price,size", "items", None),
            ("time,price,size", "GMT Offset", Some(Suspicion::Zone)),
            ("time,open,close", "MaxPrice", Some(Suspicion::BarPrice(Role::High))),
            ("time,open,close", "High of day", None),
            ("time,open,high,low,close", "Adj Close", None),
            ("time,price,size", "High price", None),
        ] {
            assert_eq!(suspicion(header, name), suspected, "{header}: {name}");
        }
        assert_eq!(
            suspicion("time,bid,ask,Opening price,Low price", "High price"),
            Some(Suspicion::BarPrice(Role::High))
        );
        assert_eq!(suspicion("time,bid,ask,Low price", "High price"), None);
    }

    #[test]
    fn a_number_of_ten_digits_is_a_whole_time_and_a_shorter_one_may_be_a_part() {
        let suspicion = |example: &str| {
            let cells = |line: &str| line.split(',').map(|cell| cell.as_bytes().to_vec()).collect::<Vec<_>>();
            let lines = [cells("time,price"), cells("1704292200,5")];
            let layout =
                layout::recognize(&lines, Given { path: "KO.csv", ..Given::default() }).unwrap().layout;
            Suspicion::of(&column("delay_ms", example, false), &[], &layout)
        };

        assert_eq!(suspicion("170429220"), Some(Suspicion::PartOfTime));
        assert_eq!(suspicion("1704292200"), None);
    }

    #[test]
    fn a_word_in_a_column_without_a_name_may_be_the_ticker() {
        let lines = ["time,price", "1704292200,5"].map(|line| line.split(',').map(Into::into).collect());
        let layout = layout::recognize(&lines, Given { path: "KO.csv", ..Given::default() }).unwrap().layout;
        let suspicion = |name: &str, example: &str| Suspicion::of(&column(name, example, true), &[], &layout);

        assert_eq!(suspicion("3", "IBM"), Some(Suspicion::Instrument));
        for (name, example) in [("x", "IBM"), ("3", "BUY"), ("3", "Ibm"), ("3", "I"), ("3", "GOOGLE")] {
            assert_eq!(suspicion(name, example), None, "{name} {example}");
        }
    }

    #[test]
    fn a_few_words_may_tell_instruments_apart_in_trades_without_a_symbol() {
        let suspicion = |header: &str, name: &str, example: &str, words: Words| {
            let row = header
                .replace("symbol", "A")
                .replace("time", "1704292200")
                .replace("price", "5")
                .replace("close", "5");
            let lines = [header, &row].map(|line| line.split(',').map(Into::into).collect());
            let layout =
                layout::recognize(&lines, Given { path: "KO.csv", ..Given::default() }).unwrap().layout;
            Suspicion::of(&UnusedColumn { words, ..column(name, example, true) }, &[], &layout)
        };

        assert_eq!(suspicion("time,price", "grade", "Brent", Words::Few), Some(Suspicion::Kind));
        assert_eq!(suspicion("time,price", "grade", "Brent", Words::Any), None);
        assert_eq!(suspicion("time,price", "taker_side", "Brent", Words::Few), None);
        assert_eq!(suspicion("time,price", "kind", "perp", Words::Few), Some(Suspicion::Kind));
        assert_eq!(suspicion("time,price", "zone", "SE3", Words::Few), Some(Suspicion::Kind));
        assert_eq!(suspicion("time,price", "zone", "EST", Words::Few), Some(Suspicion::Zone));
        assert_eq!(suspicion("time,price", "grade", "BUY", Words::Few), None);
        assert_eq!(suspicion("time,close", "grade", "Brent", Words::Few), None);
        assert_eq!(suspicion("time,symbol,price", "grade", "Brent", Words::Few), None);
    }

    #[test]
    fn a_month_in_words_is_one_of_a_contract() {
        let lines = ["time,price", "1704292200,5"].map(|line| line.split(',').map(Into::into).collect());
        let layout = layout::recognize(&lines, Given { path: "KO.csv", ..Given::default() }).unwrap().layout;

        let suspicion = |holds_words| Suspicion::of(&column("month", "", holds_words), &[], &layout);
        assert_eq!(suspicion(true), Some(Suspicion::Contract));
        assert_eq!(suspicion(false), None);
    }

    #[test]
    fn the_name_of_a_column_with_times_may_give_their_zone() {
        for name in [
            "Time (ET)",
            "Time [Europe/Berlin]",
            "time_cet",
            "Time IST",
            "Trade Time (UTC+9)",
            "timestamp_ny",
        ] {
            assert!(names_a_zone(name), "{name}");
        }
        for name in ["Time", "timestamp", "time_utc", "Time (UTC)", "Gmt time", "date", "best_time", "event"]
        {
            assert!(!names_a_zone(name), "{name}");
        }
    }

    #[test]
    fn a_warning_names_the_column_an_example_and_the_flag() {
        assert_eq!(
            Suspicion::Instrument.warning(&column("tic", "AAPL", true)),
            "column `tic` (AAPL) is not used, and may name the instrument (set it by --map symbol=tic)"
        );
        assert_eq!(
            Suspicion::Size(Role::Volume).warning(&column("Trade Qty", "", true)),
            "column `Trade Qty` is not used, and may hold sizes or their running total (set it by --map volume=3)"
        );
    }
}
