//! Who may do what: tokens and what each allows.
//!
//! Without tokens everybody may do everything that the configuration allows. With them, who has shown
//! none gets nothing, and may say nothing but `auth`.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::market::Symbol;
use crate::range::{self, DAY, OutOfRange};
use crate::wire::{Command, ErrorCode, Refusal, Symbols, Token};

/// Who may do what (`[auth]` in config.toml).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// A client that has shown no token for so long is closed with 1008; 0 for no limit.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// The tokens; without one everything is open.
    #[serde(deserialize_with = "tokens")]
    pub tokens: Vec<Arc<Grant>>,
}

impl Default for Config {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(10), tokens: Vec::new() }
    }
}

/// A token and what it allows (`[[auth.tokens]]`); what is left out is not allowed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Whose it is; its owner is told.
    pub name: String,
    /// The SHA-256 of the token.
    pub sha256: Token,
    /// The symbols that may be subscribed to.
    #[serde(default)]
    pub subscribe: Vec<Pattern>,
    /// Whether messages to peers are relayed.
    #[serde(default)]
    pub relay: bool,
    /// Whether the feed may be controlled.
    #[serde(default)]
    pub control: bool,
}

/// A symbol, or with a `*` behind it all symbols that begin so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    is_open: bool,
}

/// What a client may do.
#[derive(Clone, Debug)]
pub enum Access {
    /// Everything: there are no tokens.
    Open,
    /// Nothing, until it shows a token.
    Locked,
    /// What its token allows.
    Granted(Arc<Grant>),
}

impl Config {
    /// Checks that each value lies in its range.
    pub(crate) fn check(&self) -> Result<(), OutOfRange> {
        range::check("timeout", self.timeout, Duration::ZERO..=DAY)
    }

    /// What a client may do that shows this token, or none.
    ///
    /// # Errors
    ///
    /// There is no such token.
    pub fn access(&self, token: Option<&Token>) -> Result<Access, Refusal> {
        let Some(token) = token else {
            return Ok(if self.tokens.is_empty() { Access::Open } else { Access::Locked });
        };
        // Every one is compared, so that how long it takes says nothing.
        let found = self.tokens.iter().fold(
            None,
            |found, grant| {
                if grant.sha256 == *token { Some(grant) } else { found }
            },
        );
        found.map(|grant| Access::Granted(Arc::clone(grant))).ok_or_else(|| {
            let message = if self.tokens.is_empty() {
                "this server knows no tokens; everything is open without one"
            } else {
                "this token is not known here"
            };
            Refusal::new(ErrorCode::Unauthorized, message)
        })
    }
}

impl Access {
    /// Whether it waits for a token.
    #[must_use]
    pub const fn is_locked(&self) -> bool {
        matches!(self, Self::Locked)
    }

    /// Whether a command may be carried out.
    ///
    /// # Errors
    ///
    /// It may not.
    pub fn check(&self, command: &Command) -> Result<(), Refusal> {
        match (self, command) {
            (Self::Locked, _) => Err(locked()),
            (Self::Granted(grant), Command::Subscribe { symbols, .. }) => grant.check(symbols),
            _ => Ok(()),
        }
    }

    /// Whether a message may go to the peers.
    ///
    /// # Errors
    ///
    /// It may not.
    pub fn check_relay(&self) -> Result<(), Refusal> {
        match self {
            Self::Locked => Err(locked()),
            Self::Granted(grant) if !grant.relay => {
                Err(Refusal::new(ErrorCode::Forbidden, "this token does not allow messages to peers"))
            }
            _ => Ok(()),
        }
    }

    /// Whether the feed may be controlled.
    ///
    /// # Errors
    ///
    /// It may not.
    pub fn check_control(&self) -> Result<(), Refusal> {
        match self {
            Self::Locked => Err(locked()),
            Self::Granted(grant) if !grant.control => {
                Err(Refusal::new(ErrorCode::Forbidden, "this token does not allow control of the feed"))
            }
            _ => Ok(()),
        }
    }
}

