//! The settings of a replay, parsed from its configuration.

use encoding_rs::Encoding;

use super::character_encoding;
use super::config::Config;
use super::container::Bounds;
use super::extent::TimeRange;
use super::layout::{LAYOUTS, Map, Role};
use super::moment::MomentParser;
use super::number::{DecimalSign, PriceNotation};
use super::time::{DateOrder, DigitNotation};
use super::zone::Zone;
use crate::feed::error::FeedError;
use crate::feed::line_settings::LineSettings;
use crate::feed::reject_counters::RejectCounters;
use crate::market::Symbol;

/// The parsed and checked settings of a replay.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The symbol of files without a symbol column. `None` means that the symbol is found in the file's name.
    pub symbol: Option<Symbol>,
    /// The time zone of times without an offset from UTC. `None` means that these times are in UTC.
    pub zone: Option<Zone>,
    /// The name of the layout of all files. `None` means that the layout is recognized from the content of
    /// each file.
    pub layout: Option<&'static str>,
    pub map: Option<Map>,
    pub date_order: Option<DateOrder>,
    /// The notation of times of day in digits. `None` means that all times of a file decide.
    pub time_of_day: Option<DigitNotation>,
    pub decimal: Option<DecimalSign>,
    pub price_scale: Option<u32>,
    /// The notation of prices. `None` means that they are decimal numbers.
    pub prices: Option<PriceNotation>,
    pub encoding: Option<&'static Encoding>,
    pub delimiter: Option<u8>,
    pub range: TimeRange,
    /// Whether the first rejected row ends the replay with an error.
    pub is_strict: bool,
    pub bounds: Bounds,
    /// The largest number of rows that a file may have if it is not in time order.
    pub sort_rows: usize,
    /// The largest allowed length of a line, in bytes; 0 means no limit.
    pub line_bytes: usize,
    pub reject_counters: RejectCounters,
}

impl Settings {
    /// Parses and checks the settings.
    ///
    /// # Errors
    ///
    /// Returns an error that names the first invalid setting.
    pub fn new(config: &Config, lines: &LineSettings) -> Result<Self, FeedError> {
        let fault = |key, fault: String| FeedError::Setting { key, fault };
        let symbol = config.symbol.as_deref().map(str::parse::<Symbol>).transpose();
        let zone =
            config.tz.as_deref().map(str::parse).transpose().map_err(|source| FeedError::Zone { source })?;
        let layout = config.layout.as_deref().map(|name| {
            let known = LAYOUTS.iter().map(|entry| entry.name).find(|known| *known == name);
            known.ok_or_else(|| fault("layout", format!("there is no layout `{name}`")))
        });
        let price_scale = match config.price_scale {
            Some(scale) if scale > 28 => {
                return Err(fault("price_scale", format!("{scale} is not between 0 and 28")));
            }
            scale => scale,
        };
        let moments = MomentParser { zone: zone.clone(), date_order: config.date_order };
        let moment = |key, text: &Option<String>| {
            let read = |text: &str| moments.parse(text).map_err(|error| fault(key, error.to_string()));
            text.as_deref().map(read).transpose()
        };
        if config.map.leaves_out(Role::Time) {
            return Err(fault("map", "`time=-` leaves a file without its times".to_owned()));
        }
        let (from, to) = (moment("from", &config.from)?, moment("to", &config.to)?);
        if let (Some(from), Some(to)) = (from, to)
            && to <= from
        {
            return Err(fault("to", format!("{to} is not after feed.replay.from, {from}")));
        }
        Ok(Self {
            symbol: symbol.map_err(|error| fault("symbol", error.to_string()))?,
            layout: layout.transpose()?,
            map: Some(config.map.clone()).filter(|map| !map.is_empty()),
            date_order: config.date_order,
            time_of_day: config.time_of_day,
            decimal: config.decimal,
            price_scale,
            prices: config.prices,
            encoding: config.encoding.as_deref().map(character_encoding::by_label).transpose()?,
            delimiter: config.delimiter.as_deref().map(delimiter).transpose()?,
            range: TimeRange { from, to },
            is_strict: config.strict,
            bounds: Bounds { max_bytes: config.max_bytes, max_ratio: config.max_ratio },
            sort_rows: config.sort_rows,
            line_bytes: lines.line_bytes,
            reject_counters: lines.reject_counters.clone(),
            zone,
        })
    }
}

fn delimiter(text: &str) -> Result<u8, FeedError> {
    match text {
        "tab" | "\\t" => Ok(b'\t'),
        _ => match text.as_bytes() {
            [byte] if byte.is_ascii() && !byte.is_ascii_alphanumeric() && *byte != b'"' => Ok(*byte),
            _ => Err(FeedError::Setting { key: "delimiter", fault: format!("`{text}` is not a delimiter") }),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Result<Settings, String> {
        let config: Config = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        let lines = LineSettings { line_bytes: 0, reject_counters: RejectCounters::default() };
        Settings::new(&config, &lines).map_err(|error| error.to_string())
    }

    #[test]
    fn from_without_an_offset_is_in_the_zone_of_the_files() {
        let from = |text: &str| settings(text).unwrap().range.from.unwrap().to_string();

        assert_eq!(from("from = \"2024-01-03\""), "2024-01-03T00:00:00Z");
        assert_eq!(from("from = \"2024-01-03 09:30\"\ntz = \"America/New_York\""), "2024-01-03T14:30:00Z");
        assert_eq!(from("from = \"2024-01-03T09:30:00+01:00\""), "2024-01-03T08:30:00Z");
    }

    #[test]
    fn a_setting_that_cannot_be_used_is_an_error_with_its_key() {
        for (text, start) in [
            ("symbol = \"A B\"", "feed.replay.symbol: symbol \"A B\" has a space"),
            ("layout = \"reuters\"", "feed.replay.layout: there is no layout `reuters`"),
            ("delimiter = \"ab\"", "feed.replay.delimiter: `ab` is not a delimiter"),
            ("from = \"noon\"", "feed.replay.from: `noon` is not a time"),
            (
                "from = \"1677-09-21 00:12:44\"\ntz = \"+14:00\"",
                "feed.replay.from: `1677-09-21 00:12:44` is not a time",
            ),
            (
                "from = \"2024-01-03\"\nto = \"2024-01-03\"",
                "feed.replay.to: 2024-01-03T00:00:00Z is not after feed.replay.from, 2024-01-03T00:00:00Z",
            ),
            ("price_scale = 29", "feed.replay.price_scale: 29 is not between 0 and 28"),
            ("date_order = \"myd\"", "unknown variant `myd`, expected one of"),
            ("map = { price = [\"1\", \"2\"] }", "`1` and `2` are several columns for one role"),
            ("map = { time = \"-\" }", "feed.replay.map: `time=-` leaves a file without its times"),
            ("map = { prize = \"1\" }", "`prize` is not a role of a column; roles are "),
        ] {
            let error = settings(text).unwrap_err();
            assert!(error.starts_with(start), "{error}");
        }
    }

    #[test]
    fn a_delimiter_is_a_character_or_a_tab() {
        assert_eq!(settings("delimiter = \"tab\"").unwrap().delimiter, Some(b'\t'));
        assert_eq!(settings("delimiter = \"|\"").unwrap().delimiter, Some(b'|'));
    }
}
