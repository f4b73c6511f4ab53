//! Loads the configuration from four sources: flags, environment, config.toml and defaults. An earlier source
//! in this list overrides a later source.
//!
//! Each section is defined in the module that it configures. This file puts the sections together.

use std::path::{Path, PathBuf};

use config::builder::{ConfigBuilder, DefaultState};
use config::{ConfigError, File, FileFormat, Map, Source, Value, ValueKind};
use serde::{Deserialize, Serialize};

use crate::range::{self, OutOfRange};
use crate::{auth, bus, feed, hub, server, session};

/// The path of the configuration file when `--config` is not given. This file may be missing.
pub const FILE: &str = "config.toml";

/// The name of the command line in errors that report the source of a wrong value.
pub const COMMAND_LINE: &str = "the command line";

/// An environment variable is read only if its name starts with this prefix and contains `__`.
const PREFIX: &str = "TICKERPLANT_";

/// Keys whose environment variable contains a list, separated by commas.
const LISTS: [&str; 3] = ["server.allowed_origins", "server.trusted_proxies", "feed.replay.files"];

/// The whole configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The log filter: a level, or `tracing` directives such as `tickerplant=debug`.
    pub log: String,
    /// The settings of the server.
    pub server: server::Config,
    /// The settings of the sessions.
    pub session: session::Config,
    /// The limits of clients.
    pub limits: session::Limits,
    /// The tokens.
    pub auth: auth::Config,
    /// The settings of the relay, which passes messages between clients.
    pub relay: hub::RelayConfig,
    /// The size of the history.
    pub bus: bus::Config,
    /// The settings of the feed.
    pub feed: feed::Config,
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
            feed: feed::Config::default(),
            ready: server::readiness::Config::default(),
        }
    }
}

/// The sources of the configuration. Each source overrides the previous source.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file to read instead of `config.toml`. This file must exist.
    pub file: Option<PathBuf>,
    /// The names and values of the environment variables.
    pub environment: Vec<(String, String)>,
    /// The configuration keys that flags set, with their values.
    pub flags: Vec<(&'static str, Value)>,
}

/// An error while the configuration is loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot open {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// A source has an unknown key or a value of the wrong form.
    #[error("{location}: {fault}")]
    Bad {
        /// The name of the source, e.g. `config.toml`.
        location: String,
        /// The error.
        fault: Box<ConfigError>,
    },
    /// A value lies outside its range.
    #[error(transparent)]
    Range(#[from] OutOfRange),
}

impl LoadError {
    /// Returns advice for the user, if there is any.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Open { .. } => Some("--config names a file that can be read"),
            Self::Bad { location, .. } if location == COMMAND_LINE => {
                Some("tickerplant --help lists commands and flags")
            }
            Self::Bad { .. } | Self::Range(_) => {
                Some("the project's config.toml explains every key and its default")
            }
        }
    }
}

impl Config {
    /// Loads the configuration from all sources.
    ///
    /// # Errors
    ///
    /// A file cannot be read, a key is unknown, or a value is malformed or outside its range.
    pub fn load(sources: &Sources) -> Result<Self, LoadError> {
        let (path, text) = read(sources.file.as_deref())?;
        check_syntax(&path, &text)?;
        let file = File::from_str(&text, FileFormat::Toml);
        let environment = Environment(sources.environment.clone());
        let flags = |builder: Builder| {
            let set =
                |builder: Builder, (key, value): &(&str, Value)| builder.set_override(key, value.clone());
            sources.flags.iter().try_fold(builder, set)
        };
        // Each source is also checked alone, so that an error names its source.
        check(&path.display().to_string(), |builder| Ok(builder.add_source(file.clone())))?;
        check("the environment", |builder| Ok(builder.add_source(environment.clone())))?;
        check(COMMAND_LINE, flags)?;
        let whole =
            |builder: Builder| flags(builder.add_source(file.clone()).add_source(environment.clone()));
        let config = check("the configuration", whole)?;
        config.check_ranges()?;
        Ok(config)
    }

    /// Checks that each value lies in its range, so that a wrong value is reported at the start.
    fn check_ranges(&self) -> Result<(), OutOfRange> {
        range::section("server", self.server.check())?;
        range::section("session", self.session.check())?;
        range::section("limits", self.limits.check())?;
        range::section("auth", self.auth.check())?;
        range::section("feed", self.feed.check())?;
        range::section("ready", self.ready.check())
    }
}

type Builder = ConfigBuilder<DefaultState>;

