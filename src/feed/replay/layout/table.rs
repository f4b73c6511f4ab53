//! The table of layouts, with an entry for each file format of each vendor.
//!
//! A new source needs one entry here, and a test case in `tests/it/files/layouts`. The entry describes the
//! columns: the module `header` explains the descriptions of headers, and the module `shape` the descriptions
//! of files without a header. For example, this entry reads the daily file of a stock exchange:
//!
//! ```text
//! header("nse-udiff", "NSE of India", "date=traddt symbol=tckrsymb open=opnpric close=clspric volume=ttlvol?"),
//! ```
//!
//! An entry names each column whose name is not a common word. So a name that only one vendor uses is never
//! one of the usual names in `role.rs`, and an entry cannot change how other files are read. A vendor whose
//! files have common words only needs no entry, unless its files without a header have one: `--layout` then reads
//! both.
//!
//! The first entry that fits a file is used, so specific entries come before general entries.

use super::entry::{Entry, IntervalRule, NumberRule, Rules, header, shape};

const PERIOD: Rules = Rules { interval: IntervalRule::Period, ..Rules::NONE };
const DATABENTO: Rules =
    Rules { numbers: NumberRule::FixedPoint, interval: IntervalRule::RecordType, ..Rules::NONE };
const DATABENTO_TRADES: Rules = Rules { only: Some(("action", &["T"])), ..DATABENTO };
const LEAN: Rules = Rules { numbers: NumberRule::Lean, ..Rules::NONE };

/// Returns the rules of a layout that cannot be replayed. `unfit` is the kind of data in its files.
const fn unfit(unfit: &'static str) -> Rules {
    Rules { unfit: Some(unfit), ..Rules::NONE }
}

