//! Loads the configuration from four sources: flags, environment, config.toml and defaults. An earlier source
//! in this list overrides a later source.
//!
//! Each section is defined in the module that it configures. This file puts the sections together. Each
//! source is checked alone, so that a wrong value is an error even if another source overrides the value.

mod check;
mod environment;
mod error;
mod file;
mod key_path;
mod keys;
mod setting;
mod shown;

use std::path::PathBuf;

use config::ConfigError;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::feed::FeedError;
use crate::range::{self, Check};
use crate::{auth, bars, bus, cluster, feed, hub, server, session};

pub use error::{LoadError, Place};
pub use file::FILE;

use check::{Fault, FaultKind, check};
use file::ConfigFile;
use key_path::KeyPath;
use setting::Setting;

/// The configuration key whose wrong values are never shown, because they may be tokens.
const SECRET: &str = "auth.tokens";

/// The whole configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The log filter: a level, or `tracing` directives such as `tickerplant=debug`.
    pub log: String,
    /// The settings of the server.
    pub server: server::Config,
    /// The settings of the sessions, each of which serves one client.
    pub session: session::Config,
    /// The limits of clients.
    pub limits: session::Limits,
    /// The tokens.
    pub auth: auth::Config,
    /// The settings of the relay, which passes messages between clients.
    pub relay: hub::RelayConfig,
    /// The limits of the bus's history.
    pub bus: bus::Config,
    /// How many bars, and how many bytes of bars, the server keeps in memory.
    pub bars: bars::Config,
    /// The settings of the feed.
    pub feed: feed::Config,
    /// The settings of the cluster.
    pub cluster: cluster::Config,
    /// The conditions under which `/readyz` reports that the server is ready.
    pub ready: server::readiness::Config,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            log: "info".to_owned(),
            server: server::Config::default(),
            session: session::Config::default(),
            limits: session::Limits::default(),
            auth: auth::Config::default(),
            relay: hub::RelayConfig::default(),
            bus: bus::Config::default(),
            bars: bars::Config::default(),
            feed: feed::Config::default(),
            cluster: cluster::Config::default(),
            ready: server::readiness::Config::default(),
        }
    }
}

/// The sources of the configuration. Each source in this struct overrides the source before it.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file to read instead of `config.toml`. A file that is named here must exist.
    pub file: Option<PathBuf>,
    /// The names and values of the environment variables.
    pub environment: Vec<(String, String)>,
    /// The value of each flag that is given, with the flag's configuration key. The flag's name is the last
    /// part of the key.
    pub flags: Vec<(&'static str, Value)>,
}

/// A checked configuration, the warnings from its loading, and the place where each value is set.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Warnings about ignored sources. The caller must log these warnings, because the log starts only after
    /// the configuration is loaded.
    pub warnings: Vec<String>,
    file: ConfigFile,
    /// The settings from environment variables and from flags. A later setting overrides an earlier setting.
    settings: Vec<Setting>,
}

impl Config {
    /// Loads the configuration from all sources.
    ///
    /// # Errors
    ///
    /// Fails if a file cannot be read, a key is unknown, or a value has the wrong form.
    pub fn load(sources: &Sources) -> Result<Loaded, LoadError> {
        let (mut settings, mut warnings) = environment::settings(&sources.environment);
        settings.extend(sources.flags.iter().map(|(key, value)| Setting {
            place: Place::Flag(flag_name(key)),
            key: (*key).to_owned(),
            value: value.clone(),
        }));
        let mut file = ConfigFile::read(sources.file.as_deref())?;
        if sources.file.is_none() && is_of_another_program(&file.table) {
            warnings.push(format!(
                "{FILE} in the working directory is not read, because it has no key of this program"
            ));
            file = ConfigFile::default();
        }
        file.check_encoding()?;
        let error = |fault: Fault| {
            let found = file.found(&fault.path);
            in_place(file.place(&fault.path), &fault, &fault.path.to_string(), found)
        };
        check(file.table.clone()).map_err(error)?;
        let mut sources = vec![file.table.clone()];
        for setting in &settings {
            let error = |fault| in_place(setting.place.clone(), &fault, &setting.key, Some(setting.found()));
            sources.push(setting.typed().map_err(error)?);
        }
        let config = check(merge(&sources).expect("checked sources can be merged")).map_err(error)?;
        let loaded = Loaded { config, warnings, file, settings };
        match loaded.config.feed.check_settings() {
            Ok(()) => Ok(loaded),
            Err(error) => Err(loaded.locate(&error).expect("the defaults of a feed can be used")),
        }
    }

