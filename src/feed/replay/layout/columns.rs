//! The columns of a file, each found by its role, such as time or price.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::entry::{Entry, RecognizedBy};
use super::header::{self, HeaderColumn};
use super::role::{Role, normal};
use super::shape;
use super::{Record, SymbolColumns, TimeColumns, Values};
use crate::feed::replay::path;
use crate::feed::replay::time::MidnightUnit;

/// The configured columns, each for a role such as time or price. A column is given by its name in the file's
/// header, or by its number, counted from 0. If the date and the time of day are in two columns, the entry
/// for `time` names both columns, as in `DATE+TIME`. The entry `-` leaves a role without a column.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Map(#[serde(deserialize_with = "named_columns")] pub BTreeMap<Role, String>);

/// The index of the column for each role, such as time or price.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    indices: [Option<usize>; Role::COUNT],
    /// The unit of the time of day, if the time of day is a count since midnight.
    pub(super) unit: Option<MidnightUnit>,
    /// Whether the name and the suffix of the symbol are the two halves of a pair.
    is_pair: bool,
}

/// Deserializes the columns of a map. The number of a column may be written without quotes.
fn named_columns<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<Role, String>, D::Error> {
    /// The name or the number of a column.
    struct Column(String);

    struct NameOrNumber;

    impl<'de> Visitor<'de> for NameOrNumber {
        type Value = Column;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a column's name in quotes, or its number from 0")
        }

        fn visit_i64<E: de::Error>(self, number: i64) -> Result<Column, E> {
            let number =
                u64::try_from(number).map_err(|_| E::invalid_value(Unexpected::Signed(number), &self))?;
            self.visit_u64(number)
        }

        fn visit_u64<E: de::Error>(self, number: u64) -> Result<Column, E> {
            Ok(Column(number.to_string()))
        }

        fn visit_str<E: de::Error>(self, name: &str) -> Result<Column, E> {
            Ok(Column(name.to_owned()))
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut columns: A) -> Result<Column, A::Error> {
            let mut names = Vec::new();
            while let Some(Column(name)) = columns.next_element()? {
                names.push(format!("`{name}`"));
            }
            Err(de::Error::custom(format_args!("{} are several columns for one role", names.join(" and "))))
        }
    }

    impl<'de> Deserialize<'de> for Column {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_any(NameOrNumber)
        }
    }

    let columns = BTreeMap::<Role, Column>::deserialize(deserializer)?;
    Ok(columns.into_iter().map(|(role, Column(column))| (role, column)).collect())
}

/// The entry of a map for a role that has no column.
const LEFT_OUT: &str = "-";

impl Map {
    /// Returns whether the map contains no column.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether the map leaves a role without a column.
    #[must_use]
    pub fn leaves_out(&self, role: Role) -> bool {
        self.0.get(&role).is_some_and(|column| column == LEFT_OUT)
    }

    /// Returns whether the map names a column for at least one of the roles.
    #[must_use]
    pub fn has_any(&self, roles: &[Role]) -> bool {
        roles.iter().any(|role| self.0.get(role).is_some_and(|column| column != LEFT_OUT))
    }
}

impl Columns {
    /// Finds the column for each role by the names in a header. `entry` is the known layout with this header,
    /// if any. The description of this layout overrides the usual column names.
    pub fn of_header(names: &[String], entry: Option<&Entry>) -> Self {
        let index_of = |wanted: &str| names.iter().position(|name| name == wanted);
        let mut columns = Self::default();
        for role in Role::all() {
            columns.indices[role as usize] = role.names().find_map(index_of);
        }
        // Beside a first price, the price called `open` is another one, such as yesterday's in files of Tehran.
        if let (Some(first), true) = (index_of("first"), columns.get(Role::High).is_some()) {
            columns.indices[Role::Open as usize] = Some(first);
        }
        // pandas writes its index as a first column without a name.
        let index = names.first().filter(|name| name.is_empty() || *name == "unnamed0").map(|_| 0);
        let has_time =
            [Role::Time, Role::Date, Role::TimeOfDay].iter().any(|role| columns.get(*role).is_some());
        if !has_time {
            columns.indices[Role::Time as usize] = index;
        }
        if columns.get(Role::Volume).is_none() {
            let volumes = (0..names.len())
                .filter(|column| is_volume_in(&names[*column]) && quote_rank(&names[*column]) < 3);
            columns.indices[Role::Volume as usize] = volumes.min_by_key(|column| quote_rank(&names[*column]));
        }
        for role in [Role::Bid, Role::BidSize, Role::Ask, Role::AskSize] {
            let best = columns.get(role).or_else(|| best_level(names, role));
            columns.indices[role as usize] = best;
        }
        // A contract without a name of its own has the name of what it is on.
        let is_contract = columns.get(Role::Expiry).or(columns.get(Role::Strike)).is_some();
        if is_contract && columns.get(Role::Symbol).is_none() {
            columns.indices[Role::Symbol as usize] =
                ["underlying", "underlyingsymbol", "underlier"].into_iter().find_map(index_of);
        }
        // The kind of an option is a call or a put.
        if columns.get(Role::Strike).is_some() && columns.get(Role::Right).is_none() {
            columns.indices[Role::Right as usize] = index_of("type");
        }
        let is_since_midnight = |column: usize| names[column] == "msofday";
        columns.unit = columns
            .get(Role::TimeOfDay)
            .filter(|column| is_since_midnight(*column))
            .map(|_| MidnightUnit::Milliseconds);
        if let Some(RecognizedBy::Header(described)) = entry.map(|entry| entry.recognized_by) {
            for column in header::columns(described) {
                columns.take_role(column, column.index_in(names));
            }
        }
        columns
    }

