//! Combines a server's URL, the token to show and the certificates to trust into the target of a client.

use std::path::Path;
use std::sync::Arc;

use http::Uri;
use http::header::HeaderValue;
use http::uri::InvalidUri;
use tokio_rustls::rustls::ClientConfig;

use super::tls::{self, CaError};
use super::url::{self, UrlError};

/// The target of a client: a server's URL, the token to show, and the certificates to trust.
#[derive(Clone, Debug)]
pub struct Target {
    /// The URL.
    pub(super) url: Uri,
    /// The value of the `Authorization` header, which contains the token; `None` without a token.
    pub(super) authorization: Option<HeaderValue>,
    /// The TLS settings of the client; `None` if the URL does not begin with `wss`.
    pub(super) tls: Option<Arc<ClientConfig>>,
}

/// An error in the URL, the token or the trusted certificates.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// The URL cannot be used.
    #[error("--url: {0}")]
    Url(#[from] UrlError),
    /// The user named certificates to trust, but the URL does not begin with `wss`.
    #[error("--ca: the URL is without TLS")]
    CaWithoutTls,
    /// The file with the certificates to trust cannot be used.
    #[error("--ca: {0}")]
    Ca(#[from] CaError),
    /// The token has characters that a header cannot have. The error does not repeat the token.
    #[error("the token has a character that a token cannot have")]
    Token,
}

impl TargetError {
    /// Returns advice for the user, if there is any.
    #[must_use]
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Url(_) => Some(
                "a URL has the form ws://127.0.0.1:8000/ws, or wss:// with TLS; special characters in its parameters are escaped, e.g. as %20",
            ),
            Self::CaWithoutTls => Some("a server with TLS has a URL that begins with wss://"),
            Self::Ca(CaError::Open { .. }) => None,
            Self::Ca(_) => Some(
                "the file has the certificate of an authority; it begins with -----BEGIN CERTIFICATE-----",
            ),
            Self::Token => Some("TICKERPLANT_TOKEN is one line of printable ASCII characters"),
        }
    }
}

impl Target {
    /// Returns the target for the URL of a server. An empty token counts as no token. If `ca` names a file,
    /// the client trusts only the certificates in this file. Without such a file, the client trusts the
    /// system's certificates.
    ///
    /// # Errors
    ///
    /// Fails if the URL or the token is malformed, or if the file `ca` cannot be used.
    pub fn new(url: &str, token: &str, ca: Option<&Path>) -> Result<Self, TargetError> {
        let url = url::parse(url)?;
        let tls = match (url.scheme_str(), ca) {
            (Some("wss"), ca) => Some(tls::config(ca)?),
            (_, Some(_)) => return Err(TargetError::CaWithoutTls),
            (_, None) => None,
        };
        let authorization = (!token.trim().is_empty()).then(|| bearer(token.trim())).transpose()?;
        Ok(Self { url, authorization, tls })
    }

    /// Returns whether the client shows a token when it connects, in the header or in the URL.
    pub(super) fn has_token(&self) -> bool {
        self.authorization.is_some() || url::value(&self.url, "token").is_some()
    }

    /// Adds these symbols to the URL. If `symbols` is empty and the URL names no symbols, adds `*`.
    ///
    /// # Errors
    ///
    /// Fails if the URL becomes too long.
    pub fn with_symbols(mut self, symbols: &[String]) -> Result<Self, InvalidUri> {
        let names = ["symbols", "symbol", "tickers", "ticker"];
        let has_symbols = names.iter().any(|name| url::value(&self.url, name).is_some());
        if !symbols.is_empty() || !has_symbols {
            let symbols = if symbols.is_empty() { "*".to_owned() } else { symbols.join(",") };
            self.url = url::with(&self.url, "symbols", &symbols)?;
        }
        Ok(self)
    }
}

fn bearer(token: &str) -> Result<HeaderValue, TargetError> {
    // A header could have other bytes, but the server reads only text of ASCII characters from it.
    if !token.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        return Err(TargetError::Token);
    }
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).expect("the token is printable");
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_become_part_of_the_url() {
        let watched = |url: &str, symbols: &[&str]| {
            let symbols: Vec<String> = symbols.iter().map(|symbol| (*symbol).to_owned()).collect();
            Target::new(url, "", None).unwrap().with_symbols(&symbols).unwrap().url.to_string()
        };

        assert_eq!(watched("ws://h/ws", &["AAPL", "A+B"]), "ws://h/ws?symbols=AAPL%2CA%2BB");
        assert_eq!(watched("ws://h/ws", &["A B"]), "ws://h/ws?symbols=A%20B");
        assert_eq!(watched("ws://h/ws", &[]), "ws://h/ws?symbols=*");
        assert_eq!(watched("ws://h/ws?delivery=every", &[]), "ws://h/ws?delivery=every&symbols=*");
        assert_eq!(watched("ws://h/ws?symbols=X", &[]), "ws://h/ws?symbols=X");
        assert_eq!(watched("ws://h/ws?ticker=X", &[]), "ws://h/ws?ticker=X");
    }

    #[test]
    fn a_token_is_in_the_header_but_not_in_debug_output_or_errors() {
        let with_token = |token| Target::new("ws://h/ws", token, None);

        let target = with_token("secret\n").unwrap();
        assert_eq!(target.authorization.as_ref().unwrap(), "Bearer secret");
        assert!(!format!("{target:?}").contains("secret"));
        assert_eq!(with_token(" ").unwrap().authorization, None);
        for token in ["sec\nret", "sec\u{e9}ret", "sec\tret"] {
            let error = with_token(token).unwrap_err();
            assert!(matches!(error, TargetError::Token), "{error:?}");
            assert!(!format!("{error} {error:?}").contains("ret\""), "{error:?}");
        }
    }
}