/// All layouts. Layouts of files with a header come before layouts of files without a header.
pub static LAYOUTS: &[Entry] = &[
    header(
        "databento-mbo",
        "Databento, market by order (trades of it)",
        "time=tsevent interval=rtype action price size orderid",
    )
    .with(DATABENTO_TRADES),
    header(
        "databento-book",
        "Databento, mbp-1, mbp-10, tbbo",
        "time=tsevent interval=rtype action bidpx00 askpx00 price= size=",
    )
    .with(DATABENTO),
    // `ts_event` is the time of the last trade, and `ts_recv` is the end of the interval.
    header(
        "databento-bbo",
        "Databento, bbo and cbbo, timed by the end of the interval",
        "time=tsrecv interval=rtype bidpx00 askpx00 price= size=",
    )
    .with(DATABENTO),
    header("databento-statistics", "Databento, statistics", "tsevent rtype price stattype")
        .with(unfit("statistics of exchanges, neither trades nor quotes nor bars")),
    header("databento-trades", "Databento, trades", "time=tsevent interval=rtype action price size")
        .with(DATABENTO_TRADES),
    header(
        "databento-bars",
        "Databento, ohlcv-1s to ohlcv-1d",
        "time=tsevent interval=rtype open high low close volume",
    )
    .with(DATABENTO),
    header("databento", "Databento, some columns", "time=tsevent|tsrecv"),
    header(
        "tardis-book-changes",
        "Tardis, incremental_book_L2",
        "exchange symbol localtimestamp issnapshot side price amount",
    )
    .with(unfit("changes of an order book, neither trades nor quotes nor bars")),
    header("polygon-trades", "Polygon / Massive flat files", "time=siptimestamp price size"),
    header(
        "polygon-quotes",
        "Polygon / Massive flat files",
        "time=siptimestamp|participanttimestamp bidprice askprice",
    ),
    header("polygon-bars", "Polygon / Massive flat files", "time=windowstart volume open close high low"),
    header("binance-klines", "Binance, with a header", "opentime open high low close volume closetime"),
    header("binance-trades", "Binance, with a header", "id price qty quoteqty time isbuyermaker"),
    header("binance-aggtrades", "Binance, with a header", "time=transacttime aggtradeid price quantity"),
    header(
        "binance-bookticker",
        "Binance",
        "time=transactiontime|eventtime updateid bestbidprice bestbidqty bestaskprice",
    ),
    header("algoseek", "AlgoSeek, trades", "date timestamp eventtype ticker price quantity")
        .with(Rules { only: Some(("eventtype", &["TRADE", "TRADE NB"])), ..Rules::NONE }),
    header("taq-trades", "NYSE TAQ by WRDS", "date clock=timem symbol=symroot suffix=symsuffix? size price"),
    header(
        "taq-quotes",
        "NYSE TAQ by WRDS",
        "date clock=timem symbol=symroot suffix=symsuffix? bid=bid|bestbid bid_size=bidsiz|bestbidsiz ask=ask|bestask \
         ask_size=asksiz|bestasksiz",
    ),
    header("metatrader5", "MetaTrader 5, bars", "date open high low close volume=tickvol vol spread"),
    header(
        "crsp",
        "CRSP, stocks by day or month",
        "permno date symbol=ticker? open=openprc? high=askhi low=bidlo close=prc volume=vol bid= ask= price= size=",
    ),
    header(
        "ctp-ticks",
        "CTP, futures in China",
        "date=tradingday instrumentid clock=updatetime millis=updatemillisec lastprice volume size=",
    ),
    header("stooq-bulk", "Stooq, bulk", "ticker per date time open high low close vol openint").with(PERIOD),
    header("metastock", "MetaStock", "date=dtyyyymmdd open high low close").with(PERIOD),
    header("finam", "Finam, bars", "ticker per date time open high low close vol").with(PERIOD),
    header("finam-ticks", "Finam, ticks", "ticker per date time last vol interval="),
    header("nasdaq", "Nasdaq", "date close=closelast volume open high low"),
    header(
        "oanda",
        "Oanda, candles",
        "time symbol=instrument open=mido high=midh low=midl close=midc volume?",
    ),
    header("gain", "GAIN Capital", "time=ratedatetime symbol=currencypair bid=ratebid ask=rateask"),
    header("cryptocompare", "CryptoCompare", "time open high low close volume=volumefrom volumeto"),
    header("krx-day", "Korea Exchange, all stocks of a day", "종목코드 종목명 종가 시가 고가 저가 거래량")
        .with(Rules { is_of_one_day: true, ..Rules::NONE }),
    header(
        "nse",
        "NSE of India, bhavcopy",
        "symbol suffix=series open high low close=close volume=tottrdqty timestamp",
    ),
    header(
        "b3",
        "B3 of Brazil, consolidated trades",
        "date=rptdt symbol=tckrsymb high=maxpric low=minpric close=lastpric volume=fininstrmqty?",
    ),
    header(
        "nse-udiff",
        "NSE and BSE of India, UDiFF bhavcopy",
        "date=traddt symbol=tckrsymb suffix=sctysrs? expiry=xprydt? strike=strkpric? right=optntp? \
         open=opnpric high=hghpric low=lwpric close=clspric volume=ttltradgvol?",
    ),
    header(
        "nse-full",
        "NSE of India, full bhavcopy",
        "symbol suffix=series date=date1 openprice close=closeprice volume=ttltrdqnty",
    ),
    header(
        "bse",
        "BSE of India, one stock",
        "date openprice highprice lowprice closeprice volume=noofshares",
    ),
    header(
        "bse-day",
        "BSE of India, all stocks of a day",
        "symbol=sccode scname date=tradingdate? open high low close volume=noofshrs",
    )
    .with(Rules { is_of_one_day: true, ..Rules::NONE }),
    // Its column `Volume` is the turnover in money.
    header(
        "profit",
        "Profit by Nelogica",
        "ativo data hora abertura máximo mínimo fechamento volume volume=quantidade",
    ),
    header(
        "xetra",
        "Deutsche Börse, public data set",
        "mnemonic date time open=startprice high=maxprice low=minprice close=endprice volume=tradedvolume",
    ),
    header("moex", "Moscow Exchange, candles", "open close high low value volume time=begin end"),
    header("dukascopy", "Dukascopy, candles", "time=gmttime|utctime|localtime|timeeet open high low close"),
    header(
        "dukascopy-ticks",
        "Dukascopy, ticks",
        "time=gmttime|utctime|localtime|timeeet ask bid askvolume bidvolume",
    ),
    // A bar of Sierra Chart with an open of 0 is a trade: its high is the ask, and its low is the bid.
    header(
        "sierra-ticks",
        "Sierra Chart, ticks",
        "date time ask=high bid=low price=last size=volume bidvolume askvolume open= bid_size= ask_size=",
    )
    .with(Rules { zero: Some("open"), ..Rules::NONE }),
    header(
        "coinmarketcap",
        "CoinMarketCap; its column `name` is a number for a currency, and is left out",
        "time=timeopen name open high low close volume marketcap symbol=",
    ),
    header("coingecko", "CoinGecko", "time=snappedat price marketcap size=totalvolume"),
    header("coinapi-trades", "CoinAPI", "time=timeexchange price size=baseamount takerside"),
    header("bitget-trades", "Bitget", "tradeid timestamp price side size=sizebase"),
    header("tushare", "Tushare", "symbol=tscode date=tradedate open high low close volume=vol?"),
    header("bloomberg", "Bloomberg", "close=pxlast open=pxopen? high=pxhigh? low=pxlow? volume=pxvolume?"),
    header(
        "cboe-intervals",
        "Cboe, option quotes by interval; bars without trades are left out",
        "time=quotedatetime symbol=root|underlyingsymbol expiration strike optiontype bid ask open= high= low= close=",
    ),
    header(
        "ibkr-trades",
        "Interactive Brokers, statement of trades",
        "symbol datetime quantity price=tprice",
    ),
    header(
        "degiro",
        "Degiro, transactions",
        "date=date|datum|data|fecha clock=time|tijd|uhrzeit|heure|ora|hora symbol=product|produkt|produit|prodotto|producto \
         isin price=price|koers|kurs|cours|quotazione|precio size=quantity|aantal|anzahl|quantité|quantità|número \
         orderid",
    )
    .with(Rules { has_signed_sizes: true, ..Rules::NONE }),
    header(
        "trading212",
        "Trading 212, orders",
        "action time isin symbol=ticker size=noofshares price=priceshare",
    ),
    header("isyatirim", "İş Yatırım, bars by day", "date=tarih close=kapanıştl low=mintl high=maxtl volume="),
    header("fred", "Federal Reserve Economic Data", "date=observationdate"),
    header("coingecko-api", "CoinGecko, by its API", "time=timestamps price=prices marketcaps"),
    header(
        "refinitiv-ticks",
        "LSEG / Refinitiv tick history, version 1",
        "ric date=date[g]|date[l] clock=time[g]|time[l] type price volume bidprice askprice",
    ),
    header(
        "refinitiv-days",
        "LSEG / Refinitiv, bars by day",
        "ric tradedate open high low close=universalcloseprice",
    ),
    shape(
        "binance-klines",
        "Binance, spot",
        "unix open high low close volume unix# number int number number any",
    ),
    shape("binance-trades", "Binance, spot", "int price size number unix flag flag?"),
    shape("binance-aggtrades", "Binance, spot", "int price size int int unix flag flag?"),
    shape("gate-klines", "Gate.io, candles", "unix volume close high low open"),
    shape("quantquote", "QuantQuote, minutes", "date hhmm open high low close volume any any any"),
    shape("kraken-bars", "Kraken, OHLCVT", "unix open high low close volume int"),
    shape(
        "lobster-orderbook",
        "LOBSTER, with the message file beside it",
        "seconds ask asksize bid bidsize more",
    )
    .at("*_orderbook_*")
    .with(Rules {
        numbers: NumberRule::Lobster,
        times_beside: Some(("_orderbook_", "_message_")),
        ..Rules::NONE
    }),
    shape("lobster-messages", "LOBSTER, its executions", "seconds int int size price side any?")
        .with(Rules { numbers: NumberRule::Lobster, only: Some(("1", &["4", "5"])), ..Rules::NONE }),
    shape(
        "lean-quotebars",
        "QuantConnect LEAN",
        "millis open# high# low# bid bidsize open# high# low# ask asksize",
    )
    .with(LEAN),
    shape("lean-openinterest", "QuantConnect LEAN, open interest", "millis number")
        .at("*openinterest*")
        .with(unfit("open interest, neither trades nor quotes nor bars")),
    shape("lean-openinterest", "QuantConnect LEAN, open interest", "datetime number")
        .at("*openinterest*")
        .with(unfit("open interest, neither trades nor quotes nor bars")),
    shape("lean-bars", "QuantConnect LEAN", "millis open high low close volume").with(LEAN),
    shape("lean-ticks", "QuantConnect LEAN", "millis price size any any any").with(LEAN),
    shape("lean-quotes", "QuantConnect LEAN", "millis bid bidsize ask asksize any? any? any?").with(LEAN),
    shape("lean-quotes", "QuantConnect LEAN", "millis bid ask").with(LEAN),
    shape("lean-trades", "QuantConnect LEAN", "millis price size flag?").with(LEAN),
    shape("lean-bars", "QuantConnect LEAN", "datetime open high low close volume")
        .at("**/{daily,hour}/*")
        .with(LEAN),
    shape(
        "lean-quotebars",
        "QuantConnect LEAN",
        "datetime open# high# low# bid bidsize open# high# low# ask asksize",
    )
    .at("**/{daily,hour}/*")
    .with(LEAN),
    shape(
        "ninjatrader-ticks",
        "NinjaTrader, each trade with the quote of its moment",
        "compact price bid ask size",
    ),
    shape(
        "bars",
        "any, without a header; an adjusted close is left out",
        "datetime open high low close adjusted whole",
    ),
    shape("bars", "Kraken and others, with an average price", "unix open high low close within volume int"),
    shape("bars", "any, without a header", "datetime open high low close"),
    shape("truefx", "TrueFX", "symbol datetime bid ask"),
    shape("tick-data-suite", "Tick Data Suite", "datetime bid ask bidsize asksize"),
    shape("histdata-ticks", "HistData", "datetime bid ask int"),
    shape("histdata-bars", "HistData", "datetime open high low close volume").at("DAT_*"),
    shape("histdata-bars", "HistData, for MetaTrader", "points clock open high low close volume").at("DAT_*"),
    shape("histdata-ticks", "HistData, for NinjaTrader", "compact price int").at("DAT_NT_*_LAST_*"),
    shape("histdata-ticks", "HistData, for NinjaTrader", "compact bid int").at("DAT_NT_*_BID_*"),
    shape("histdata-ticks", "HistData, for NinjaTrader", "compact ask int").at("DAT_NT_*_ASK_*"),
    shape("firstrate", "FirstRate Data", "datetime open high low close volume?")
        .at("*_{1min,5min,30min,1hour,1day}*"),
    shape("ninjatrader-bars", "NinjaTrader; bars by their end", "compact open high low close volume"),
    shape("metatrader4", "MetaTrader 4", "points clock open high low close volume")
        .with(Rules { has_period_in_name: true, ..Rules::NONE }),
    shape("kibot-bars", "Kibot", "slashes clock open high low close volume"),
    shape("kibot-bars", "Kibot, daily", "slashes open high low close volume"),
    shape("kibot-ticks", "Kibot; the quote of the moment is left out", "slashes clock price bid# ask# size"),
    shape("kibot-ticks", "Kibot", "slashes clock price size"),
    shape("finam", "Finam, bars", "symbol interval date clock open high low close volume").with(PERIOD),
    shape("finam-ticks", "Finam, ticks", "symbol int date clock price size"),
    shape("quotes", "any, without a header", "datetime bid ask"),
    shape("quotes", "any, without a header", "datetime ask bid"),
    shape("bitcoincharts", "bitcoincharts and Kraken, trades", "unix price size"),
    shape("bars", "any, without a header", "symbol datetime open high low close volume? any? any?"),
    shape("bars", "any, without a header", "symbol date clock open high low close volume? any? any?"),
    shape("bars", "any, without a header", "datetime open high low close volume? any? any?"),
    shape("bars", "any, without a header", "date clock open high low close volume? any? any?"),
    shape("quotes", "any, without a header", "date clock bid ask bidsize? asksize?"),
    shape("trades", "any, without a header", "datetime price size"),
    shape("trades", "any, without a header", "date clock price size?"),
    shape("trades", "any, without a header", "symbol datetime price size?"),
    shape("prices", "any, without a header", "datetime price"),
];
