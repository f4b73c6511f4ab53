//! Parses the parameters in the URL of a request for market data, such as `/api/v1/events`.

use super::parameter::{
    distinct_pairs, is_symbols, parse_channels, parse_limit, parse_symbols, unknown_parameter,
};
use super::{ErrorReply, Symbols};
use crate::market::KindSet;

/// The maximum `limit` of a request.
pub const MAX_LIMIT: u16 = 10_000;

/// The parsed parameters of a request for market data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataParameters {
    /// The symbols; `None` if the request names no symbols.
    pub symbols: Option<Symbols>,
    /// The channels. Without the parameter `channels`, all channels.
    pub channels: KindSet,
    /// The text of `after`, the place where the previous page ended. Each path has its own form of `after`.
    pub after: Option<String>,
    /// The maximum number of entries in the answer.
    pub limit: Option<usize>,
}

impl DataParameters {
    /// Parses the query of a URL. `query` does not include the `?`. `names` are the parameters that the path
    /// has besides `token`.
    ///
    /// # Errors
    ///
    /// Returns an error that names the first unknown, repeated or malformed parameter.
    pub fn parse(query: &str, names: &[&str]) -> Result<Self, ErrorReply> {
        let mut parameters = Self { symbols: None, channels: KindSet::ALL, after: None, limit: None };
        for pair in distinct_pairs(query) {
            let (name, value) = pair?;
            let known = if is_symbols(&name) { "symbols" } else { name.as_str() };
            match known {
                // The permissions of the token are checked elsewhere.
                "token" => {}
                _ if !names.contains(&known) => return Err(unknown_parameter(&name, names)),
                "symbols" => parameters.symbols = Some(parse_symbols(&name, &value)?),
                "channels" => parameters.channels = parse_channels(&value)?,
                "limit" => parameters.limit = Some(parse_limit(&value, MAX_LIMIT)?),
                _ => parameters.after = Some(value),
            }
        }
        Ok(parameters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::Kind;
    use crate::wire::ErrorCode;

    const NAMES: [&str; 4] = ["symbols", "channels", "after", "limit"];

    #[test]
    fn a_url_has_symbols_channels_a_place_and_a_limit() {
        let query = "ticker=AAPL,BRK.B&channels=trades&after=k3f9-7&limit=10000&token=secret";
        let parameters = DataParameters::parse(query, &NAMES).unwrap();

        let names = ["AAPL", "BRK.B"].map(|name| name.parse().unwrap()).into();
        let expected = DataParameters {
            symbols: Some(Symbols { all: false, names }),
            channels: Kind::Trade.into(),
            after: Some("k3f9-7".to_owned()),
            limit: Some(10_000),
        };
        assert_eq!(parameters, expected);
    }

    #[test]
    fn the_error_names_the_wrong_parameter() {
        let error = |query: &str| DataParameters::parse(query, &NAMES).unwrap_err();

        assert!(error("limt=1").message.contains("\"limt\"; parameters are symbols, channels, after, limit"));
        assert!(error("limt=1").message.ends_with("; did you mean limit?"));
        assert_eq!(error("symbols=A%20B").code, ErrorCode::BadSymbol);
        assert_eq!(error("symbols=A&channels=trade").code, ErrorCode::BadChannel);
        assert!(error("symbols=A&ticker=B").message.contains("mean the same"));
        for text in ["0", "10001", "-1", "+2", "1.5", "", "ten"] {
            let expected = format!("limit is a whole number from 1 to 10000, not \"{text}\"");
            assert_eq!(error(&format!("limit={text}")).message, expected);
        }
        let error = DataParameters::parse("tokn=A", &[]).unwrap_err();
        let expected = "there is no parameter \"tokn\"; the only parameter is token; did you mean token?";
        assert_eq!(error.message, expected);
        let error = DataParameters::parse("symbols=A", &["limit"]).unwrap_err();
        assert!(error.message.contains("there is no parameter \"symbols\""), "{}", error.message);
    }
}
