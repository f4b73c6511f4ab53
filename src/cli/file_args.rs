//! The flags that say how files are read. A replay, `inspect` and `cat` share these flags.

use std::fmt::Write;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use indexmap::IndexMap;
use toml::Value;

use crate::config::Sources;
use crate::feed::replay::{DateOrder, DecimalSign, DigitNotation, LAYOUTS, PriceNotation, Role};

/// The flags that say how files are read, for example in which time zone.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Reading files")]
pub struct ReadArgs {
    /// Symbol for files without a symbol column [default: from the file name]
    #[arg(long, value_name = "NAME")]
    pub symbol: Option<String>,
    /// Time zone of times without a UTC offset, such as Europe/Berlin [default: UTC]
    #[arg(long, value_name = "ZONE", allow_hyphen_values = true)]
    pub tz: Option<String>,
    /// Layout of the files; inspect --help lists all layouts
    #[arg(long, value_name = "NAME")]
    pub layout: Option<String>,
    /// Column of each role, by its name or by its number from 0, such as time=date+clock,price=2,size=-
    #[arg(long, value_name = "ROLE=COLUMN,…", value_delimiter = ',', value_parser = pair)]
    pub map: Vec<(String, String)>,
    /// Order of day, month and year in dates such as 01/02/2024: mdy, dmy or ymd
    #[arg(long, value_name = "ORDER", value_parser = checked::<DateOrder>)]
    pub date_order: Option<String>,
    /// Times of day in digits: digits (93000 is 9:30), or minutes, seconds, milliseconds, microseconds or
    /// nanoseconds since midnight
    #[arg(long, value_name = "NOTATION", value_parser = checked::<DigitNotation>)]
    pub time_of_day: Option<String>,
    /// Decimal sign: point or comma
    #[arg(long, value_name = "SIGN", value_parser = checked::<DecimalSign>)]
    pub decimal: Option<String>,
    /// Decimal places of prices that are written as integers; for example, 4 reads 1893000 as 189.3000
    #[arg(long, value_name = "DIGITS", allow_negative_numbers = true)]
    pub price_scale: Option<String>,
    /// Notation of prices: 32nds reads 112'165 and 112.165 as 112.515625
    #[arg(long, value_name = "NOTATION", value_parser = checked::<PriceNotation>)]
    pub prices: Option<String>,
    /// Separator of cells: one character, or tab
    #[arg(long, value_name = "CHARACTER")]
    pub delimiter: Option<String>,
    /// Character encoding of the files, such as utf-8, euc-kr or windows-1252
    #[arg(long, value_name = "NAME")]
    pub encoding: Option<String>,
    /// Skip events before this time, such as 2024-01-03T14:30:00Z
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Skip events at or after this time
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
    /// Fail at the first row that cannot be used, instead of skipping the row
    #[arg(long)]
    pub strict: bool,
    /// Largest size to which a packed file may unpack, in bytes [default: 1 TiB]
    #[arg(long, value_name = "BYTES", allow_negative_numbers = true)]
    pub max_bytes: Option<String>,
}

/// The flags of `inspect` and `cat`.
#[derive(Debug, Args)]
pub struct FilesArgs {
    /// Files, folders or file name patterns to read
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Configuration file [default: config.toml, if it exists]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Log level (error, warn, info, debug, trace), or directives such as tickerplant=debug [default: warn]
    #[arg(long, value_name = "LEVEL")]
    pub log: Option<String>,
    /// The flags that say how the files are read
    #[command(flatten)]
    pub read: ReadArgs,
}

impl ReadArgs {
    /// Returns the value of each flag that the user gave, with the flag's configuration key.
    pub(super) fn flags(&self) -> impl Iterator<Item = (&'static str, Value)> {
        let text = |value: &Option<String>| value.clone().map(Value::from);
        let mut map = toml::Table::new();
        for (role, column) in &self.map {
            // Two columns of one role become a list, which the configuration refuses.
            let column = Value::from(column.as_str());
            let columns = map.remove(role).map_or(column.clone(), |other| Value::from(vec![other, column]));
            map.insert(role.clone(), columns);
        }
        let flags = [
            ("feed.replay.symbol", text(&self.symbol)),
            ("feed.replay.tz", text(&self.tz)),
            ("feed.replay.layout", text(&self.layout)),
            ("feed.replay.map", (!map.is_empty()).then(|| Value::from(map))),
            ("feed.replay.date_order", text(&self.date_order)),
            ("feed.replay.time_of_day", text(&self.time_of_day)),
            ("feed.replay.decimal", text(&self.decimal)),
            ("feed.replay.price_scale", text(&self.price_scale)),
            ("feed.replay.prices", text(&self.prices)),
            ("feed.replay.delimiter", text(&self.delimiter)),
            ("feed.replay.encoding", text(&self.encoding)),
            ("feed.replay.from", text(&self.from)),
            ("feed.replay.to", text(&self.to)),
            ("feed.replay.strict", self.strict.then(|| Value::from(true))),
            ("feed.replay.max_bytes", text(&self.max_bytes)),
        ];
        flags.into_iter().filter_map(|(key, value)| Some((key, value?)))
    }

