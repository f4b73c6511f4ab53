//! Tokens, and the permissions of each token.
//!
//! On a server without tokens, every client may do everything that the configuration allows. On a server with
//! tokens, a client must show a token (`auth`) before it may do anything else.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::market::Symbol;
use crate::range::{self, Check, DAY};
use crate::wire::{Command, ErrorCode, ErrorReply, Symbols, TokenHash};

/// The tokens (`[auth]` in config.toml).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How long a client may take to show a token; 0 means no limit. A client that takes longer is closed
    /// with close code 1008.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// The tokens. If the list of tokens is empty, every client may do everything.
    pub tokens: Vec<Arc<Grant>>,
}

impl Default for Config {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(10), tokens: Vec::new() }
    }
}

/// A token and its permissions (`[[auth.tokens]]`). A permission that the configuration leaves out is denied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// The name of the token's owner. The reply to the `auth` command contains this name.
    pub name: String,
    /// The SHA-256 of the token.
    pub sha256: TokenHash,
    /// The symbols to which the owner may subscribe.
    #[serde(default)]
    pub subscribe: Vec<Pattern>,
    /// Whether the owner may send messages to peers.
    #[serde(default)]
    pub relay: bool,
    /// Whether the owner may control the feed.
    #[serde(default)]
    pub control: bool,
}

/// A pattern for symbols: one symbol, such as `MSFT`, or a prefix followed by `*`, such as `MS*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    /// Whether the pattern ends with `*`, and so matches every symbol that begins with `text`.
    is_open: bool,
}

/// The permissions of a client.
#[derive(Clone, Debug)]
pub enum Access {
    /// The client may do everything, because the server has no tokens.
    Unrestricted,
    /// The client may do nothing until it shows a token.
    Unauthenticated,
    /// The client may do what its token allows.
    Granted(Arc<Grant>),
}

impl Config {
    /// Returns the checks of the values in the `[auth]` section.
    pub(crate) fn checks(&self) -> Vec<Check> {
        let mut checks = vec![
            range::time("timeout", self.timeout, Duration::ZERO..=DAY),
            range::text("tokens", "a list of tables [[auth.tokens]] with name, sha256 and permissions", true),
        ];
        for (index, grant) in self.tokens.iter().enumerate() {
            let earlier = &self.tokens[..index];
            let name = format!("tokens[{index}].name");
            checks.push(range::text(&name, "a name, because it is empty", !grant.name.trim().is_empty()));
            let is_new = earlier.iter().all(|other| other.name != grant.name);
            checks.push(range::text(&name, "a name that no other token has", is_new));
            let is_new = earlier.iter().all(|other| other.sha256 != grant.sha256);
            let hash = format!("tokens[{index}].sha256");
            checks.push(range::text(&hash, "a SHA-256 that no other token has", is_new));
        }
        checks
    }

    /// Returns the permissions for a token. `None` stands for a client that has shown no token.
    ///
    /// # Errors
    ///
    /// Fails if the server does not know the token.
    pub fn access(&self, token: Option<&TokenHash>) -> Result<Access, ErrorReply> {
        let Some(token) = token else {
            return Ok(if self.tokens.is_empty() { Access::Unrestricted } else { Access::Unauthenticated });
        };
        // The loop does not stop at a match, so that the response time does not reveal which entry matched.
        let found = self.tokens.iter().fold(
            None,
            |found, grant| {
                if grant.sha256 == *token { Some(grant) } else { found }
            },
        );
        found.map(|grant| Access::Granted(Arc::clone(grant))).ok_or_else(|| {
            let message = if self.tokens.is_empty() {
                "this server has no tokens; connect without one"
            } else {
                "the server does not know this token"
            };
            ErrorReply::new(ErrorCode::Unauthorized, message)
        })
    }

    /// Returns whether a client may keep its permissions after the tokens have changed. A client loses its
    /// permissions if its token was removed or changed. An unrestricted client loses its permissions if the
    /// server now has tokens.
    #[must_use]
    pub fn is_current(&self, access: &Access) -> bool {
        match access {
            Access::Unrestricted => self.tokens.is_empty(),
            Access::Unauthenticated => true,
            Access::Granted(grant) => self.tokens.contains(grant),
        }
    }
}

impl Access {
    /// Returns whether the client must show a token before it may do anything.
    #[must_use]
    pub const fn is_unauthenticated(&self) -> bool {
        matches!(self, Self::Unauthenticated)
    }

    /// Checks that the client may execute a command.
    ///
    /// # Errors
    ///
    /// Fails if the client has no permission for the command.
    pub fn check(&self, command: &Command) -> Result<(), ErrorReply> {
        match (self, command) {
            (Self::Unauthenticated, _) => Err(unauthenticated()),
            (_, Command::Subscribe { symbols, .. }) => self.check_symbols(symbols),
            _ => Ok(()),
        }
    }

    /// Checks that the client may get market data of these symbols.
    ///
    /// # Errors
    ///
    /// Fails if the client has no permission for one of the symbols.
    pub fn check_symbols(&self, symbols: &Symbols) -> Result<(), ErrorReply> {
        match self {
            Self::Unrestricted => Ok(()),
            Self::Unauthenticated => Err(unauthenticated()),
            Self::Granted(grant) => grant.check(symbols),
        }
    }

    /// Returns whether the client may get market data of a symbol.
    #[must_use]
    pub fn allows(&self, symbol: &Symbol) -> bool {
        match self {
            Self::Unrestricted => true,
            Self::Unauthenticated => false,
            Self::Granted(grant) => grant.allows(symbol),
        }
    }