impl Grant {
    fn check(&self, symbols: &Symbols) -> Result<(), Refusal> {
        let takes_all = self.subscribe.iter().any(|pattern| pattern.is_open && pattern.text.is_empty());
        if symbols.all && !takes_all {
            let message = "this token does not allow every symbol; name those that it does";
            return Err(Refusal::new(ErrorCode::Forbidden, message));
        }
        let may = |symbol: &&Symbol| self.subscribe.iter().any(|pattern| pattern.matches(symbol));
        match symbols.names.iter().find(|symbol| !may(symbol)) {
            None => Ok(()),
            Some(symbol) => {
                let message = format!("this token does not allow {symbol}");
                Err(Refusal::new(ErrorCode::Forbidden, message))
            }
        }
    }
}

impl Pattern {
    fn matches(&self, symbol: &Symbol) -> bool {
        let symbol = symbol.as_str();
        if self.is_open { symbol.starts_with(&self.text) } else { symbol == self.text }
    }
}

/// Reads the tokens. What is there instead of a table is not repeated: it may be a token.
fn tokens<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Arc<Grant>>, D::Error> {
    Vec::deserialize(deserializer).map_err(|error| {
        if error.to_string().contains("invalid type") {
            let form = "auth.tokens is a list of tables with name, sha256 and what each allows";
            de::Error::custom(form)
        } else {
            error
        }
    })
}

fn locked() -> Refusal {
    let message = "show a token first: {\"action\":\"auth\",\"token\":\"…\"}";
    Refusal::new(ErrorCode::Unauthorized, message)
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (start, is_open) = text.strip_suffix('*').map_or((text, false), |start| (start, true));
        if !(start.is_empty() && is_open) {
            let form = "a pattern is a symbol, or the beginning of symbols with a * behind it";
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
        Command::Subscribe { symbols: Symbols { all, names }, channels: KindSet::ALL, after: None }
    }

    fn code(checked: Result<(), Refusal>) -> Option<ErrorCode> {
        checked.err().map(|refusal| refusal.code)
    }

    #[test]
    fn a_token_allows_what_is_said_and_no_more() {
        let access = config().access(Some(&Token::of("secret"))).unwrap();

        assert_eq!(code(access.check(&subscribe(&["AAPL", "MSFT", "MS"], false))), None);
        assert_eq!(code(access.check(&subscribe(&["AAPL", "NVDA"], false))), Some(ErrorCode::Forbidden));
        assert_eq!(code(access.check(&subscribe(&["AAPL.B"], false))), Some(ErrorCode::Forbidden));
        assert_eq!(code(access.check(&subscribe(&[], true))), Some(ErrorCode::Forbidden));
        assert_eq!(code(access.check_relay()), Some(ErrorCode::Forbidden));

        let access = config().access(Some(&Token::of("correct"))).unwrap();
        assert_eq!(code(access.check(&subscribe(&["ANY"], true))), None);
        assert_eq!(code(access.check_relay()), None);
    }

    #[test]
    fn without_a_token_nothing_is_allowed_where_there_are_some_and_everything_where_there_are_none() {
        let locked = config().access(None).unwrap();
        let open = Config::default().access(None).unwrap();

        assert_eq!(code(locked.check(&Command::Ping)), Some(ErrorCode::Unauthorized));
        assert_eq!(code(locked.check_relay()), Some(ErrorCode::Unauthorized));
        assert_eq!(code(open.check(&subscribe(&["ANY"], true))), None);
        assert_eq!(code(open.check_relay()), None);
    }

    #[test]
    fn a_token_that_is_not_known_is_refused_and_not_repeated() {
        for config in [config(), Config::default()] {
            let refusal = config.access(Some(&Token::of("guess"))).unwrap_err();

            assert_eq!(refusal.code, ErrorCode::Unauthorized);
            assert!(!refusal.message.contains("guess"), "{}", refusal.message);
        }
    }

    #[test]
    fn a_pattern_that_is_none_is_refused() {
        for text in ["M*S", "A B", "", "**"] {
            assert!(text.parse::<Pattern>().is_err(), "{text}");
        }
    }
}
