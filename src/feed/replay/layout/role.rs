//! The roles of columns, such as time or price, and the usual column names for each role.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, de};

/// The role of a column, i.e. what its cells mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A complete time: a date with a time of day, or a Unix time.
    Time,
    /// A date. A column with the role `clock`, if there is one, adds the time of day.
    Date,
    /// A time of day. In a file without a date column, the cells may also hold complete times. The
    /// configuration calls this role `clock`.
    #[serde(rename = "clock")]
    TimeOfDay,
    /// The milliseconds of a second, which are added to the time.
    Millis,
    /// The zone of the time, or its offset from UTC.
    Zone,
    /// The name of the instrument.
    Symbol,
    /// A suffix that is appended to the name of the instrument, such as the `B` in `BRK.B`.
    Suffix,
    /// The day or the month in which a contract expires.
    Expiry,
    /// The strike of an option.
    Strike,
    /// Whether an option is a call or a put.
    Right,
    /// The price of a trade.
    Price,
    /// The size of a trade.
    Size,
    /// The best bid.
    Bid,
    /// The size at the best bid.
    BidSize,
    /// The best ask.
    Ask,
    /// The size at the best ask.
    AskSize,
    /// A bar's first price.
    Open,
    /// A bar's highest price.
    High,
    /// A bar's lowest price.
    Low,
    /// A bar's last price.
    Close,
    /// A bar's volume.
    Volume,
    /// The length of time that a bar covers.
    Interval,
}

