//! The Host rule: which hosts the server accepts in the `Host` header and in the target of a request.
//!
//! The rule prevents DNS rebinding, in which the name of a malicious site resolves to the address of this
//! machine. In such an attack, the browser treats pages of the malicious site as pages of this server. Only
//! the `Host` header still contains the name of the malicious site.
//!
//! A server on a loopback address accepts only loopback hosts, and the hosts in `server.allowed_hosts`. A
//! server on another address accepts every host if `server.allowed_hosts` is empty, and otherwise only the
//! listed hosts. The server ignores `X-Forwarded-Host`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use http::header::HOST;
use http::{HeaderMap, StatusCode, Uri, Version};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::json_response::ErrorResponse;
use crate::wire::{ErrorCode, ErrorReply};

/// The maximum length of a DNS name, in bytes.
const MAX_NAME_BYTES: usize = 253;

/// A name or an address of a machine, as in a URL. Names are in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// A name.
    Name(String),
    /// An address.
    Address(IpAddr),
}

/// A host with an optional port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// The host.
    pub host: Host,
    /// The port.
    pub port: Option<u16>,
}

/// The hosts that the server accepts in the `Host` header.
#[derive(Clone, Debug)]
pub struct Hosts {
    /// The configured hosts.
    pub allowed: Vec<Host>,
    /// Whether the server listens on a loopback address.
    pub loopback: bool,
}

/// The error for a text that is not a host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{found}` is no host; a host is a name or an address, without a scheme, a port and a path; {advice}"
)]
pub struct NotAHost {
    /// The invalid text.
    found: String,
    /// Advice for the user: the correct form of the text, or an example of a host.
    advice: String,
}

impl Hosts {
    /// Checks and returns the host of a request. The host is in the `Host` header. But if the request has an
    /// absolute target such as `http://localhost/ws`, the host in the target counts instead (RFC 9112,
    /// section 3.2.2). An HTTP/1.0 request may lack the `Host` header. A request without this header does not
    /// come from a browser, because browsers always send `Host`.
    ///
    /// # Errors
    ///
    /// - The error has the status 400 if the header is missing, repeated or malformed, or if the host of the
    ///   target is malformed.
    /// - The error has the status 403 if the server does not accept this host.
    pub fn check(
        &self,
        version: Version,
        target: &Uri,
        headers: &HeaderMap,
    ) -> Result<Option<HostPort>, ErrorResponse> {
        let needs_header = version != Version::HTTP_10 || headers.contains_key(HOST);
        let header = needs_header.then(|| host_header(headers));
        let absolute = target.authority().map(|authority| HostPort::parse_requested(authority.as_str()));
        let requested = match (header, absolute) {
            (None, None) => return Ok(None),
            (Some(None), _) => None,
            (_, Some(host)) | (Some(host), None) => host,
        };
        let Some(requested) = requested else {
            let message =
                "a request needs one `Host` header, which is a name or an address, and optionally a port";
            return Err((StatusCode::BAD_REQUEST, ErrorReply::new(ErrorCode::BadRequest, message)));
        };
        let host = &requested.host;
        if self.admits(host) {
            return Ok(Some(requested));
        }
        let message =
            format!("this server does not answer as \"{host}\"; list the name in server.allowed_hosts");
        Err((StatusCode::FORBIDDEN, ErrorReply::new(ErrorCode::Forbidden, message)))
    }

    /// Returns whether the server accepts this host in the `Host` header.
    #[must_use]
    pub fn admits(&self, host: &Host) -> bool {
        let is_restricted = self.loopback || !self.allowed.is_empty();
        !is_restricted || self.loopback && host.is_loopback() || self.allowed.contains(host)
    }
}

/// Returns the host and port in the `Host` header; `None` if the header is missing, repeated or malformed.
fn host_header(headers: &HeaderMap) -> Option<HostPort> {
    let mut values = headers.get_all(HOST).iter();
    let host = HostPort::parse_requested(values.next()?.to_str().ok()?)?;
    values.next().is_none().then_some(host)
}

/// Returns the host and the port of a URL, without a final dot.
pub fn authority_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default().trim_end_matches('.')
}

