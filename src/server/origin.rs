//! The Origin rule: which pages may use the server.
//!
//! A browser sends the origin of a page with each WebSocket handshake, each `POST` and each cross-origin
//! read. The server accepts requests without an `Origin` header. Such requests come from other programs, or
//! from pages that cannot read the response.

use std::fmt;
use std::str::FromStr;

use http::header::ORIGIN;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::host::{Host, HostPort, authority_of};
use super::json_response::ErrorResponse;
use crate::wire::{ErrorCode, ErrorReply};

/// The origin of a page: a scheme, a host and optionally a port (RFC 6454, section 6.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The scheme, in lower case.
    scheme: String,
    host: Host,
    /// The port, unless it is the default port of the scheme.
    port: Option<u16>,
}

/// An entry of `server.allowed_origins`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedOrigin {
    /// `*`: every origin except `null`.
    Any,
    /// `null`: pages without an origin of their own, e.g. local files.
    Null,
    /// A single origin.
    Origin(Origin),
}

/// The origins whose pages may use the server, in addition to the server's own origin.
#[derive(Clone, Debug)]
pub struct Origins {
    /// The configured origins.
    pub allowed: Vec<AllowedOrigin>,
    /// Whether every loopback origin is allowed, because the server listens on a loopback address.
    pub loopback: bool,
}

/// The error for a text that is not an origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{found}` is no origin; an origin is a scheme, a host and optionally a port, and `*` alone is any origin; \
     {advice}"
)]
pub struct NotAnOrigin {
    /// The invalid text.
    found: String,
    /// Advice for the user: the correct form of the text, or an example of an origin.
    advice: String,
}

impl Origins {
    /// Checks the origin of a request. Returns the `Origin` header if the request has this header. `host` is
    /// the host of the request; `None` if the request has no host, or if the Host rule refuses the host.
    ///
    /// # Errors
    ///
    /// The error has the status 403 if the origin is not allowed.
    pub fn check(
        &self,
        headers: &HeaderMap,
        host: Option<&HostPort>,
    ) -> Result<Option<HeaderValue>, ErrorResponse> {
        let mut values = headers.get_all(ORIGIN).iter();
        let Some(value) = values.next() else { return Ok(None) };
        let origin = value.to_str().unwrap_or("?");
        if values.next().is_none() && self.allow(origin, host) {
            return Ok(Some(value.clone()));
        }
        let message = format!("pages of {origin:?} may not connect; list it in server.allowed_origins");
        Err((StatusCode::FORBIDDEN, ErrorReply::new(ErrorCode::Forbidden, message)))
    }

    fn allow(&self, origin: &str, host: Option<&HostPort>) -> bool {
        if origin == "null" {
            return self.allowed.contains(&AllowedOrigin::Null);
        }
        Origin::parse(origin).is_some_and(|origin| {
            host.is_some_and(|host| origin.is_of(host))
                || self.loopback && origin.host.is_loopback()
                || self.allowed.contains(&AllowedOrigin::Any)
                || self.allowed.contains(&AllowedOrigin::Origin(origin))
        })
    }
}

impl Origin {
    /// Parses an origin. Returns `None` for any other text.
    fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        let is_scheme =
            scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.bytes().all(is_allowed);
        let HostPort { host, port } = HostPort::parse(rest).filter(|_| is_scheme)?;
        let scheme = scheme.to_ascii_lowercase();
        let port = port.filter(|port| Some(*port) != default_port(&scheme));
        Some(Self { scheme, host, port })
    }

    /// Returns whether this origin is the server's own. The server's own origin has the host and port of the
    /// request. Ignores the scheme of the origin, because a proxy may terminate TLS.
    fn is_of(&self, host: &HostPort) -> bool {
        let port = host.port.filter(|port| Some(*port) != default_port(&self.scheme));
        self.host == host.host && self.port == port
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

impl FromStr for AllowedOrigin {
    type Err = NotAnOrigin;

    /// Parses an entry of `server.allowed_origins`.
    ///
    /// # Errors
    ///
    /// Returns an error if the text is not a valid origin, because no page could match the text. The error
    /// shows the correct form of the text, or an example.
    fn from_str(text: &str) -> Result<Self, NotAnOrigin> {
        if text == "*" {
            return Ok(Self::Any);
        }
        if text.eq_ignore_ascii_case("null") {
            return Ok(Self::Null);
        }
        let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        // No page has an origin with the scheme `ws` or `wss`. The origin of a local file is `null`.
        let (is_of_no_page, scheme) = match scheme.as_deref() {
            Some("file") => {
                return Err(NotAnOrigin { found: text.to_owned(), advice: "write `null`".to_owned() });
            }
            Some("ws") => (true, "http"),
            Some("wss") | None => (true, "https"),
            Some(scheme) => (false, scheme),
        };
        let origin = Origin::parse(text).filter(|_| !is_of_no_page);
        origin.map(Self::Origin).ok_or_else(|| {
            let advice = match Origin::parse(&format!("{scheme}://{}", authority_of(text))) {
                Some(origin) => format!("write `{origin}`"),
                None => "an example is `https://dash.example`".to_owned(),
            };
            NotAnOrigin { found: text.to_owned(), advice }
        })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, host, port } = self;
        write!(f, "{scheme}://{host}")?;
        port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl fmt::Display for AllowedOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Null => f.write_str("null"),
            Self::Origin(origin) => origin.fmt(f),
        }
    }
}