/// For each role, the usual column names, converted by [`normal`]: common words of each language. The names
/// that only one vendor uses belong to the vendor's entry in the table of layouts.
///
/// If a header has several of the names for a role, the name that comes first in this list is used. So a
/// column `time` (the time at the exchange) is preferred to a column `localtimestamp` (the time of
/// recording).
const NAMES: [(Role, &str); Role::COUNT] = [
    (
        Role::Time,
        "utctime timestamputc utctimestamp datetimeutc utcdatetime utc gmt timestamp datetime dateandtime opentime eventtime createdtime createdat datumzeit exectime execdate executiontime executiondate tradetime transacttime executedat filledat zeitstempel 日時 tidspunkt",
    ),
    (
        Role::Date,
        "dateutc utcdate date day datum data fecha tradedate дататоргов tradingday tradingdate 일자 날짜 기준일 日期 交易日期 日付 дата tarih päivämäärä dagsetning dato fechahora",
    ),
    (
        Role::TimeOfDay,
        "timeutc time localtime ts unix unixtime unixtimestamp epoch t localtimestamp \
         receivedtime uhrzeit zeit tijd czas 시간 체결시간 체결시각 время hora 时间 saat msofday ora heure tid",
    ),
    (Role::Millis, "millis millisec millisecs millisecond milliseconds ms msec"),
    (Role::Zone, "timezone tz tzone utcoffset tzoffset zeitzone 时区"),
    (
        Role::Symbol,
        "symbol ticker tic mnemonic root code shortcode 종목코드 name instrument instrumentname sym pair \
         ric security contract asset product produkt stock secid securityid coin isin cusip instrumentid stockid assetid productid currencypair pairname tradingpair marketpair symbolname tickersymbol stocksymbol instrumentcode securitycode \
         股票代码 证券代码 ativo 合约代码 合约 тикер инструмент sembol scrip scripname scripcode stockname tradingsymbol market",
    ),
    (Role::Suffix, "suffix symbolsuffix"),
    (
        Role::Expiry,
        "expiry exp expirydt expirydate expiration expirationdate expdate expiredate maturity maturitydate deliverymonth \
         contractmonth contractdate vencimiento vencimento verfall",
    ),
    (Role::Strike, "strike strikepr strikeprice strikepreis basispreis"),
    (Role::Right, "right optiontype optiontyp opttype putcall callput cp cpflag"),
    (
        Role::Price,
        "price lastprice tradeprice last latest px rate ltp zuletzt ostatnio último dernier ultimo kurs cena 현재가 체결가 成交价 最新价 现价 koers цена fiyat şimdi precio preço preco prezzo prix cours preis pris hinta harga 価格 가격 价格 lastpx execprice fillprice",
    ),
    (
        Role::Size,
        "size qty quantity tradesize tradevolume lastsize lastqty lastquantity volume vol amount shares 체결량 변동량 aantal wolumen stück 成交量 объём объем количество miktar lot lots units nominal antal volym ilość cantidad quantité quantidade quantità titres contratos menge 수량 数量 出来高 lastshares tradeqty sz volumen volym",
    ),
    (Role::Bid, "bid bidprice bestbid bestbidprice bidpx bidclose geld kupno 매수 매수호가"),
    (Role::BidSize, "bidsize bidsiz bestbidsize bidqty bestbidqty bidamount bidvolume bidvol bidsz"),
    (
        Role::Ask,
        "ask askprice bestask bestaskprice askpx offer offerprice offerpx bestoffer bestofferprice ofr askclose brief 매도 매도호가",
    ),
    (
        Role::AskSize,
        "asksize askqty bestaskqty askamount askvolume askvol offersize bestoffersize offerqty ofrsiz asksz",
    ),
    (
        Role::Open,
        "open openprice openingprice o first açılışfiyatı eröffnung eröffn eröffnungskurs erster otwarcie 시가 始値 开盘 开盘价 開盤 開盤價 открытие ценаоткрытия откр açılış apertura abertura ouv ouverture openen openingskoers öppning öppningskurs avaus avausarvo otevření otevírací öppen erster abertura",
    ),
    (
        Role::High,
        "high highprice h max hoch tageshoch höchst najwyższy najwyzszy 고가 高値 最高 最高价 最高價 高 максимум макс максимальнаяцена yüksek enyüksek máximo maximo máxima massimo haut plushaut hoogste högst högstakurs ylin nejvyšší maximum hoog högsta alto hi höchstkurs høy højeste magas",
    ),
    (
        Role::Low,
        "low lowprice l min tief tagestief tiefst najniższy najnizszy 저가 安値 最低 最低价 最低價 低 минимум мин минимальнаяцена düşük endüşük mínimo minimo mínima bas plusbas laagste lägst lägstakurs alin nejnižší minimum laag lägsta bajo lo tiefstkurs lav laveste",
    ),
    (
        Role::Close,
        "close closeprice closingprice fechamento c closing settle schluss schlusskurs zamknięcie zamkniecie 종가 終値 收盘 收盘价 收盤 收盤價 закрытие закр ценазакрытия kapanış kapanışfiyatı cierre clôture slot slotkoers senast stängning päätös päätöskurssi päätösarvo závěr závěrečná zavírací chiusura laatste senaste fecho clot letzter sluiten",
    ),
    (
        Role::Volume,
        "volume vol totaltradedquantity totaltradequantity tradingvolume v tradedquantity totalvolume umsatz stuecke stücke volumen \
         wolumen wol obrót 거래량 出来高 売買高 成交量 成交股數 交易量 объём объем объемторгов объемторговшт hacim işlemmiktarı hac volym tickvolume qty antal stück quantidade volyymi objem vaihto sharestraded antalaktier vaihdettu",
    ),
    (Role::Interval, "interval timeframe barsize per"),
];

/// The error for a text that is not the name of a role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a role of a column; roles are time, date, clock, millis, zone, symbol, suffix, expiry, strike, right, price, size, bid, bid_size, ask, \
     ask_size, open, high, low, close, volume and interval"
)]
pub struct RoleError(String);

impl Role {
    /// The number of roles.
    pub const COUNT: usize = 22;