impl Host {
    /// Returns whether this is a loopback address, `localhost`, or a name that ends with `.localhost`. RFC
    /// 6761, section 6.3 reserves `localhost` and names that end with `.localhost` for loopback addresses.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Name(name) => name == "localhost" || name.ends_with(".localhost"),
            Self::Address(address) => address.is_loopback(),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        if let Some(rest) = text.strip_prefix('[') {
            let address: Ipv6Addr = rest.strip_suffix(']')?.parse().ok()?;
            return Some(Self::Address(IpAddr::V6(address).to_canonical()));
        }
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            return Some(Self::Address(address.into()));
        }
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let mut labels = text.split('.');
        let is_name = text.len() <= MAX_NAME_BYTES
            && labels.all(|label| !label.is_empty() && label.bytes().all(is_allowed));
        // In a URL, a host whose last label is a number is an IPv4 address. Valid addresses are handled
        // above.
        let is_number = text.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
        (is_name && !is_number).then(|| Self::Name(text.to_ascii_lowercase()))
    }
}

impl HostPort {
    /// Parses a host with an optional port. Returns `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = split(text);
        let port = match port {
            Some(port) => Some(parse_port(port)?),
            None => None,
        };
        Some(Self { host: Host::parse(host)?, port })
    }

    /// Parses the host and port of a request. Drops an empty port, and drops a dot at the end of the name.
    /// RFC 3986 allows both (sections 3.2.2 and 3.2.3).
    fn parse_requested(text: &str) -> Option<Self> {
        let (host, port) = split(text);
        let host = Host::parse(host.strip_suffix('.').unwrap_or(host))?;
        match port {
            None | Some("") => Some(Self { host, port: None }),
            Some(port) => Some(Self { host, port: Some(parse_port(port)?) }),
        }
    }
}

/// Splits a text at the colon before a port.
fn split(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        // A colon inside brackets belongs to an IPv6 address, and does not precede a port.
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    }
}

/// Parses a port from 1 to 65535. Rejects a sign and leading zeros.
fn parse_port(text: &str) -> Option<u16> {
    let begins_right = text.starts_with(|c: char| matches!(c, '1'..='9'));
    if begins_right { text.parse().ok() } else { None }
}

impl FromStr for Host {
    type Err = NotAHost;