fn read(file: Option<&Path>) -> Result<(PathBuf, String), LoadError> {
    let path = file.unwrap_or(Path::new(FILE)).to_owned();
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok((path, text)),
        Err(error) if file.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
            Ok((path, String::new()))
        }
        Err(source) => Err(LoadError::Open { path, source }),
    }
}

/// Checks the TOML syntax. The error does not quote the wrong line, because the line may contain a token.
fn check_syntax(path: &Path, text: &str) -> Result<(), LoadError> {
    text.parse::<toml::Table>().map(drop).map_err(|error| {
        let line = error.span().map_or(1, |span| text[..span.start].lines().count().max(1));
        let fault = ConfigError::Message(error.message().to_owned());
        LoadError::Bad { location: format!("{}:{line}", path.display()), fault: Box::new(fault) }
    })
}

fn check(
    location: &str,
    add: impl FnOnce(Builder) -> Result<Builder, ConfigError>,
) -> Result<Config, LoadError> {
    let config = add(config::Config::builder())
        .and_then(ConfigBuilder::<DefaultState>::build)
        .and_then(config::Config::try_deserialize);
    config.map_err(|fault| LoadError::Bad { location: location.to_owned(), fault: Box::new(fault) })
}

/// The source for the environment: `TICKERPLANT_SERVER__LISTEN` sets `server.listen`.
///
/// The environment source of the `config` crate is not used, because that source would read the symbol
/// `005930` as a number.
#[derive(Clone, Debug)]
struct Environment(Vec<(String, String)>);