    /// Returns these flags as words of a command line. `inspect` uses the words to print the command that
    /// replays the files.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let text = |name: &str, value: &Option<String>| {
            value.iter().flat_map(|value| [format!("--{name}"), value.clone()]).collect::<Vec<_>>()
        };
        let map =
            self.map.iter().map(|(role, column)| format!("{role}={column}")).collect::<Vec<_>>().join(",");
        let map = Some(map).filter(|map| !map.is_empty());
        let named = [
            ("symbol", &self.symbol),
            ("tz", &self.tz),
            ("layout", &self.layout),
            ("map", &map),
            ("date-order", &self.date_order),
            ("time-of-day", &self.time_of_day),
            ("decimal", &self.decimal),
            ("price-scale", &self.price_scale),
            ("prices", &self.prices),
            ("delimiter", &self.delimiter),
            ("encoding", &self.encoding),
            ("from", &self.from),
            ("to", &self.to),
            ("max-bytes", &self.max_bytes),
        ];
        let strict = self.strict.then(|| "--strict".to_owned());
        named.into_iter().flat_map(|(name, value)| text(name, value)).chain(strict).collect()
    }
}

impl FilesArgs {
    /// Returns the sources of the configuration: the file, the environment and these flags.
    #[must_use]
    pub fn sources(&self, environment: Vec<(String, String)>) -> Sources {
        let paths: Vec<String> = self.files.iter().map(|path| path.display().to_string()).collect();
        let log = self.log.as_deref().map(|log| ("log", Value::from(log)));
        let flags = self.read.flags().chain(log).chain([("feed.replay.files", Value::from(paths))]).collect();
        Sources { file: self.config.clone(), environment, flags }
    }
}

/// Returns the part of the help text that lists all layouts.
pub(super) fn layouts() -> String {
    let mut text =
        "Layouts, recognized by the header or the shape of the columns, or chosen by --layout:\n".to_owned();
    // If several entries share a name, the vendor of the first entry is listed.
    let names: IndexMap<&str, &str> = LAYOUTS.iter().rev().map(|entry| (entry.name, entry.vendor)).collect();
    for (name, vendor) in names.iter().rev() {
        writeln!(text, "  {name:<22} {vendor}").expect("writing to a string never fails");
    }
    text.push_str(
        "In other files, columns of bars, trades and quotes are found by their names in the header.",
    );
    text
}

/// Returns the flag's text unchanged if the text can be parsed as a `T`.
fn checked<T: FromStr>(text: &str) -> Result<String, T::Err> {
    text.parse::<T>().map(|_| text.to_owned())
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((role, column)) if !role.trim().is_empty() && !column.trim().is_empty() => {
            let role = checked::<Role>(role.trim()).map_err(|error| error.to_string())?;
            Ok((role, column.trim().to_owned()))
        }
        _ => Err("a map has the form time=date+clock,price=2".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::{Cli, Subcommand};
    use super::*;

    #[test]
    fn the_words_of_flags_parse_as_the_same_flags() {
        let words = ["--symbol", "A", "--tz", "+02:00", "--map", "time=0+1,price=2", "--strict"];
        let cli = Cli::try_parse_from(["tickerplant", "cat", "a.csv"].iter().chain(&words)).unwrap();

        let Some(Subcommand::Cat(args)) = cli.command else { panic!("{cli:?}") };
        let mut again = args.read.words();
        again.sort();
        let mut words = words.map(str::to_owned);
        words.sort();
        assert_eq!(again, words);
    }

    #[test]
    fn every_layout_is_listed_once() {
        let text = layouts();

        for entry in LAYOUTS {
            let line = format!("\n  {} ", entry.name);
            assert_eq!(text.matches(&line).count(), 1, "{}", entry.name);
        }
    }
}
