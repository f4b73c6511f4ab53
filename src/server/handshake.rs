//! The WebSocket handshake (RFC 6455, section 4.2), and the origins whose pages may connect.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONNECTION, HOST, HeaderName, ORIGIN, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::uri::Authority;
use http::{HeaderMap, Method, StatusCode, Uri, Version};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::wire::{ErrorCode, ErrorReply};

/// The parts of a request that the handshake checks.
#[derive(Clone, Copy, Debug)]
pub struct Handshake<'a> {
    /// The method.
    pub method: &'a Method,
    /// The HTTP version.
    pub version: Version,
    /// The headers.
    pub headers: &'a HeaderMap,
}

/// The origins whose pages may connect.
#[derive(Clone, Debug)]
pub struct Origins {
    /// Allowed origins, in addition to the server's own origin.
    pub allowed: Vec<String>,
    /// Whether every loopback origin is allowed. This is the case for a server that listens on loopback.
    pub loopback: bool,
}

/// The status of an error response, and the error reply in its body.
pub type ErrorResponse = (StatusCode, ErrorReply);

/// Returns whether a request asks for a WebSocket.
#[must_use]
pub fn is_upgrade(headers: &HeaderMap) -> bool {
    has_token(headers, &UPGRADE, "websocket")
}

impl Handshake<'_> {
    /// Checks the handshake and returns the value of `Sec-WebSocket-Accept`.
    ///
    /// # Errors
    ///
    /// The handshake is malformed, or its origin is not allowed.
    pub fn check(&self, origins: &Origins) -> Result<String, ErrorResponse> {
        if self.method != Method::GET {
            return Err(error_response(
                StatusCode::METHOD_NOT_ALLOWED,
                ErrorCode::MethodNotAllowed,
                "a WebSocket handshake uses GET",
            ));
        }
        if !is_upgrade(self.headers) || !has_token(self.headers, &CONNECTION, "upgrade") {
            return Err(upgrade_required(
                "this is a WebSocket endpoint: it needs the headers `Connection: Upgrade` and `Upgrade: websocket`",
            ));
        }
        if self.version != Version::HTTP_11 {
            return Err(bad_handshake("a WebSocket handshake uses HTTP/1.1"));
        }
        if single_value(self.headers, &SEC_WEBSOCKET_VERSION) != Some("13") {
            return Err(upgrade_required("`Sec-WebSocket-Version` must be 13"));
        }
        if host(self.headers).is_none() {
            return Err(bad_handshake("the request needs one `Host` header"));
        }
        let key = single_value(self.headers, &SEC_WEBSOCKET_KEY)
            .filter(|key| STANDARD.decode(key).is_ok_and(|bytes| bytes.len() == 16))
            .ok_or_else(|| bad_handshake("`Sec-WebSocket-Key` must be 16 bytes in base64"))?;
        origins.check(self.headers)?;
        Ok(derive_accept_key(key.as_bytes()))
    }
}

impl Origins {
    /// Checks the origin of a request. A request without an `Origin` header passes.
    ///
    /// # Errors
    ///
    /// 403 for an origin that is not allowed.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), ErrorResponse> {
        let mut values = headers.get_all(ORIGIN).iter();
        let Some(value) = values.next() else {
            // A browser sends `Origin` with each WebSocket handshake, each POST and each cross-origin read.
            // So this request does not come from another site's page.
            return Ok(());
        };
        let origin = value.to_str().unwrap_or("?");
        let is_listed = self.allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin));
        let is_own = || host(headers).is_some_and(|host| is_own(origin, &host, self.loopback));
        let may = values.next().is_none() && (is_listed || is_own());
        if may {
            return Ok(());
        }
        Err(error_response(
            StatusCode::FORBIDDEN,
            ErrorCode::Forbidden,
            format!("pages of {origin:?} may not connect; list it in server.allowed_origins"),
        ))
    }
}

/// Returns the host of a request that has exactly one `Host` header.
fn host(headers: &HeaderMap) -> Option<Authority> {
    single_value(headers, &HOST)?.parse().ok()
}

/// Returns whether an origin is the server's own origin. With `loopback`, every loopback origin counts as the
/// server's own.
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

/// Returns the value of a header, if the header occurs exactly once.
fn single_value<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(token))
}

fn upgrade_required(message: &str) -> ErrorResponse {
    error_response(StatusCode::UPGRADE_REQUIRED, ErrorCode::UpgradeRequired, message)
}

fn bad_handshake(message: &str) -> ErrorResponse {
    error_response(StatusCode::BAD_REQUEST, ErrorCode::BadHandshake, message)
}

fn error_response(status: StatusCode, code: ErrorCode, message: impl std::fmt::Display) -> ErrorResponse {
    (status, ErrorReply::new(code, message))
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
    fn the_example_of_the_rfc_is_accepted() {
        assert_eq!(check(&[], &strict()).unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn a_wrong_handshake_gets_the_status_for_its_mistake() {
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
    fn only_the_servers_own_pages_and_listed_origins_may_connect() {
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
    fn on_loopback_any_loopback_page_may_connect() {
        let origins = Origins { allowed: Vec::new(), loopback: true };
        let origin = |origin| check(&[("origin", Some(origin))], &origins).map(drop);

        assert_eq!(origin("http://localhost:5173"), Ok(()));
        assert_eq!(origin("http://[::1]:3000"), Ok(()));
        assert_eq!(origin("http://evil.example"), Err(403));
        assert_eq!(origin("null"), Err(403));
    }
}