    /// Parses a host in the configuration.
    ///
    /// # Errors
    ///
    /// Returns an error if the text is not a valid host, because no request could match the text. The error
    /// shows the correct form of the text, or an example.
    fn from_str(text: &str) -> Result<Self, NotAHost> {
        Self::parse(text).ok_or_else(|| {
            let address = text.parse().ok().map(Self::Address);
            let inside = || HostPort::parse(authority_of(text)).map(|inside| inside.host);
            let advice = match address.or_else(inside) {
                Some(host) => format!("write `{host}`"),
                None => "an example is `ticks.example`".to_owned(),
            };
            NotAHost { found: text.to_owned(), advice }
        })
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => write!(f, "{address}"),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

impl Serialize for Host {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Host {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(hosts: &Hosts, version: Version, values: &[&str]) -> Result<(), u16> {
        check_target(hosts, version, "/ws", values)
    }

    fn check_target(hosts: &Hosts, version: Version, target: &str, values: &[&str]) -> Result<(), u16> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(HOST, value.parse().unwrap());
        }
        hosts
            .check(version, &target.parse().unwrap(), &headers)
            .map(drop)
            .map_err(|(status, _)| status.as_u16())
    }

    fn hosts(allowed: &[&str], loopback: bool) -> Hosts {
        Hosts { allowed: allowed.iter().map(|host| host.parse().unwrap()).collect(), loopback }
    }

    #[test]
    fn on_a_loopback_address_a_host_is_loopback_or_listed() {
        let hosts = hosts(&["Ticks.Example", "192.0.2.1"], true);
        for host in [
            "localhost",
            "LOCALHOST:8000",
            "app.localhost:3000",
            "127.0.0.1:8000",
            "127.255.0.9",
            "[::1]",
            "[::1]:8000",
            "[::ffff:7f00:1]:8000",
            "localhost.",
            "localhost.:8000",
            "localhost:",
            "[::1]:",
            "ticks.example.",
            "ticks.example",
            "ticks.example:443",
            "192.0.2.1:8000",
        ] {
            assert_eq!(check(&hosts, Version::HTTP_11, &[host]), Ok(()), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:8000",
            "evil.example.",
            "evil.example:",
            "localhost.evil.example",
            "evil-localhost",
            "127.0.0.1.evil.example",
            "sub.ticks.example",
            "192.0.2.2",
            "0.0.0.0:8000",
            "[::2]",
        ] {
            assert_eq!(check(&hosts, Version::HTTP_11, &[host]), Err(403), "{host}");
        }
    }

    #[test]
    fn on_other_addresses_only_a_list_restricts_the_host() {
        let open = hosts(&[], false);
        let listed = hosts(&["ticks.example"], false);

        assert_eq!(check(&open, Version::HTTP_11, &["evil.example"]), Ok(()));
        assert_eq!(check(&listed, Version::HTTP_11, &["ticks.example:8000"]), Ok(()));
        assert_eq!(check(&listed, Version::HTTP_11, &["localhost"]), Err(403));
        assert_eq!(check(&listed, Version::HTTP_11, &["192.0.2.1"]), Err(403));
    }

    #[test]
    fn a_request_has_exactly_one_well_formed_host() {
        for hosts in [hosts(&[], true), hosts(&[], false)] {
            for values in [
                &[][..],
                &["localhost", "localhost"],
                &[""],
                &["localhost, evil.example"],
                &["localhost.."],
                &["localhost::"],
                &["localhost:80."],
                &["."],
                &[":"],
                &["localhost:+80"],
                &["localhost:080"],
                &["localhost:65536"],
                &["[::1"],
                &["::1"],
                &["me@localhost"],
                &["http://localhost"],
                &["localhost/"],
                &["127.1"],
            ] {
                assert_eq!(check(&hosts, Version::HTTP_11, values), Err(400), "{values:?}");
            }
            assert_eq!(check(&hosts, Version::HTTP_10, &[]), Ok(()));
        }
        assert_eq!(check(&hosts(&[], true), Version::HTTP_10, &["evil.example"]), Err(403));
    }

    #[test]
    fn the_host_of_an_absolute_target_counts_instead_of_the_header() {
        let hosts = hosts(&[], true);
        for version in [Version::HTTP_10, Version::HTTP_11] {
            let check = |target: &str, values: &[&str]| check_target(&hosts, version, target, values);

            assert_eq!(check("http://evil.example/api/v1/feed", &["localhost"]), Err(403));
            assert_eq!(check("ws://evil.example:8000/ws", &["localhost"]), Err(403));
            assert_eq!(check("http://me@localhost/ws", &["localhost"]), Err(400));
            assert_eq!(check("http://localhost:8000/ws", &["evil.example"]), Ok(()));
            assert_eq!(check("http://localhost./ws", &["localhost"]), Ok(()));
            assert_eq!(check("http://localhost/ws", &["two names"]), Err(400));
        }
        let absolute = |version| check_target(&hosts, version, "http://evil.example/ws", &[]);
        assert_eq!((absolute(Version::HTTP_10), absolute(Version::HTTP_11)), (Err(403), Err(400)));
    }

    #[test]
    fn a_host_that_could_never_match_is_an_error_with_the_right_form() {
        for (text, advice) in [
            ("https://ticks.example", "write `ticks.example`"),
            ("https://me@ticks.example:8443/path?query", "write `ticks.example`"),
            ("ticks.example/", "write `ticks.example`"),
            ("ticks.example:8443", "write `ticks.example`"),
            ("Ticks.Example.", "write `ticks.example`"),
            ("::1", "write `[::1]`"),
            ("*.ticks.example", "an example is `ticks.example`"),
            ("*", "an example is `ticks.example`"),
            ("", "an example is `ticks.example`"),
            ("börse.example", "an example is `ticks.example`"),
        ] {
            let error = text.parse::<Host>().unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("`{text}` is no host; ")) && error.ends_with(advice),
                "{error}"
            );
        }
    }
}