    /// Returns the checks of all sections. A key has no check if every value of the key's type is right.
    fn checks(&self) -> Vec<Check> {
        let log = range::text(
            "log",
            "a level (error, warn, info, debug, trace or off) or directives such as tickerplant=debug,warn",
            log_filter(&self.log).is_some(),
        );
        [log]
            .into_iter()
            .chain(range::section("server", self.server.checks()))
            .chain(range::section("session", self.session.checks()))
            .chain(range::section("limits", self.limits.checks()))
            .chain(range::section("auth", self.auth.checks()))
            .chain(range::section("relay", self.relay.checks()))
            .chain(range::section("bus", self.bus.checks()))
            .chain(range::section("bars", self.bars.checks()))
            .chain(range::section("feed", self.feed.checks()))
            .chain(range::section("cluster", self.cluster.checks()))
            .chain(range::section("ready", self.ready.checks()))
            .collect()
    }
}

impl Loaded {
    /// Returns the feed's error with the place of the wrong setting: the flag, the variable or the line of
    /// the file. Returns `None` if the error is not about a setting, or if the setting has its default.
    #[must_use]
    pub fn locate(&self, error: &FeedError) -> Option<LoadError> {
        self.locate_key(&error.key()?, &error.to_string(), error.hint())
    }

    /// Returns the error for a wrong setting, with the place where the key is set. Returns `None` if the key
    /// has its default.
    #[must_use]
    pub fn locate_key(&self, key: &str, error: &str, hint: Option<&str>) -> Option<LoadError> {
        let place = self.place(key)?;
        let fault = error.strip_prefix(&format!("{key}: ")).unwrap_or(error).to_owned();
        Some(LoadError::Wrong { hint: hint.map(str::to_owned), place, key: key.to_owned(), fault })
    }

    /// Returns the place where a key is set; `None` if the key has its default.
    fn place(&self, key: &str) -> Option<Place> {
        let path = KeyPath::of_key(key);
        let setting = self.settings.iter().rev().find(|setting| path.is_within(&setting.key));
        let in_file = || path.find(&self.file.table).map(|_| self.file.place(&path));
        setting.map(|setting| setting.place.clone()).or_else(in_file)
    }
}

/// Parses a log level or `tracing` directives. Returns `None` for any other single word, because `tracing`
/// would read the word as the name of a target. The log would then stay empty.
#[must_use]
pub fn log_filter(text: &str) -> Option<EnvFilter> {
    // `tracing` also accepts numbers as levels, and the number 0 would switch the log off.
    let level = text.parse::<LevelFilter>().ok().filter(|_| text.parse::<u64>().is_err());
    let is_known = text.contains(['=', ',']) || level.is_some();
    let is_complete = text.split(',').all(|directive| !directive.trim().is_empty());
    // At the level `info`, the NATS library tells each step of its connections, which the node tells, too.
    let quiet = if level == Some(LevelFilter::INFO) { ",async_nats=warn" } else { "" };
    EnvFilter::try_new(format!("{text}{quiet}")).ok().filter(|_| is_known && is_complete)
}