    /// Finds further columns of the symbol by what their cells hold in the first rows: the two halves of a pair, and
    /// calls and puts.
    pub fn symbol_by_its_cells(&mut self, names: &[String], rows: &[Record]) {
        self.pair(names, rows);
        if self.get(Role::Strike).is_some() && self.get(Role::Right).is_none() {
            self.right(rows);
        }
    }

    /// Sets the columns of the two halves of a pair, such as `base` and `quote`.
    fn pair(&mut self, names: &[String], rows: &[Record]) {
        const BASES: &str = "base basecurrency baseasset basesymbol basecoin baseccy fromcurrency fromsymbol fsym ccy1 \
            currency1 coin asset currency";
        const QUOTES: &str = "quote quotecurrency quoteasset quotesymbol quotecoin quoteccy countercurrency counter \
            tocurrency tosymbol tsym ccy2 currency2 term termcurrency";
        let among = |known: &str| {
            let is_known = |name: &String| known.split_ascii_whitespace().any(|known| known == name);
            let are_words = |column: &usize| {
                rows.iter().filter_map(|row| row.get(*column)).all(|cell| shape::is_word(cell.trim_ascii()))
            };
            names.iter().position(is_known).filter(are_words)
        };
        let (Some(base), Some(quote)) = (among(BASES), among(QUOTES)) else { return };
        let has_other_name = self.get(Role::Symbol).is_some_and(|name| name != base);
        if !has_other_name && self.get(Role::Suffix).is_none() {
            self.indices[Role::Symbol as usize] = Some(base);
            self.indices[Role::Suffix as usize] = Some(quote);
            self.is_pair = true;
        }
    }

    /// Makes the first column that holds calls and puts only the right. Such a column is no name of an instrument.
    fn right(&mut self, rows: &[Record]) {
        let is_free =
            |column: usize| Role::all().all(|role| role == Role::Symbol || self.get(role) != Some(column));
        let width = rows.iter().map(Vec::len).max().unwrap_or(0);
        let right = (0..width).find(|column| is_free(*column) && are_rights(rows, *column));
        self.indices[Role::Right as usize] = right;
        if right.is_some() && self.get(Role::Symbol) == right {
            self.indices[Role::Symbol as usize] = None;
        }
    }

    /// In a table of a time and one other column, makes that column the close if its name is the symbol in the
    /// file's name, as in `SP500.csv` with the column `SP500`.
    pub fn close_by_name_of_file(&mut self, names: &[String], path: &str) {
        let symbol = path::symbol(path).map(|symbol| normal(symbol.as_str().as_bytes()));
        let time = [Role::Time, Role::Date].into_iter().find_map(|role| self.get(role));
        if let (Some(symbol), Some(time @ 0..2), 2) = (symbol, time, names.len())
            && names[1 - time] == symbol
        {
            self.indices[Role::Close as usize] = Some(1 - time);
        }
    }

    /// Gives a column the role that the description of a header says. The column loses any other role.
    fn take_role(&mut self, column: HeaderColumn, index: Option<usize>) {
        let Some(role) = column.role else { return };
        for other in self.indices.iter_mut().filter(|other| index.is_some() && **other == index) {
            *other = None;
        }
        self.indices[role as usize] = index;
    }

