//! Parses the parameters in the URL of a WebSocket or of a stream.

use std::time::Duration;

use super::command::{MAX_INTERVAL_MS, delivery};
use super::error_reply::quoted;
use super::parameter::{
    bad_parameter, distinct_pairs, given_twice, is_symbols, pairs, parse_after, parse_channels,
    parse_symbols, unknown_parameter, whole_number,
};
use super::{Command, Delivery, ErrorReply, TokenHash};
use crate::market::KindSet;

/// The usual names of all parameters besides `token`.
const NAMES: [&str; 5] = ["symbols", "channels", "delivery", "interval_ms", "after"];

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
                name if is_symbols(name) => symbols = Some(parse_symbols(name, &value)?),
                "channels" => channels = Some(parse_channels(&value)?),
                "after" => after = Some(parse_after(&value)?),
                "delivery" => {
                    parameters.delivery = delivery(&value).ok_or_else(|| {
                        bad_parameter(format_args!("delivery is latest or every, not {}", quoted(&value)))
                    })?;
                }
                "interval_ms" => {
                    let millis = whole_number("interval_ms", &value, 0..=MAX_INTERVAL_MS)?;
                    parameters.interval = Duration::from_millis(millis);
                }
                "token" => parameters.token = Some(TokenHash::of(&value)),
                _ => return Err(unknown_parameter(&name, &NAMES)),
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
    ///
    /// # Errors
    ///
    /// Returns an error if the query has more than one token.
    pub fn token(query: &str) -> Result<Option<TokenHash>, ErrorReply> {
        let pairs = pairs(query);
        let mut tokens = pairs.iter().filter(|(name, _)| name == "token").map(|(_, token)| token);
        let token = tokens.next().map(|token| TokenHash::of(token));
        if tokens.next().is_some() { Err(given_twice("token")) } else { Ok(token) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::Kind;
    use crate::wire::{Cursor, ErrorCode, Symbols};

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
        for text in ["-1", "+1", "60001", "1.5", "", "1e3"] {
            let expected = format!("interval_ms is a whole number from 0 to 60000, not \"{text}\"");
            assert_eq!(error(&format!("interval_ms={text}")).message, expected);
        }
        assert!(error("ticker=A%20B").message.starts_with("ticker: symbol"));
        assert!(error("symbols=A&channels=x").message.starts_with("channels: "));
        assert!(error("symbols=A&after=5").message.starts_with("after: "));
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
            assert_eq!(UrlParameters::token(query), Ok(Some(TokenHash::of("a+b c"))));
        }
        assert_eq!(
            UrlParameters::parse("token=a+b").unwrap().token,
            UrlParameters::token("token=a+b").unwrap()
        );
        assert_eq!(UrlParameters::token("tokens=a"), Ok(None));
        assert!(
            UrlParameters::token("token=a&token=a").unwrap_err().message.contains("`token` is given twice")
        );
    }

    #[test]
    fn an_empty_query_asks_for_nothing() {
        assert_eq!(UrlParameters::parse("").unwrap(), UrlParameters::default());
    }
}