/// Returns the name of the flag that sets a key. For example, the key `feed.clock.max_gap` has the flag
/// `--max-gap`. The flags of the cluster begin with `--cluster`. The flag `--feed` and the argument FILE do not
/// follow this rule. Errors about these two do not use this function.
pub(crate) fn flag_name(key: &str) -> String {
    let name = match key {
        "cluster.url" => "cluster",
        "cluster.name" => "cluster-name",
        "cluster.role" => "cluster-role",
        _ => key.rsplit('.').next().unwrap_or(key),
    };
    format!("--{}", name.replace('_', "-"))
}

/// Returns whether a file has keys, but no key of this program.
fn is_of_another_program(file: &Table) -> bool {
    let own = keys::all();
    !file.is_empty() && !file.keys().any(|key| own.contains(key))
}

/// Merges the sources. Each source overrides the earlier sources only in the keys that it sets.
fn merge(sources: &[Table]) -> Result<Table, ConfigError> {
    let builder = sources.iter().try_fold(config::Config::builder(), |builder, source| {
        Ok::<_, ConfigError>(builder.add_source(config::Config::try_from(source)?))
    });
    builder?.build()?.try_deserialize()
}

/// Returns the error for a wrong value or an unknown key that was set in `place`. `key` is the full
/// configuration key. `found` is the wrong value, formatted for the error.
fn in_place(place: Place, fault: &Fault, key: &str, found: Option<String>) -> LoadError {
    let path = fault.path.to_string();
    if let (Place::Variable(_), Some(".")) = (&place, key.strip_prefix(&path).and_then(|rest| rest.get(..1)))
        && !matches!(fault.kind, FaultKind::Unknown { .. })
    {
        // The variable treats a key as a section.
        let nearest = Some(environment::variable_of(&path));
        return LoadError::Unknown { key: key.to_owned(), nearest, place };
    }
    let is_secret = fault.path.is_within(SECRET);
    let fault = match &fault.kind {
        FaultKind::Unknown { siblings } => return unknown(place, &fault.path, key, siblings),
        FaultKind::Form(form) => {
            let found = found.filter(|_| !is_secret);
            format!("{} is not {form}", found.as_deref().unwrap_or("the value"))
        }
        FaultKind::Text(text) => text.clone(),
    };
    LoadError::Wrong { key: key.to_owned(), fault, hint: example(&place, key), place }
}

/// Returns the error for an unknown key. `siblings` are the names of the existing keys in the table of the
/// unknown key. `key` is the full key. If a variable belongs to an unknown section, `path` is only this
/// section.
fn unknown(place: Place, path: &KeyPath, key: &str, siblings: &[String]) -> LoadError {
    let unknown = path.to_string();
    let rest = key.strip_prefix(&unknown).unwrap_or_default();
    let nearest = keys::nearest(&unknown, siblings).map(|nearest| match &place {
        Place::Variable(_) => environment::variable_of(&format!("{nearest}{rest}")),
        Place::Flag(_) | Place::Line { .. } => nearest,
    });
    // The error does not repeat a name that resembles no key, because the name may be a token. The name
    // `token` is an obvious mistake for `sha256`.
    let may_be_token = path.is_within(SECRET) && nearest.is_none() && !key.ends_with("].token");
    let key = if may_be_token { SECRET } else { key };
    LoadError::Unknown { key: key.to_owned(), nearest, place }
}

/// Returns an example for a hint: the key's default value, written as a flag, a variable or a line of the
/// file. Returns `None` if the key has no default, or if the default is a list or a table.
fn example(place: &Place, key: &str) -> Option<String> {
    let defaults = Table::try_from(Config::default()).expect("the defaults can be written as TOML");
    let default =
        KeyPath::of_key(key).find(&defaults).filter(|value| !value.is_table() && !value.is_array())?;
    let bare = default.as_str().map_or_else(|| default.to_string(), str::to_owned);
    Some(match place {
        Place::Flag(name) => format!("e.g. {name} {bare}"),
        Place::Variable(name) => format!("e.g. {name}={bare}"),
        Place::Line { .. } => format!("e.g. {} = {default}", key.rsplit('.').next().unwrap_or(key)),
    })
}

#[cfg(test)]
mod tests;
