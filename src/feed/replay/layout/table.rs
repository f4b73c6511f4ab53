//! The table of layouts, with an entry for each file format of each vendor.
//!
//! The entry for a file is recognized by the column names in the header. If the file has no header, the entry
//! is recognized by the shape of the columns, i.e. by the kind of value in each column. The first entry that
//! fits the file is used, so specific entries come before general entries. A new layout needs an entry in
//! this table, and a test case in `tests/it/files/layouts`.

/// A layout in the table.
#[derive(Debug)]
pub struct Entry {
    /// The name of the layout in the flag `--layout` and in the output of the command `inspect`.
    pub name: &'static str,
    /// The vendor of files with this layout.
    pub vendor: &'static str,
    /// How the layout is recognized.
    pub recognized_by: RecognizedBy,
    /// A pattern that the file name must match. If the pattern contains `/`, the whole path must match it. An
    /// empty pattern matches any path.
    pub path: &'static str,
    /// The rules that are specific to this layout.
    pub rules: Rules,
}

/// How a layout is recognized.
#[derive(Clone, Copy, Debug)]
pub enum RecognizedBy {
    /// Recognized by the column names that the header must have. The text of this variant lists the names in
    /// lower case and without punctuation.
    Header(&'static str),
    /// Recognized by the shape of the columns: a text with one word for each column.
    Shape(&'static str),
}

/// The rules that are specific to a layout.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules {
    /// The columns with unusual names, each written as `role=name`. A text `role=` without a name means that
    /// the file has no column for this role.
    pub columns: &'static str,
    /// The notation of the numbers in a file.
    pub numbers: NumberRule,
    /// The name of a column, and its allowed values. Rows with another value in this column are filtered out.
    pub only: Option<(&'static str, &'static [&'static str])>,
    /// How the length of a bar, such as a minute, is written in a file.
    pub interval: IntervalRule,
    /// Whether the file name consists of a symbol and the period of the bars, as in `EURUSD1440`.
    pub has_period_in_name: bool,
    /// Whether the rows have no time, so that the day must come from the path of the file.
    pub is_of_one_day: bool,
    /// For a layout whose times are in a separate file: two texts that give the path of this file. In the
    /// path of the file without times, the first text is replaced with the second text.
    pub times_beside: Option<(&'static str, &'static str)>,
    /// If files with this layout cannot be replayed, the kind of data in them; otherwise `None`.
    pub unfit: Option<&'static str>,
}

/// The notation of the numbers in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NumberRule {
    /// Numbers are plain decimals.
    #[default]
    Plain,
    /// Databento's notation: prices without a decimal point are in units of 1e-9.
    /// <https://databento.com/docs/standards-and-conventions/common-fields-enums-types>
    FixedPoint,
    /// LOBSTER's notation: prices are in units of 1e-4, and 9999999999 means "no price".
    /// <https://lobsterdata.com/info/DataStructure.php>
    Lobster,
    /// LEAN's notation: prices of equities and options are in units of 1e-4, other prices are plain decimals.
    /// The path of the file tells which kind of instrument the file contains.
    /// <https://www.quantconnect.com/docs/v2/lean-cli/datasets/format-and-storage>
    Lean,
}

/// How the length of a bar, such as a minute, is written in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IntervalRule {
    /// The length of a bar is a text such as `1m`.
    #[default]
    Text,
    /// The length of a bar is one of Databento's record types, e.g. 33 for a minute.
    RecordType,
    /// The length of a bar is written as in `MetaStock` files: a number of minutes, `D` for a day or `W` for
    /// a week.
    Period,
}

const PLAIN: Rules = Rules {
    columns: "",
    numbers: NumberRule::Plain,
    only: None,
    interval: IntervalRule::Text,
    has_period_in_name: false,
    is_of_one_day: false,
    times_beside: None,
    unfit: None,
};
const PERIOD: Rules = Rules { interval: IntervalRule::Period, ..PLAIN };
const DATABENTO: Rules = Rules {
    numbers: NumberRule::FixedPoint,
    interval: IntervalRule::RecordType,
    columns: "interval=rtype",
    ..PLAIN
};
/// The rules for NYSE TAQ files. The role `time` has no column here, because the column with the
/// participant's timestamp does not hold the time of the trade.
const TAQ: Rules = Rules { columns: "time=", ..PLAIN };
const LEAN: Rules = Rules { numbers: NumberRule::Lean, ..PLAIN };

/// Creates an entry for files that are recognized by their header.
const fn header(name: &'static str, vendor: &'static str, names: &'static str, rules: Rules) -> Entry {
    Entry { name, vendor, recognized_by: RecognizedBy::Header(names), path: "", rules }
}

/// Creates an entry for files that are recognized by their header and their file name.
const fn named(name: &'static str, vendor: &'static str, names: &'static str, path: &'static str) -> Entry {
    Entry { name, vendor, recognized_by: RecognizedBy::Header(names), path, rules: PLAIN }
}

/// Creates an entry for files that are recognized by the shape of their columns.
const fn shape(name: &'static str, vendor: &'static str, shape: &'static str, rules: Rules) -> Entry {
    Entry { name, vendor, recognized_by: RecognizedBy::Shape(shape), path: "", rules }
}

/// Creates an entry for files that are recognized by their path and the shape of their columns.
const fn shape_at(
    name: &'static str,
    vendor: &'static str,
    shape: &'static str,
    path: &'static str,
    rules: Rules,
) -> Entry {
    Entry { name, vendor, recognized_by: RecognizedBy::Shape(shape), path, rules }
}

/// All layouts. Layouts of files with a header come before layouts of files without a header.
pub static LAYOUTS: &[Entry] = &[
    header(
        "databento-mbo",
        "Databento, market by order (trades of it)",
        "tsevent rtype action price size orderid",
        Rules { only: Some(("action", &["T"])), ..DATABENTO },
    ),
    header(
        "databento-book",
        "Databento, mbp-1, mbp-10, tbbo",
        "tsevent rtype action bidpx00 askpx00",
        Rules { columns: "price= size=", ..DATABENTO },
    ),
    // `ts_event` is the time of the last trade, and `ts_recv` is the end of the interval.
    header(
        "databento-bbo",
        "Databento, bbo and cbbo, timed by the end of the interval",
        "tsrecv rtype bidpx00 askpx00",
        Rules { columns: "time=tsrecv price= size=", ..DATABENTO },
    ),
    header(
        "databento-statistics",
        "Databento, statistics",
        "tsevent rtype price stattype",
        Rules { unfit: Some("statistics of exchanges, neither trades nor quotes nor bars"), ..PLAIN },
    ),
    header(
        "databento-trades",
        "Databento, trades",
        "tsevent rtype action price size",
        Rules { only: Some(("action", &["T"])), ..DATABENTO },
    ),
    header(
        "databento-bars",
        "Databento, ohlcv-1s to ohlcv-1d",
        "tsevent rtype open high low close volume",
        DATABENTO,
    ),
    header(
        "tardis-book-changes",
        "Tardis, incremental_book_L2",
        "exchange symbol localtimestamp issnapshot side price amount",
        Rules { unfit: Some("changes of an order book, neither trades nor quotes nor bars"), ..PLAIN },
    ),
    header("tardis-trades", "Tardis", "exchange symbol timestamp localtimestamp id side price amount", PLAIN),
    header("tardis-quotes", "Tardis", "exchange symbol timestamp localtimestamp askamount askprice", PLAIN),
    header("tardis-book", "Tardis, book_snapshot_5 and _25", "exchange symbol timestamp asks[0]price", PLAIN),
    header("polygon-trades", "Polygon / Massive flat files", "ticker siptimestamp price size", PLAIN),
    header("polygon-quotes", "Polygon / Massive flat files", "ticker siptimestamp bidprice askprice", PLAIN),
    header(
        "polygon-bars",
        "Polygon / Massive flat files",
        "ticker volume open close high low windowstart",
        PLAIN,
    ),
    header("alpaca-bars", "Alpaca", "symbol timestamp open high low close volume tradecount vwap", PLAIN),
    header("alpaca-quotes", "Alpaca", "symbol timestamp askexchange askprice bidprice", PLAIN),
    header("alpaca-trades", "Alpaca", "symbol timestamp exchange price size id", PLAIN),
    header(
        "binance-klines",
        "Binance, with a header",
        "opentime open high low close volume closetime",
        PLAIN,
    ),
    header("binance-trades", "Binance, with a header", "id price qty quoteqty time isbuyermaker", PLAIN),
    header("binance-aggtrades", "Binance, with a header", "aggtradeid price quantity transacttime", PLAIN),
    header("binance-bookticker", "Binance", "updateid bestbidprice bestbidqty bestaskprice", PLAIN),
    header(
        "algoseek",
        "AlgoSeek, trades",
        "date timestamp eventtype ticker price quantity",
        Rules { only: Some(("eventtype", &["TRADE", "TRADE NB"])), ..PLAIN },
    ),
    header("taq-trades", "NYSE TAQ by WRDS", "date timem symroot size price", PLAIN),
    header("taq-quotes", "NYSE TAQ by WRDS", "date timem bid bidsiz ask asksiz", PLAIN),
    header("taq-daily-trades", "NYSE Daily TAQ", "time exchange symbol tradevolume tradeprice", TAQ),
    header("taq-daily-quotes", "NYSE Daily TAQ", "time exchange symbol bidprice offerprice", TAQ),
    header(
        "metatrader5",
        "MetaTrader 5, bars",
        "date open high low close tickvol vol spread",
        Rules { columns: "volume=tickvol", ..PLAIN },
    ),
    header(
        "crsp",
        "CRSP, stocks by day or month",
        "permno date prc vol bidlo askhi",
        Rules {
            columns: "symbol=ticker open=openprc high=askhi low=bidlo close=prc volume=vol bid= ask= price= size=",
            ..PLAIN
        },
    ),
    header(
        "ctp-ticks",
        "CTP, futures in China",
        "tradingday instrumentid updatetime updatemillisec lastprice volume",
        Rules { columns: "size= clock=updatetime", ..PLAIN },
    ),
    header("metatrader5-ticks", "MetaTrader 5, ticks", "date time bid ask last volume flags", PLAIN),
    header("stooq-bulk", "Stooq, bulk", "ticker per date time open high low close vol openint", PERIOD),
    header("finam", "Finam, bars", "ticker per date time open high low close vol", PERIOD),
    header(
        "finam-ticks",
        "Finam, ticks",
        "ticker per date time last vol",
        Rules { columns: "interval=", ..PLAIN },
    ),
    header(
        "quandl",
        "Quandl / Nasdaq Data Link",
        "date open high low close volume exdividend splitratio",
        PLAIN,
    ),
    header("yahoo", "Yahoo Finance, new and old", "date open high low close adjclose volume", PLAIN),
    header("nasdaq", "Nasdaq", "date closelast volume open high low", PLAIN),
    header("investing", "Investing.com", "date price open high low vol change%", PLAIN),
    header("investing", "Investing.com, German", "datum zuletzt eröffn hoch tief", PLAIN),
    header("investing", "Investing.com, Polish", "data ostatnio otwarcie max min", PLAIN),
    header("investing", "Investing.com, Korean", "날짜 종가 시가 고가 저가 거래량 변동%", PLAIN),
    header("investing", "Investing.com, Spanish", "fecha último apertura máximo mínimo", PLAIN),
    header("investing", "Investing.com, French", "date dernier ouv plushaut plusbas", PLAIN),
    header("kaggle-sp500", "Kaggle, S&P 500 stock data", "date open high low close volume name", PLAIN),
    header("cryptodatadownload", "CryptoDataDownload", "unix date symbol open high low close", PLAIN),
    header("cryptodatadownload", "CryptoDataDownload", "date symbol open high low close volumeusd", PLAIN),
    header("krx", "Korea Exchange", "일자 종가 시가 고가 저가 거래량", PLAIN),
    header(
        "krx-day",
        "Korea Exchange, all stocks of a day",
        "종목코드 종목명 종가 시가 고가 저가 거래량",
        Rules { is_of_one_day: true, ..PLAIN },
    ),
    header("nse", "NSE of India, bhavcopy", "symbol series open high low close tottrdqty timestamp", PLAIN),
    header(
        "nse-udiff",
        "NSE and BSE of India, UDiFF bhavcopy",
        "traddt tckrsymb opnpric hghpric lwpric clspric",
        PLAIN,
    ),
    header(
        "nse-full",
        "NSE of India, full bhavcopy",
        "symbol series date1 openprice closeprice ttltrdqnty",
        PLAIN,
    ),
    header("nse-history", "NSE of India, one stock", "date series open high low prevclose ltp close", PLAIN),
    header(
        "bse",
        "BSE of India, one stock",
        "date openprice highprice lowprice closeprice noofshares",
        PLAIN,
    ),
    header("dukascopy", "Dukascopy, candles", "gmttime open high low close", PLAIN),
    header("dukascopy", "Dukascopy, candles", "localtime open high low close", PLAIN),
    header("dukascopy", "Dukascopy, candles by JForex", "timeeet open high low close", PLAIN),
    header("dukascopy-ticks", "Dukascopy, ticks", "gmttime ask bid askvolume bidvolume", PLAIN),
    header("dukascopy-ticks", "Dukascopy, ticks", "localtime ask bid askvolume bidvolume", PLAIN),
    header("dukascopy-ticks", "Dukascopy, ticks by JForex", "timeeet ask bid askvolume bidvolume", PLAIN),
    header("zipline", "Zipline, csvdir", "date open high low close volume dividend split", PLAIN),
    header("backtrader", "Backtrader", "date time open high low close volume openinterest", PLAIN),
    header("backtrader", "Backtrader", "datetime open high low close volume openinterest", PLAIN),
    header("stooq", "Stooq, Polish", "data otwarcie najwyzszy najnizszy zamkniecie", PLAIN),
    named("stooq", "Stooq, one symbol", "date open high low close", "*_[dwm].csv"),
    named(
        "alphavantage",
        "Alpha Vantage",
        "timestamp open high low close volume",
        "{daily,weekly,monthly,intraday}_*",
    ),
    named(
        "firstrate",
        "FirstRate Data",
        "timestamp open high low close volume",
        "*_{1min,5min,30min,1hour,1day}*",
    ),
    named("tradingview", "TradingView", "time open high low close", "*, *.csv"),
    named(
        "dukascopy-node",
        "dukascopy-node and others, one side a file",
        "timestamp open high low close",
        "*-{bid,ask}-*",
    ),
    header(
        "dukascopy-node",
        "dukascopy-node, ticks",
        "timestamp askprice bidprice askvolume bidvolume",
        PLAIN,
    ),
    header(
        "coinmarketcap",
        "CoinMarketCap; its column `name` is a number for a currency, and is left out",
        "timeopen name open high low close volume marketcap",
        Rules { columns: "time=timeopen symbol=", ..PLAIN },
    ),
    header(
        "coingecko",
        "CoinGecko",
        "snappedat price marketcap totalvolume",
        Rules { columns: "size=totalvolume", ..PLAIN },
    ),
    header("refinitiv-trades", "LSEG / Refinitiv tick history", "ric datetime price volume", PLAIN),
    shape(
        "binance-klines",
        "Binance, spot",
        "unix open high low close volume unix# number int number number any",
        PLAIN,
    ),
    shape("binance-trades", "Binance, spot", "int price size number unix flag flag?", PLAIN),
    shape("binance-aggtrades", "Binance, spot", "int price size int int unix flag flag?", PLAIN),
    shape("kraken-bars", "Kraken, OHLCVT", "unix open high low close volume int", PLAIN),
    shape_at(
        "lobster-orderbook",
        "LOBSTER, with the message file beside it",
        "seconds ask asksize bid bidsize more",
        "*_orderbook_*",
        Rules { numbers: NumberRule::Lobster, times_beside: Some(("_orderbook_", "_message_")), ..PLAIN },
    ),
    shape(
        "lobster-messages",
        "LOBSTER, its executions",
        "seconds int int size price side any?",
        Rules { numbers: NumberRule::Lobster, only: Some(("1", &["4", "5"])), ..PLAIN },
    ),
    shape(
        "lean-quotebars",
        "QuantConnect LEAN",
        "millis open# high# low# bid bidsize open# high# low# ask asksize",
        LEAN,
    ),
    shape("lean-bars", "QuantConnect LEAN", "millis open high low close volume", LEAN),
    shape("lean-ticks", "QuantConnect LEAN", "millis price size any any any", LEAN),
    shape("lean-quotes", "QuantConnect LEAN", "millis bid bidsize ask asksize any? any? any?", LEAN),
    shape("lean-quotes", "QuantConnect LEAN", "millis bid ask", LEAN),
    shape("lean-trades", "QuantConnect LEAN", "millis price size flag?", LEAN),
    shape_at(
        "lean-bars",
        "QuantConnect LEAN",
        "datetime open high low close volume",
        "**/{daily,hour}/*",
        LEAN,
    ),
    shape_at(
        "lean-quotebars",
        "QuantConnect LEAN",
        "datetime open# high# low# bid bidsize open# high# low# ask asksize",
        "**/{daily,hour}/*",
        LEAN,
    ),
    shape(
        "ninjatrader-ticks",
        "NinjaTrader, each trade with the quote of its moment",
        "compact price bid ask size",
        PLAIN,
    ),
    shape(
        "bars",
        "any, without a header; an adjusted close is left out",
        "datetime open high low close adjusted whole",
        PLAIN,
    ),
    shape(
        "bars",
        "Kraken and others, with an average price",
        "unix open high low close within volume int",
        PLAIN,
    ),
    shape("bars", "any, without a header", "datetime open high low close", PLAIN),
    shape("truefx", "TrueFX", "symbol datetime bid ask", PLAIN),
    shape("tick-data-suite", "Tick Data Suite", "datetime bid ask bidsize asksize", PLAIN),
    shape("histdata-ticks", "HistData", "datetime bid ask int", PLAIN),
    shape_at("histdata-bars", "HistData", "datetime open high low close volume", "DAT_*", PLAIN),
    shape_at(
        "histdata-bars",
        "HistData, for MetaTrader",
        "points clock open high low close volume",
        "DAT_*",
        PLAIN,
    ),
    shape_at("histdata-ticks", "HistData, for NinjaTrader", "compact price int", "DAT_NT_*_LAST_*", PLAIN),
    shape_at("histdata-ticks", "HistData, for NinjaTrader", "compact bid int", "DAT_NT_*_BID_*", PLAIN),
    shape_at("histdata-ticks", "HistData, for NinjaTrader", "compact ask int", "DAT_NT_*_ASK_*", PLAIN),
    shape_at(
        "firstrate",
        "FirstRate Data",
        "datetime open high low close volume?",
        "*_{1min,5min,30min,1hour,1day}*",
        PLAIN,
    ),
    shape("ninjatrader-bars", "NinjaTrader; bars by their end", "compact open high low close volume", PLAIN),
    shape(
        "metatrader4",
        "MetaTrader 4",
        "points clock open high low close volume",
        Rules { has_period_in_name: true, ..PLAIN },
    ),
    shape("kibot-bars", "Kibot", "slashes clock open high low close volume", PLAIN),
    shape("kibot-bars", "Kibot, daily", "slashes open high low close volume", PLAIN),
    shape(
        "kibot-ticks",
        "Kibot; the quote of the moment is left out",
        "slashes clock price bid# ask# size",
        PLAIN,
    ),
    shape("kibot-ticks", "Kibot", "slashes clock price size", PLAIN),
    shape("finam", "Finam, bars", "symbol interval date clock open high low close volume", PERIOD),
    shape("finam-ticks", "Finam, ticks", "symbol int date clock price size", PLAIN),
    shape("quotes", "any, without a header", "datetime bid ask", PLAIN),
    shape("quotes", "any, without a header", "datetime ask bid", PLAIN),
    shape("bitcoincharts", "bitcoincharts and Kraken, trades", "unix price size", PLAIN),
    shape("bars", "any, without a header", "symbol datetime open high low close volume? any? any?", PLAIN),
    shape("bars", "any, without a header", "symbol date clock open high low close volume? any? any?", PLAIN),
    shape("bars", "any, without a header", "datetime open high low close volume? any? any?", PLAIN),
    shape("bars", "any, without a header", "date clock open high low close volume? any? any?", PLAIN),
    shape("quotes", "any, without a header", "date clock bid ask bidsize? asksize?", PLAIN),
    shape("trades", "any, without a header", "datetime price size", PLAIN),
    shape("trades", "any, without a header", "date clock price size?", PLAIN),
    shape("trades", "any, without a header", "symbol datetime price size?", PLAIN),
    shape("prices", "any, without a header", "datetime price", PLAIN),
];
