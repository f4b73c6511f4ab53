//! The WebSocket handshake: RFC 6455, section 4.2, and who may come in from a browser.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONNECTION, HOST, HeaderName, ORIGIN, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::uri::Authority;
use http::{HeaderMap, Method, StatusCode, Uri, Version};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::wire::{ErrorCode, Refusal};

/// What a request says that wants a WebSocket.
#[derive(Clone, Copy, Debug)]
pub struct Handshake<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Its version of HTTP.
    pub version: Version,
    /// Its headers.
    pub headers: &'a HeaderMap,
}

/// Which browsers' pages may connect.
#[derive(Clone, Debug)]
pub struct Origins {
    /// Origins that may, beside the server's own.
    pub allowed: Vec<String>,
    /// Whether any loopback origin may, as the listener is one.
    pub loopback: bool,
}

/// Why a request is refused.
pub type Denied = (StatusCode, Refusal);

/// Whether a request asks for a WebSocket at all.
#[must_use]
pub fn is_upgrade(headers: &HeaderMap) -> bool {
    has_token(headers, &UPGRADE, "websocket")
}

impl Handshake<'_> {
    /// Checks the handshake and returns the value of `Sec-WebSocket-Accept`.
    ///
    /// # Errors
    ///
    /// The status that the request deserves and what to do about it.
    pub fn check(&self, origins: &Origins) -> Result<String, Denied> {
        if self.method != Method::GET {
            return Err(denied(
                StatusCode::METHOD_NOT_ALLOWED,
                ErrorCode::MethodNotAllowed,
                "a WebSocket begins with GET",
            ));
        }
        if !is_upgrade(self.headers) || !has_token(self.headers, &CONNECTION, "upgrade") {
            return Err(upgrade_required(
                "this is a WebSocket endpoint: it needs the headers `Connection: Upgrade` and `Upgrade: websocket`",
            ));
        }
        if self.version != Version::HTTP_11 {
            return Err(bad_handshake("a WebSocket begins with HTTP/1.1"));
        }
        if only(self.headers, &SEC_WEBSOCKET_VERSION) != Some("13") {
            return Err(upgrade_required("`Sec-WebSocket-Version` is 13 here"));
        }
        if host(self.headers).is_none() {
            return Err(bad_handshake("the request needs one `Host` header"));
        }
        let key = only(self.headers, &SEC_WEBSOCKET_KEY)
            .filter(|key| STANDARD.decode(key).is_ok_and(|bytes| bytes.len() == 16))
            .ok_or_else(|| bad_handshake("`Sec-WebSocket-Key` is 16 bytes in base64"))?;
        origins.check(self.headers)?;
        Ok(derive_accept_key(key.as_bytes()))
    }
}

impl Origins {
    /// Checks that whoever sends these headers is no page, or one that may connect.
    ///
    /// # Errors
    ///
    /// 403 for every other page.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), Denied> {
        let mut values = headers.get_all(ORIGIN).iter();
        let Some(value) = values.next() else {
            // A browser sends one with a WebSocket, with a POST, and with whatever reads across origins.
            return Ok(());
        };
        let origin = value.to_str().unwrap_or("?");
        let is_listed = self.allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin));
        let is_own = || host(headers).is_some_and(|host| is_own(origin, &host, self.loopback));
        let may = values.next().is_none() && (is_listed || is_own());
        if may {
            return Ok(());
        }
        Err(denied(
            StatusCode::FORBIDDEN,
            ErrorCode::Forbidden,
            format!("pages of {origin:?} may not connect; list it in server.allowed_origins"),
        ))
    }
}

/// The `Host` that a request names, once.
fn host(headers: &HeaderMap) -> Option<Authority> {
    only(headers, &HOST)?.parse().ok()
}

