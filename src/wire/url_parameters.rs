//! Parses the parameters in the URL of a WebSocket or of an NDJSON stream.

use std::time::Duration;

use super::command::{SYMBOLS_NAMES, channel, delivery, interval};
use super::error_reply::quoted;
use super::{Command, Cursor, Delivery, ErrorCode, ErrorReply, Symbols, TokenHash};
use crate::market::KindSet;
use crate::nearest::did_you_mean;

/// The parameter names that an error reply may suggest to a client that has misspelt a parameter.
const NAMES: [&str; 6] = ["symbols", "channels", "delivery", "interval_ms", "after", "token"];

/// The parsed parameters of a URL. The default value is the result for a URL without parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UrlParameters {
    /// The subscription with which the connection starts.
    pub subscribe: Option<Command>,
    /// The delivery policy: what happens to unsent events when the client reads too slowly.
    pub delivery: Delivery,
    /// The conflation interval.
    pub interval: Duration,
    /// The client's token.
    pub token: Option<TokenHash>,
}

impl UrlParameters {
    /// Parses the query of a URL. `query` does not include the `?`.
    ///
    /// # Errors
    ///
    /// Returns an error that names the first unknown, repeated or malformed parameter.
    pub fn parse(query: &str) -> Result<Self, ErrorReply> {
        let mut parameters = Self::default();
        let mut symbols = None;
        let mut channels = None;
        let mut after = None;
        for pair in distinct_pairs(query) {
            let (name, value) = pair?;
            match &*name {
                name if is_symbols(name) => symbols = Some(parse_symbols(&value)?),
                "channels" => channels = Some(parse_channels(&value)?),
                "after" => after = Some(value.parse::<Cursor>()?),
                "delivery" => {
                    parameters.delivery = delivery(&value).ok_or_else(|| {
                        bad_parameter(format_args!("delivery is latest or every, not {}", quoted(&value)))
                    })?;
                }
                "interval_ms" => {
                    parameters.interval = value.parse().ok().and_then(interval).ok_or_else(|| {
                        bad_parameter(format_args!(
                            "interval_ms is a number from 0 to 60000, not {}",
                            quoted(&value)
                        ))
                    })?;
                }
                "token" => parameters.token = Some(TokenHash::of(&value)),
                _ => {
                    return Err(bad_parameter(format_args!(
                        "there is no parameter {}; parameters are symbols, channels, delivery, interval_ms, after and token{}",
                        quoted(&name),
                        did_you_mean(&name, NAMES)
                    )));
                }
            }
        }
        match symbols {
            Some(symbols) => {
                let channels = channels.unwrap_or(KindSet::ALL);
                // The connection starts with these two settings, so the command does not repeat them.
                let (delivery, interval) = (None, None);
                parameters.subscribe =
                    Some(Command::Subscribe { symbols, channels, after, delivery, interval });
            }
            None if channels.is_some() || after.is_some() => {
                return Err(bad_parameter(
                    "channels and after need symbols beside them, e.g. symbols=AAPL,MSFT or symbols=*",
                ));
            }
            None => {}
        }
        Ok(parameters)
    }

    /// Returns the hash of the token in the query of a URL. Does not check the other parameters in the query.
    #[must_use]
    pub fn token(query: &str) -> Option<TokenHash> {
        pairs(query).into_iter().find(|(name, _)| name == "token").map(|(_, token)| TokenHash::of(&token))
    }
}

/// Splits a query into the names and values of its parameters.
///
/// A plus sign is not decoded to a space, because symbols and tokens may contain plus signs.
#[must_use]
pub fn pairs(query: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(query.replace('+', "%2B").as_bytes()).into_owned().collect()
}

/// Splits a query into the names and values of its parameters. Yields an error for a parameter that repeats
/// an earlier parameter.
pub(super) fn distinct_pairs(query: &str) -> impl Iterator<Item = Result<(String, String), ErrorReply>> {
    let mut seen: Vec<String> = Vec::new();
    pairs(query).into_iter().map(move |(name, value)| {
        let is_same = |earlier: &str| earlier == name || [earlier, &name].iter().all(|name| is_symbols(name));
        if let Some(earlier) = seen.iter().find(|earlier| is_same(earlier)) {
            return Err(bad_parameter(if *earlier == name {
                format!("the parameter `{name}` is given twice")
            } else {
                format!("the parameters `{earlier}` and `{name}` mean the same; give only one of them")
            }));
        }
        seen.push(name.clone());
        Ok((name, value))
    })
}