    /// Returns the column names of this role, in the order of preference.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        NAMES[self as usize].1.split_ascii_whitespace()
    }

    /// Returns all roles.
    pub fn all() -> impl Iterator<Item = Self> {
        NAMES.iter().map(|(role, _)| *role)
    }

    /// Returns the name of this role in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Date => "date",
            Self::TimeOfDay => "clock",
            Self::Millis => "millis",
            Self::Zone => "zone",
            Self::Symbol => "symbol",
            Self::Suffix => "suffix",
            Self::Expiry => "expiry",
            Self::Strike => "strike",
            Self::Right => "right",
            Self::Price => "price",
            Self::Size => "size",
            Self::Bid => "bid",
            Self::BidSize => "bid_size",
            Self::Ask => "ask",
            Self::AskSize => "ask_size",
            Self::Open => "open",
            Self::High => "high",
            Self::Low => "low",
            Self::Close => "close",
            Self::Volume => "volume",
            Self::Interval => "interval",
        }
    }
}

impl FromStr for Role {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, RoleError> {
        Self::all().find(|role| role.name() == text).ok_or_else(|| RoleError(text.to_owned()))
    }
}

/// Deserializes a role from a string, so that the error for an unknown role contains the unknown name.
impl<'de> Deserialize<'de> for Role {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Returns whether a header is in a European language that uses decimal commas and puts the day first in a
/// date.
pub fn is_european(names: &[String]) -> bool {
    const NAMES: &str = "datum uhrzeit zeit zeitpunkt kurs schluss schlusskurs eröffnung hoch tief data czas otwarcie zamknięcie \
        zamkniecie kurszamknięcia fecha hora cierre apertura heure ouv ouverture clôture дата tarih päivämäärä senast openen slot závěr";
    names.iter().any(|name| NAMES.split_ascii_whitespace().any(|known| name == known))
}

/// Normalizes a column name: converts letters to lower case, and removes all characters except letters,
/// digits, brackets and percent signs. For example, `<DATE>` becomes `date`, and `asks[0].price` becomes
/// `asks[0]price`. The number of a name in a list, as in `1. open`, does not count. Brackets around a whole name do not count. Of a name in two languages, such as `price/价格`, only the English half counts.
pub fn normal(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    let counts = |c: &char| c.is_alphanumeric() || "[]%".contains(*c);
    let english = name.split_once('/').filter(|(one, other)| one.is_ascii() && !other.is_ascii());
    let name = english.map_or(&*name, |(english, _)| english).trim();
    let number = name.split_once(". ").filter(|(number, _)| number.bytes().all(|byte| byte.is_ascii_digit()));
    let name = number.map_or(name, |(_, name)| name);
    let in_brackets = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    let name = in_brackets.unwrap_or(name);
    name.chars().flat_map(char::to_lowercase).filter(counts).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_has_its_index_and_its_name() {
        for (index, (role, names)) in NAMES.iter().enumerate() {
            assert_eq!(*role as usize, index);
            assert_eq!(role.name().parse(), Ok(*role));
            assert_eq!(serde_json::to_string(role).unwrap(), format!("\"{role}\""));
            for name in names.split_ascii_whitespace() {
                assert_eq!(normal(name.as_bytes()), name, "{role}");
            }
        }
        assert_eq!("prize".parse::<Role>(), Err(RoleError("prize".to_owned())));
    }

    #[test]
    fn a_normal_name_has_no_case_and_no_punctuation() {
        for (name, short) in [
            ("<DATE>", "date"),
            (" Adj. Close ", "adjclose"),
            ("bids[0].price", "bids[0]price"),
            ("Gmt time", "gmttime"),
            ("Close/Last", "closelast"),
            ("Eröffn.", "eröffn"),
            ("종가", "종가"),
            ("Change %", "change%"),
            ("price/价格", "price"),
            (" [Close]", "close"),
            ("4. close", "close"),
        ] {
            assert_eq!(normal(name.as_bytes()), short);
        }
    }
}