/// Whether an origin is the server's own, or a loopback one where these may.
fn is_own(origin: &str, host: &Authority, loopback: bool) -> bool {
    let Ok(uri) = origin.parse::<Uri>() else {
        return false;
    };
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return false;
    };
    let usual = if scheme == "https" { 443 } else { 80 };
    let port = |of: &Authority| of.port_u16().unwrap_or(usual);
    let is_same = authority.host().eq_ignore_ascii_case(host.host()) && port(authority) == port(host);
    is_same || (loopback && is_loopback(authority.host()))
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

/// The value of a header that is there exactly once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(token))
}

fn upgrade_required(message: &str) -> Denied {
    denied(StatusCode::UPGRADE_REQUIRED, ErrorCode::UpgradeRequired, message)
}

fn bad_handshake(message: &str) -> Denied {
    denied(StatusCode::BAD_REQUEST, ErrorCode::BadHandshake, message)
}

fn denied(status: StatusCode, code: ErrorCode, message: impl std::fmt::Display) -> Denied {
    (status, Refusal::new(code, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(changes: &[(&str, Option<&str>)], origins: &Origins) -> Result<String, u16> {
        let mut headers = HeaderMap::new();
        let usual = [
            ("host", "127.0.0.1:8000"),
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        for (name, value) in usual {
            headers.insert(name, value.parse().unwrap());
        }
        for (name, value) in changes {
            let name: HeaderName = name.parse().unwrap();
            headers.remove(&name);
            if let Some(value) = value {
                headers.insert(name, value.parse().unwrap());
            }
        }
        let handshake = Handshake { method: &Method::GET, version: Version::HTTP_11, headers: &headers };
        handshake.check(origins).map_err(|(status, _)| status.as_u16())
    }

    fn strict() -> Origins {
        Origins { allowed: vec!["https://dash.example".into(), "null".into()], loopback: false }
    }

    #[test]
    fn the_example_of_the_rfc_gets_its_answer() {
        assert_eq!(check(&[], &strict()).unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn what_is_no_handshake_gets_the_status_it_deserves() {
        for (change, status) in [
            (("upgrade", None), 426),
            (("connection", Some("keep-alive")), 426),
            (("sec-websocket-version", Some("8")), 426),
            (("host", None), 400),
            (("sec-websocket-key", None), 400),
            (("sec-websocket-key", Some("c2hvcnQ=")), 400),
        ] {
            assert_eq!(check(&[change], &strict()), Err(status), "{change:?}");
        }
    }

    #[test]
    fn only_pages_of_the_server_itself_and_listed_ones_come_in() {
        let origin = |origin| check(&[("origin", Some(origin))], &strict()).map(drop);

        assert_eq!(origin("http://127.0.0.1:8000"), Ok(()));
        assert_eq!(origin("https://127.0.0.1:8000"), Ok(()));
        assert_eq!(origin("https://dash.example"), Ok(()));
        assert_eq!(origin("null"), Ok(()));
        assert_eq!(origin("http://127.0.0.1:8001"), Err(403));
        assert_eq!(origin("http://evil.example"), Err(403));
        assert_eq!(origin("http://127.0.0.1:8000.evil.example"), Err(403));
    }

    #[test]
    fn the_usual_port_may_be_left_out() {
        let behind_a_proxy = [("host", Some("ticks.example")), ("origin", Some("https://ticks.example"))];
        let spelt_out = [("host", Some("ticks.example:443")), ("origin", Some("https://ticks.example"))];

        assert!(check(&behind_a_proxy, &strict()).is_ok());
        assert!(check(&spelt_out, &strict()).is_ok());
    }

    #[test]
    fn on_loopback_any_loopback_page_comes_in() {
        let origins = Origins { allowed: Vec::new(), loopback: true };
        let origin = |origin| check(&[("origin", Some(origin))], &origins).map(drop);

        assert_eq!(origin("http://localhost:5173"), Ok(()));
        assert_eq!(origin("http://[::1]:3000"), Ok(()));
        assert_eq!(origin("http://evil.example"), Err(403));
        assert_eq!(origin("null"), Err(403));
    }
}