    /// Returns the columns that a shape describes. A shape is a description of the columns in a file without
    /// a header.
    pub fn of_shape(shape: &'static str) -> Self {
        let mut columns = Self::default();
        for (index, column) in shape::columns(shape).0.into_iter().enumerate() {
            if let Some(role) = column.role {
                columns.indices[role as usize] = Some(index);
            }
            columns.unit = columns.unit.or(column.midnight_unit());
        }
        columns
    }

    /// Sets the columns of all roles in the configured map.
    ///
    /// # Errors
    ///
    /// If the configured column for a role is not in the header, returns this role as the error.
    pub fn amended(mut self, map: &Map, names: &[String]) -> Result<Self, Role> {
        let index_of = |column: &str| {
            let wanted = normal(column.as_bytes());
            column.trim().parse().ok().or_else(|| names.iter().position(|name| *name == wanted))
        };
        self.give_way(map);
        for (role, column) in &map.0 {
            match (role, column.split_once('+')) {
                _ if column == LEFT_OUT => self.indices[*role as usize] = None,
                (Role::Time, Some((date, time_of_day))) => {
                    self.indices[Role::Date as usize] = Some(index_of(date).ok_or(Role::Time)?);
                    self.indices[Role::TimeOfDay as usize] = Some(index_of(time_of_day).ok_or(Role::Time)?);
                }
                _ => self.indices[*role as usize] = Some(index_of(column).ok_or(*role)?),
            }
        }
        // A configured column has no other role that nobody configured.
        let configured: Vec<usize> = map.0.keys().filter_map(|role| self.get(*role)).collect();
        for role in Role::all().filter(|role| !map.0.contains_key(role)) {
            let is_time = [Role::Date, Role::TimeOfDay].contains(&role);
            if !is_time && self.get(role).is_some_and(|column| configured.contains(&column)) {
                self.indices[role as usize] = None;
            }
        }
        Ok(self)
    }

    /// Removes the columns that contradict the columns in a configured map.
    ///
    /// If the map has a time column, all other time columns are removed. If the map has a column for trade
    /// prices or quotes, all columns for bars are removed. If the map has a column for the prices of bars,
    /// all columns for trades and quotes are removed.
    fn give_way(&mut self, map: &Map) {
        const TIME: &[Role] = &[Role::Time, Role::Date, Role::TimeOfDay, Role::Millis, Role::Zone];
        const TICKS: &[Role] = &[Role::Price, Role::Size, Role::Bid, Role::BidSize, Role::Ask, Role::AskSize];
        const BARS: &[Role] = &[Role::Open, Role::High, Role::Low, Role::Close, Role::Volume];
        let forgotten = [
            (TIME, map.has_any(&TIME[..3])),
            (BARS, map.has_any(&TICKS[..1]) || map.has_any(&TICKS[2..])),
            (TICKS, map.has_any(&BARS[..4])),
        ];
        for (roles, _) in forgotten.into_iter().filter(|(_, is_forgotten)| *is_forgotten) {
            for role in roles {
                self.indices[*role as usize] = None;
            }
        }
    }

    /// Returns the index of the column for a role.
    pub fn get(&self, role: Role) -> Option<usize> {
        self.indices[role as usize]
    }

    /// Returns how many cells of a row must be read to include the last column that has a role.
    pub fn width(&self) -> usize {
        self.indices.iter().flatten().max().map_or(0, |last| last + 1)
    }

    /// Returns the indices of all columns with prices, sizes or volumes.
    pub fn numbers(&self) -> impl Iterator<Item = usize> {
        let first = Role::Price as usize;
        self.indices[first..=Role::Volume as usize].iter().flatten().copied()
    }

    /// Returns the columns from which an event's symbol is read; `None` if there is no such column. A suffix
    /// alone is no symbol.
    pub fn symbol(&self) -> Option<SymbolColumns> {
        let name = self.get(Role::Symbol);
        let [expiry, strike, right] = [Role::Expiry, Role::Strike, Role::Right].map(|role| self.get(role));
        let suffix = name.and(self.get(Role::Suffix));
        name.or(expiry).or(strike).or(right)?;
        let is_pair = self.is_pair && suffix.is_some();
        Some(SymbolColumns { name, suffix, is_pair, expiry, strike, right })
    }

    /// Returns whether the time in the rows is just a count since midnight, without a date. The day must then
    /// be found in the file's path.
    pub fn needs_day(&self) -> bool {
        self.unit.is_some() && self.get(Role::Date).is_none()
    }