impl Serialize for AllowedOrigin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AllowedOrigin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(origins: &Origins, host: &str, values: &[&str]) -> Result<(), u16> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(ORIGIN, value.parse().unwrap());
        }
        let host = HostPort::parse(host);
        origins.check(&headers, host.as_ref()).map(drop).map_err(|(status, _)| status.as_u16())
    }

    fn origins(allowed: &[&str], loopback: bool) -> Origins {
        Origins { allowed: allowed.iter().map(|origin| origin.parse().unwrap()).collect(), loopback }
    }

    #[test]
    fn only_the_servers_own_pages_and_listed_origins_may_connect() {
        let strict = origins(&["https://dash.example", "null"], false);
        let origin = |origin| check(&strict, "127.0.0.1:8000", &[origin]);

        assert_eq!(check(&strict, "127.0.0.1:8000", &[]), Ok(()));
        assert_eq!(origin("http://127.0.0.1:8000"), Ok(()));
        assert_eq!(origin("https://127.0.0.1:8000"), Ok(()));
        assert_eq!(origin("https://dash.example"), Ok(()));
        assert_eq!(origin("null"), Ok(()));
        assert_eq!(origin("http://127.0.0.1:8001"), Err(403));
        assert_eq!(origin("http://evil.example"), Err(403));
        assert_eq!(origin("http://127.0.0.1:8000.evil.example"), Err(403));
        assert_eq!(origin("http://dash.example"), Err(403));
        assert_eq!(origin("https://dash.example:8443"), Err(403));
        assert_eq!(check(&strict, "127.0.0.1", &["null", "null"]), Err(403));
    }

    #[test]
    fn the_usual_port_may_be_left_out() {
        let strict = origins(&["https://dash.example"], false);

        assert_eq!(check(&strict, "ticks.example", &["https://ticks.example"]), Ok(()));
        assert_eq!(check(&strict, "ticks.example:443", &["https://ticks.example"]), Ok(()));
        assert_eq!(check(&strict, "ticks.example", &["http://ticks.example:80"]), Ok(()));
        assert_eq!(check(&strict, "ticks.example", &["https://dash.example:443"]), Ok(()));
        assert_eq!(check(&strict, "ticks.example:8000", &["https://ticks.example"]), Err(403));
    }

    #[test]
    fn on_loopback_any_loopback_page_may_connect() {
        let loopback = origins(&[], true);
        let origin = |origin| check(&loopback, "127.0.0.1:8000", &[origin]);

        assert_eq!(origin("http://localhost:5173"), Ok(()));
        assert_eq!(origin("http://[::1]:3000"), Ok(()));
        assert_eq!(origin("http://app.localhost:3000"), Ok(()));
        assert_eq!(origin("http://evil.example"), Err(403));
        assert_eq!(origin("null"), Err(403));
    }

    #[test]
    fn a_text_that_is_no_origin_is_refused_even_where_any_origin_is_allowed() {
        let any = origins(&["*"], true);
        for text in [
            "http://127.0.0.1:8000.evil.example",
            "http://127.0.0.1:8000/",
            "http://me@127.0.0.1:8000",
            "http://evil.example@127.0.0.1",
            "http://127.0.0.1:8000?query",
            "http://127.0.0.1#fragment",
            "http://[::1",
            "http://::1",
            "http://localhost.",
            "http://localhost:",
            "http://localhost:0",
            "http://localhost:08000",
            "http://localhost:+80",
            "http://localhost:65536",
            "http://127.1",
            "http://",
            "://localhost",
            "localhost",
            "//localhost",
            "http:localhost",
            "http://localhost http://localhost",
            "",
            "null",
        ] {
            assert_eq!(check(&any, "127.0.0.1:8000", &[text]), Err(403), "{text}");
        }
        for text in ["https://any.example", "http://192.0.2.1:8080", "chrome-extension://abcdefgh"] {
            assert_eq!(check(&any, "127.0.0.1:8000", &[text]), Ok(()), "{text}");
        }
    }

    #[test]
    fn an_entry_in_another_form_of_the_same_origin_matches() {
        let listed = origins(&["HTTPS://Dash.Example:443", "NULL"], false);

        assert_eq!(listed.allowed[0].to_string(), "https://dash.example");
        assert_eq!(check(&listed, "ticks.example", &["https://dash.example"]), Ok(()));
        assert_eq!(check(&listed, "ticks.example", &["null"]), Ok(()));
    }

    #[test]
    fn an_entry_that_could_never_match_is_an_error_with_the_right_form() {
        for (text, advice) in [
            ("https://dash.example/", "write `https://dash.example`"),
            ("http://me@dash.example:8080/path", "write `http://dash.example:8080`"),
            ("https://dash.example?a#b", "write `https://dash.example`"),
            ("https://dash.example.", "write `https://dash.example`"),
            ("dash.example", "write `https://dash.example`"),
            ("dash.example:8080", "write `https://dash.example:8080`"),
            ("wss://dash.example", "write `https://dash.example`"),
            ("ws://dash.example:8000/ws", "write `http://dash.example:8000`"),
            ("file:///home/me/page.html", "write `null`"),
            ("https://*.dash.example", "an example is `https://dash.example`"),
            ("https://*", "an example is `https://dash.example`"),
            ("https://dash.example:0", "an example is `https://dash.example`"),
            ("https://börse.example", "an example is `https://dash.example`"),
            ("", "an example is `https://dash.example`"),
        ] {
            let error = text.parse::<AllowedOrigin>().unwrap_err().to_string();
            let begins = error.starts_with(&format!("`{text}` is no origin; "));
            assert!(begins && error.ends_with(advice), "{error}");
        }
    }
}