    /// Checks that the client may send messages to peers.
    ///
    /// # Errors
    ///
    /// Fails if the client has no permission to send messages to peers.
    pub fn check_relay(&self) -> Result<(), ErrorReply> {
        match self {
            Self::Unauthenticated => Err(unauthenticated()),
            Self::Granted(grant) if !grant.relay => {
                Err(ErrorReply::new(ErrorCode::Forbidden, "this token does not allow messages to peers"))
            }
            _ => Ok(()),
        }
    }

    /// Checks that the client may control the feed.
    ///
    /// # Errors
    ///
    /// Fails if the client has no permission to control the feed.
    pub fn check_control(&self) -> Result<(), ErrorReply> {
        match self {
            Self::Unauthenticated => Err(unauthenticated()),
            Self::Granted(grant) if !grant.control => {
                Err(ErrorReply::new(ErrorCode::Forbidden, "this token does not allow control of the feed"))
            }
            _ => Ok(()),
        }
    }
}

impl Grant {
    fn check(&self, symbols: &Symbols) -> Result<(), ErrorReply> {
        let allows_all = self.subscribe.iter().any(|pattern| pattern.is_open && pattern.text.is_empty());
        if symbols.all && !allows_all {
            let message = "this token does not allow `*`; name the symbols that it allows";
            return Err(ErrorReply::new(ErrorCode::Forbidden, message));
        }
        match symbols.names.iter().find(|symbol| !self.allows(symbol)) {
            None => Ok(()),
            Some(symbol) => {
                let message = format!("this token does not allow {symbol}");
                Err(ErrorReply::new(ErrorCode::Forbidden, message))
            }
        }
    }

    fn allows(&self, symbol: &Symbol) -> bool {
        self.subscribe.iter().any(|pattern| pattern.matches(symbol))
    }
}

impl Pattern {
    fn matches(&self, symbol: &Symbol) -> bool {
        let symbol = symbol.as_str();
        if self.is_open { symbol.starts_with(&self.text) } else { symbol == self.text }
    }
}

fn unauthenticated() -> ErrorReply {
    let message = "show a token first: {\"action\":\"auth\",\"token\":\"…\"}";
    ErrorReply::new(ErrorCode::Unauthorized, message)
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (start, is_open) = text.strip_suffix('*').map_or((text, false), |start| (start, true));
        if !(start.is_empty() && is_open) {
            let form = "a pattern is a symbol, or the beginning of symbols followed by *";
            start.parse::<Symbol>().map_err(|error| format!("{error}; {form}"))?;
        }
        Ok(Self { text: start.to_owned(), is_open })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.text, if self.is_open { "*" } else { "" })
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::KindSet;

    fn config() -> Config {
        let text = r#"
            [[tokens]]
            name = "dash"
            sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
            subscribe = ["AAPL", "MS*"]
            [[tokens]]
            name = "all"
            sha256 = "15a596e3c98c407e043751ff3b21ff0358a1bdfdf3fe948b1523893a8e5de2e8"
            subscribe = ["*"]
            relay = true
        "#;
        toml::from_str(text).unwrap()
    }

    fn subscribe(names: &[&str], all: bool) -> Command {
        let names = names.iter().map(|name| name.parse().unwrap()).collect();
        Command::Subscribe {
            symbols: Symbols { all, names },
            channels: KindSet::ALL,
            after: None,
            delivery: None,
            interval: None,
        }
    }

    fn code(checked: Result<(), ErrorReply>) -> Option<ErrorCode> {
        checked.err().map(|error| error.code)
    }

    #[test]
    fn a_token_allows_its_permissions_and_no_more() {
        let access = config().access(Some(&TokenHash::of("secret"))).unwrap();

        assert_eq!(code(access.check(&subscribe(&["AAPL", "MSFT", "MS"], false))), None);
        assert_eq!(code(access.check(&subscribe(&["AAPL", "NVDA"], false))), Some(ErrorCode::Forbidden));
        assert_eq!(code(access.check(&subscribe(&["AAPL.B"], false))), Some(ErrorCode::Forbidden));
        assert_eq!(code(access.check(&subscribe(&[], true))), Some(ErrorCode::Forbidden));
        assert_eq!(code(access.check_relay()), Some(ErrorCode::Forbidden));

        let access = config().access(Some(&TokenHash::of("correct"))).unwrap();
        assert_eq!(code(access.check(&subscribe(&["ANY"], true))), None);
        assert_eq!(code(access.check_relay()), None);
    }

    #[test]
    fn without_a_token_nothing_is_allowed_unless_the_server_has_no_tokens() {
        let locked = config().access(None).unwrap();
        let open = Config::default().access(None).unwrap();

        assert_eq!(code(locked.check(&Command::Ping)), Some(ErrorCode::Unauthorized));
        assert_eq!(code(locked.check_relay()), Some(ErrorCode::Unauthorized));
        assert_eq!(code(open.check(&subscribe(&["ANY"], true))), None);
        assert_eq!(code(open.check_relay()), None);
    }

    #[test]
    fn the_error_for_an_unknown_token_does_not_repeat_it() {
        for config in [config(), Config::default()] {
            let error = config.access(Some(&TokenHash::of("guess"))).unwrap_err();

            assert_eq!(error.code, ErrorCode::Unauthorized);
            assert!(!error.message.contains("guess"), "{}", error.message);
        }
    }

    #[test]
    fn a_wrong_pattern_is_an_error() {
        for text in ["M*S", "A B", "", "**"] {
            assert!(text.parse::<Pattern>().is_err(), "{text}");
        }
    }
}