    /// Returns the columns for an event's values, such as its price and size; `None` if there is no column
    /// for a price.
    pub fn values(&self) -> Option<Values> {
        let get = |role| self.get(role);
        let (open, high, low, price) = (get(Role::Open), get(Role::High), get(Role::Low), get(Role::Price));
        let is_bar = open.is_some() && high.is_some() && low.is_some();
        let (bid, ask) = (get(Role::Bid), get(Role::Ask));
        // Beside a bid or an ask, a close without open, high and low is the previous day's close.
        let close = get(Role::Close).filter(|_| is_bar || bid.or(ask).is_none());
        if let Some(close) = close.or(price.filter(|_| is_bar)) {
            return Some(Values::Bars { open, high, low, close, volume: get(Role::Volume) });
        }
        price.or(bid).or(ask)?;
        Some(Values::Ticks {
            price,
            size: price.and(get(Role::Size)),
            bid,
            bid_size: bid.and(get(Role::BidSize)),
            ask,
            ask_size: ask.and(get(Role::AskSize)),
        })
    }

    /// Returns the minimum number of cells in a usable row: enough cells for the time, the symbol and one
    /// price.
    pub fn least(&self, time: TimeColumns, values: &Values) -> usize {
        let last_of_time = match time {
            TimeColumns::One(column) | TimeColumns::TimeOfDay { time_of_day: column, .. } => Some(column),
            TimeColumns::Two { date, time_of_day, .. } => Some(date.max(time_of_day)),
            TimeColumns::Parts(parts) => parts.columns().max(),
            TimeColumns::Day(_) => None,
        };
        let value = match values {
            Values::Bars { close, .. } => Some(*close),
            Values::Ticks { price, bid, ask, .. } => [price, bid, ask].into_iter().flatten().min().copied(),
        };
        [last_of_time, value, self.get(Role::Symbol)].into_iter().flatten().max().map_or(0, |last| last + 1)
    }
}

/// Returns whether a column holds calls and puts only. Futures between them have none.
fn are_rights(rows: &[Record], column: usize) -> bool {
    const RIGHTS: [&str; 8] = ["CE", "PE", "C", "P", "CALL", "PUT", "CA", "PA"];
    const NONE: [&str; 5] = ["FUT", "FUTSTK", "FUTIDX", "XX", ""];
    let cells = || rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.trim_ascii());
    let is_among =
        |cell: &[u8], words: &[&str]| words.iter().any(|word| cell.eq_ignore_ascii_case(word.as_bytes()));
    cells().any(|cell| is_among(cell, &RIGHTS))
        && cells().all(|cell| is_among(cell, &RIGHTS) || is_among(cell, &NONE))
}

/// Returns the column of the best level of an order book, as in `bid_0_price`, `bids[0].price` or `BidPrice1`.
/// Levels count from 0 or from 1.
fn best_level(names: &[String], role: Role) -> Option<usize> {
    let level = |name: &String| -> Option<u8> {
        let text: String = name.chars().filter(char::is_ascii_alphabetic).collect();
        let singular = text.replacen("bids", "bid", 1).replacen("asks", "ask", 1);
        let level: String = name.chars().filter(char::is_ascii_digit).collect();
        level
            .parse()
            .ok()
            .filter(|level| *level < 2 && role.names().any(|known| known == text || known == singular))
    };
    let levels = (0..names.len()).filter_map(|column| Some((level(&names[column])?, column)));
    levels.min().map(|(_, column)| column)
}

/// Returns whether a column name means a volume with a unit, such as `Volume BTC` or `Volume Shares`. A name
/// with more text than a unit after `volume` does not match, because the name may mean an average, such as a
/// volume-weighted price.
fn is_volume_in(name: &str) -> bool {
    let unit = name.strip_prefix("volume").unwrap_or_default();
    unit == "shares" || (3..=5).contains(&unit.len()) && unit.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// Returns how likely the unit of a volume is the currency of the prices rather than the traded asset. The name
/// is one for which [`is_volume_in`] is true.
fn quote_rank(name: &str) -> u8 {
    match name.trim_start_matches("volume") {
        "usd" | "usdt" | "usdc" | "busd" | "tusd" | "dai" | "eur" | "gbp" | "jpy" | "krw" | "try" | "aud"
        | "cad" | "chf" | "brl" | "inr" => 3,
        "btc" => 2,
        "eth" => 1,
        _ => 0,
    }
}