/// Returns whether this is a name of the parameter that lists symbols.
pub(super) fn is_symbols(name: &str) -> bool {
    SYMBOLS_NAMES.contains(&name)
}

/// Parses a list of symbols that are separated by commas.
pub(super) fn parse_symbols(value: &str) -> Result<Symbols, ErrorReply> {
    let mut symbols = Symbols::default();
    for text in value.split(',') {
        symbols.add(text)?;
    }
    Ok(symbols)
}

/// Parses a list of channels that are separated by commas.
pub(super) fn parse_channels(value: &str) -> Result<KindSet, ErrorReply> {
    value.split(',').try_fold(KindSet::NONE, |channels, text| Ok(channels.with(channel(text)?)))
}

/// Returns an error reply with the code `BadParameter`.
pub fn bad_parameter(message: impl std::fmt::Display) -> ErrorReply {
    ErrorReply::new(ErrorCode::BadParameter, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::Kind;

    #[test]
    fn a_url_can_express_a_whole_subscribe() {
        let parameters = UrlParameters::parse(
            "symbols=AAPL,BRK.B,EUR%2FUSD&channels=trades&delivery=every&interval_ms=250&after=k3f9-7",
        )
        .unwrap();

        let names = ["AAPL", "BRK.B", "EUR/USD"].map(|name| name.parse().unwrap()).into();
        assert_eq!(
            parameters.subscribe,
            Some(Command::Subscribe {
                symbols: Symbols { all: false, names },
                channels: Kind::Trade.into(),
                after: Some(Cursor { epoch: "k3f9".into(), seq: 7 }),
                delivery: None,
                interval: None,
            })
        );
        assert_eq!((parameters.delivery, parameters.interval), (Delivery::Every, Duration::from_millis(250)));
    }

    #[test]
    fn a_plus_in_a_symbol_is_a_plus() {
        for query in ["symbols=A+B", "symbols=A%2BB"] {
            let Some(Command::Subscribe { symbols, .. }) = UrlParameters::parse(query).unwrap().subscribe
            else {
                panic!("{query} subscribes");
            };
            assert_eq!(symbols.names, ["A+B".parse().unwrap()].into());
        }
    }

    #[test]
    fn the_error_names_the_wrong_parameter() {
        let error = |query: &str| UrlParameters::parse(query).unwrap_err();

        assert!(error("symbls=AAPL").message.contains("\"symbls\""));
        assert!(error("symbls=AAPL").message.ends_with("; did you mean symbols?"));
        assert!(error("interval=5").message.ends_with("; did you mean interval_ms?"));
        assert!(error("page=5").message.ends_with("after and token"));
        assert_eq!(error("symbols=AA%20PL").code, ErrorCode::BadSymbol);
        assert_eq!(error("symbols=").code, ErrorCode::BadSymbol);
        assert_eq!(error("symbols=A&channels=trade").code, ErrorCode::BadChannel);
        assert_eq!(error("symbols=A&after=x").code, ErrorCode::BadCursor);
        assert!(error("interval_ms=-1").message.starts_with("interval_ms"));
        assert!(error("delivery=all").message.starts_with("delivery"));
        assert!(error("after=k3f9-7").message.contains("symbols"));
        assert!(error("symbols=A&symbols=B").message.contains("twice"));
    }

    #[test]
    fn symbols_have_four_names_and_only_one_of_them_may_be_given() {
        let expected = UrlParameters::parse("symbols=AAPL,MSFT").unwrap();
        for name in ["symbol", "tickers", "ticker"] {
            assert_eq!(UrlParameters::parse(&format!("{name}=AAPL,MSFT")).unwrap(), expected);

            let error = UrlParameters::parse(&format!("symbols=A&{name}=A")).unwrap_err();
            let expected =
                format!("the parameters `symbols` and `{name}` mean the same; give only one of them");
            assert_eq!((error.code, error.message), (ErrorCode::BadParameter, expected));
        }
    }

    #[test]
    fn a_plus_in_a_token_is_a_plus() {
        for query in ["token=a+b%20c", "x=+&token=a%2Bb%20c"] {
            assert_eq!(UrlParameters::token(query), Some(TokenHash::of("a+b c")));
        }
        assert_eq!(UrlParameters::parse("token=a+b").unwrap().token, UrlParameters::token("token=a+b"));
        assert_eq!(UrlParameters::token("tokens=a"), None);
    }

    #[test]
    fn an_empty_query_asks_for_nothing() {
        assert_eq!(UrlParameters::parse("").unwrap(), UrlParameters::default());
    }
}
