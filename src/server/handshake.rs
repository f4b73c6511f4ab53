//! The WebSocket handshake (RFC 6455, section 4.2).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONNECTION, HeaderName, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::{HeaderMap, StatusCode, Version};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::json_response::ErrorResponse;
use crate::wire::{ErrorCode, ErrorReply};

/// The HTTP version and the headers of a request for a WebSocket handshake.
#[derive(Clone, Copy, Debug)]
pub struct Handshake<'a> {
    /// The HTTP version.
    pub version: Version,
    /// The headers.
    pub headers: &'a HeaderMap,
}

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
    /// Returns an error if the handshake is malformed.
    pub fn check(&self) -> Result<String, ErrorResponse> {
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
        let key = single_value(self.headers, &SEC_WEBSOCKET_KEY)
            .filter(|key| STANDARD.decode(key).is_ok_and(|bytes| bytes.len() == 16))
            .ok_or_else(|| bad_handshake("`Sec-WebSocket-Key` must be 16 bytes in base64"))?;
        Ok(derive_accept_key(key.as_bytes()))
    }
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
    (StatusCode::UPGRADE_REQUIRED, ErrorReply::new(ErrorCode::UpgradeRequired, message))
}

fn bad_handshake(message: &str) -> ErrorResponse {
    (StatusCode::BAD_REQUEST, ErrorReply::new(ErrorCode::BadHandshake, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(changes: &[(&str, Option<&str>)]) -> Result<String, u16> {
        let mut headers = HeaderMap::new();
        let usual = [
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
        let handshake = Handshake { version: Version::HTTP_11, headers: &headers };
        handshake.check().map_err(|(status, _)| status.as_u16())
    }

    #[test]
    fn the_example_of_the_rfc_is_accepted() {
        assert_eq!(check(&[]).unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn a_wrong_handshake_gets_the_status_for_its_mistake() {
        for (change, status) in [
            (("upgrade", None), 426),
            (("connection", Some("keep-alive")), 426),
            (("sec-websocket-version", Some("8")), 426),
            (("sec-websocket-key", None), 400),
            (("sec-websocket-key", Some("c2hvcnQ=")), 400),
        ] {
            assert_eq!(check(&[change]), Err(status), "{change:?}");
        }
    }
}