impl Source for Environment {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        let keyed = self.0.iter().filter_map(|(name, value)| {
            let key = name.strip_prefix(PREFIX).filter(|rest| rest.contains("__"))?;
            let key = key.to_lowercase().replace("__", ".");
            let kind = if LISTS.contains(&key.as_str()) {
                ValueKind::from(value.split(',').map(|item| item.trim().to_owned()).collect::<Vec<_>>())
            } else {
                ValueKind::from(value.as_str())
            };
            Some((key, Value::new(None, kind)))
        });
        Ok(keyed.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::simulated::Instruments;

    fn load(
        text: &str,
        environment: &[(&str, &str)],
        flags: &[(&'static str, &str)],
    ) -> Result<Config, String> {
        let file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
        std::fs::write(file.path(), text).unwrap();
        let sources = Sources {
            file: Some(file.path().to_owned()),
            environment: environment
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            flags: flags.iter().map(|(key, value)| (*key, Value::from(*value))).collect(),
        };
        let location = file.path().display().to_string();
        Config::load(&sources).map_err(|error| error.to_string().replace(&location, FILE))
    }

    #[test]
    fn the_shipped_file_has_every_key_with_its_default() {
        let text = include_str!("../config.toml");
        let shipped: toml::Table = text.parse().unwrap();
        let defaults = toml::Table::try_from(Config::default()).unwrap();

        assert_eq!(
            Config::load(&Sources { file: Some(FILE.into()), ..Sources::default() }).unwrap(),
            Config::default()
        );
        assert_eq!(keys(&shipped, ""), keys(&defaults, ""));
    }

    #[test]
    fn a_flag_overrides_the_environment_and_the_environment_overrides_the_file() {
        let text = "log = \"a\"\n[server]\nlisten = \"a\"\nshutdown = \"1s\"";
        let environment = [("TICKERPLANT_SERVER__LISTEN", "b"), ("TICKERPLANT_SERVER__SHUTDOWN", "2s")];

        let config = load(text, &environment, &[("server.listen", "c")]).unwrap();

        assert_eq!(config.log, "a");
        assert_eq!(config.server.shutdown, std::time::Duration::from_secs(2));
        assert_eq!(config.server.listen, "c");
    }

    #[test]
    fn lists_and_numbers_are_read_from_the_environment_unchanged() {
        let environment = [
            ("TICKERPLANT_FEED__SIMULATED__SYMBOLS", "005930,AAPL"),
            ("TICKERPLANT_FEED__SIMULATED__RATE", "250"),
            ("TICKERPLANT_RELAY__ENABLED", "false"),
            ("TICKERPLANT_LOG", "not read: it has no double underscore"),
        ];

        let config = load("", &environment, &[]).unwrap();

        let symbols = config.feed.simulated.symbols.list();
        let names: Vec<_> = symbols.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["005930", "AAPL"]);
        assert_eq!(config.feed.simulated.rate.get(), 250);
        assert!(!config.relay.enabled);
        assert_eq!(config.log, "info");
    }

    #[test]
    fn a_number_of_symbols_is_read_from_each_source_and_comes_back() {
        let environment = [("TICKERPLANT_FEED__SIMULATED__SYMBOLS", "500")];
        let flags = [("feed.simulated.symbols", "500")];
        for (text, environment, flags) in [
            ("[feed.simulated]\nsymbols = 500", &[][..], &[][..]),
            ("", &environment, &[]),
            ("[feed.simulated]\nsymbols = [\"A\"]", &environment, &[]),
            ("[feed.simulated]\nsymbols = [\"A\"]", &[], &flags),
        ] {
            let config = load(text, environment, flags).unwrap();

            assert_eq!(config.feed.simulated.symbols, Instruments::Invented(500));
            let printed = toml::to_string_pretty(&config).unwrap();
            assert_eq!(load(&printed, &[], &[]).unwrap(), config);
        }
        let list = load("[feed.simulated]\nsymbols = [\"500\"]", &[], &[]).unwrap();
        assert_eq!(list.feed.simulated.symbols.list()[0].name.as_str(), "500");
        let error = load("", &[], &[("feed.simulated.symbols", "0")]).unwrap_err();
        assert!(error.starts_with("the command line: the number of symbols is from 1 to 65536"), "{error}");
        assert!(error.contains("feed.simulated.symbols"), "{error}");
    }

    #[test]
    fn the_error_for_an_unknown_key_names_it_and_its_source() {
        let error = load("[session]\nheartbaet = \"5s\"", &[], &[]).unwrap_err();
        assert!(
            error.starts_with("config.toml: unknown field `heartbaet`, expected one of `heartbeat`"),
            "{error}"
        );
        assert!(error.ends_with("for key `session`"), "{error}");

        let error = load("", &[("TICKERPLANT_SERVER__LISTN", "x")], &[]).unwrap_err();
        assert!(error.starts_with("the environment: unknown field `listn`"), "{error}");
    }

    #[test]
    fn the_error_for_a_malformed_value_names_its_key_and_source() {
        let error = load("[relay]\nburst = 0", &[], &[]).unwrap_err();
        assert!(error.starts_with("config.toml: ") && error.contains("relay.burst"), "{error}");

        let error = load("[server]\nlisten = [\n", &[], &[]).unwrap_err();
        assert!(error.starts_with("config.toml:2: "), "{error}");
    }

    #[test]
    fn a_value_out_of_range_is_an_error_at_the_start() {
        for (text, key) in [
            ("[session]\nheartbeat = \"0s\"", "session.heartbeat: 0ns is not between 1ms and 86400s"),
            ("[server]\nflush_window = \"1h\"", "server.flush_window: 3600s"),
            ("[server]\nmax_headers = 10001", "server.max_headers: 10001 is not between 0 and 10000"),
            ("[session]\nevery_buffer = 0", "session.every_buffer: 0"),
            ("[feed.clock]\nmax_gap = \"0s\"", "feed.clock.max_gap: 0ns is not between 1ms and 31536000s"),
            (
                "[limits]\nping_interval = \"25h\"",
                "limits.ping_interval: 90000s is not between 0ns and 86400s",
            ),
            ("[auth]\ntimeout = \"25h\"", "auth.timeout: 90000s"),
            ("[feed]\nstalled_after = \"0s\"", "feed.stalled_after: 0ns"),
            ("[feed.replay]\nstall_timeout = \"0s\"", "feed.replay.stall_timeout: 0ns"),
        ] {
            let error = load(text, &[], &[]).unwrap_err();
            assert!(error.starts_with(key), "{error}");
        }
    }

    #[test]
    fn a_token_in_the_wrong_place_is_not_repeated() {
        for (text, environment) in [
            ("[auth]\ntokens = [\"my secret\"]", None),
            ("[[auth.tokens]]\nname = \"a\"\nsha256 = \"my secret\"", None),
            ("", Some(("TICKERPLANT_AUTH__TOKENS", "my secret"))),
            ("[[auth.tokens]]\nname = \"a\"\nsha256 = my secret", None),
            ("[[auth.tokens]]\nname = \"a\"\nsha256 = \"my secret", None),
        ] {
            let error = load(text, environment.as_slice(), &[]).unwrap_err();
            assert!(
                ["auth.tokens", "SHA-256", "config.toml:3"].iter().any(|part| error.contains(part)),
                "{error}"
            );
            assert!(!error.contains("secret"), "{error}");
        }
    }

    fn keys(table: &toml::Table, prefix: &str) -> Vec<String> {
        let mut keys: Vec<String> = table
            .iter()
            .flat_map(|(key, value)| match value {
                toml::Value::Table(inner) => keys(inner, &format!("{prefix}{key}.")),
                _ => vec![format!("{prefix}{key}")],
            })
            .collect();
        keys.sort();
        keys
    }
}
