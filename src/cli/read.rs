//! The flags that say how files are read: the same for a replay, for `inspect` and for `cat`.

use std::fmt::Write;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use config::Value;
use indexmap::IndexMap;

use crate::config::Sources;
use crate::feed::replay::{DateOrder, DecimalSign, LAYOUTS, Role};

/// What files do not say themselves.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Reading files")]
pub struct ReadArgs {
    /// Symbol of files that have no column for it and do not tell it by their name
    #[arg(long, value_name = "NAME")]
    pub symbol: Option<String>,
    /// Zone of times without an offset, e.g. Europe/Berlin [default: UTC]
    #[arg(long, value_name = "ZONE", allow_hyphen_values = true)]
    pub tz: Option<String>,
    /// Layout of the files; inspect --help lists them
    #[arg(long, value_name = "NAME")]
    pub layout: Option<String>,
    /// Which column is what, by name or by number from 0, e.g. time=date+clock,price=2
    #[arg(long, value_name = "ROLE=COLUMN,…", value_delimiter = ',', value_parser = pair)]
    pub map: Vec<(String, String)>,
    /// Order of day, month and year in dates such as 01/02/2024: mdy, dmy or ymd
    #[arg(long, value_name = "ORDER", value_parser = checked::<DateOrder>)]
    pub date_order: Option<String>,
    /// Sign before decimals: point or comma
    #[arg(long, value_name = "SIGN", value_parser = checked::<DecimalSign>)]
    pub decimal: Option<String>,
    /// Prices are in units of ten to the minus this, e.g. 4 for 1893000 that is 189.3000
    #[arg(long, value_name = "DIGITS")]
    pub price_scale: Option<String>,
    /// What stands between cells: one character, or tab
    #[arg(long, value_name = "CHARACTER")]
    pub delimiter: Option<String>,
    /// How characters are coded, e.g. utf-8, euc-kr or windows-1252
    #[arg(long, value_name = "NAME")]
    pub encoding: Option<String>,
    /// Leave out events before this time, e.g. 2024-01-03T14:30:00Z
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Leave out events at this time and later
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
    /// Stop at the first row that cannot be used
    #[arg(long)]
    pub strict: bool,
    /// Bytes that a packed file may give [default: 1 TiB]
    #[arg(long, value_name = "BYTES")]
    pub max_bytes: Option<String>,
}

/// The flags of a command that reads files and ends.
#[derive(Debug, Args)]
pub struct FilesArgs {
    /// Files, folders or patterns
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Configuration file [default: config.toml, where there is one]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What to log: error, warn, info, debug, trace, or directives such as tickerplant=debug [default: warn]
    #[arg(long, value_name = "LEVEL")]
    pub log: Option<String>,
    /// How they are read
    #[command(flatten)]
    pub read: ReadArgs,
}

impl ReadArgs {
    /// The keys that these flags set.
    pub(super) fn flags(&self) -> impl Iterator<Item = (&'static str, Value)> {
        let text = |value: &Option<String>| value.clone().map(Value::from);
        let map: config::Map<String, Value> =
            self.map.iter().map(|(role, column)| (role.clone(), Value::from(column.as_str()))).collect();
        let flags = [
            ("feed.replay.symbol", text(&self.symbol)),
            ("feed.replay.tz", text(&self.tz)),
            ("feed.replay.layout", text(&self.layout)),
            ("feed.replay.map", (!map.is_empty()).then(|| Value::from(map))),
            ("feed.replay.date_order", text(&self.date_order)),
            ("feed.replay.decimal", text(&self.decimal)),
            ("feed.replay.price_scale", text(&self.price_scale)),
            ("feed.replay.delimiter", text(&self.delimiter)),
            ("feed.replay.encoding", text(&self.encoding)),
            ("feed.replay.from", text(&self.from)),
            ("feed.replay.to", text(&self.to)),
            ("feed.replay.strict", self.strict.then(|| Value::from(true))),
            ("feed.replay.max_bytes", text(&self.max_bytes)),
        ];
        flags.into_iter().filter_map(|(key, value)| Some((key, value?)))
    }

    /// The flags as they are written on a command line, for somebody who repeats them.
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
            ("decimal", &self.decimal),
            ("price-scale", &self.price_scale),
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
    /// The sources of the configuration, these flags on top.
    #[must_use]
    pub fn sources(&self, environment: Vec<(String, String)>) -> Sources {
        let paths: Vec<String> = self.files.iter().map(|path| path.display().to_string()).collect();
        let flags = self.read.flags().chain([("feed.replay.files", Value::from(paths))]).collect();
        Sources { file: self.config.clone(), environment, flags }
    }
}

/// All layouts, a line each, for a help text.
pub(super) fn layouts() -> String {
    let mut text =
        "Layouts, told by the header or the shape of the columns, or given by --layout:\n".to_owned();
    // Of one name, the first entry speaks for all.
    let names: IndexMap<&str, &str> = LAYOUTS.iter().rev().map(|entry| (entry.name, entry.vendor)).collect();
    for (name, source) in names.iter().rev() {
        writeln!(text, "  {name:<22} {source}").expect("a string takes all that is written");
    }
    text.push_str(
        "Without one of these, columns are found by the names in the header: bars, trades, quotes.",
    );
    text
}

/// A text that can be parsed so, as it is.
fn checked<T: FromStr>(text: &str) -> Result<String, T::Err> {
    text.parse::<T>().map(|_| text.to_owned())
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((role, column)) if !role.trim().is_empty() && !column.trim().is_empty() => {
            let role = checked::<Role>(role.trim()).map_err(|error| error.to_string())?;
            Ok((role, column.trim().to_owned()))
        }
        _ => Err("a map is like time=date+clock,price=2".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::{Cli, Command};
    use super::*;

    #[test]
    fn flags_can_be_written_again() {
        let words = ["--symbol", "A", "--tz", "+02:00", "--map", "time=0+1,price=2", "--strict"];
        let cli = Cli::try_parse_from(["tickerplant", "cat", "a.csv"].iter().chain(&words)).unwrap();

        let Some(Command::Cat(args)) = cli.command else { panic!("{cli:?}") };
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
