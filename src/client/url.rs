//! The URL of a server, and the parameters in the URL's query.

use std::fmt;
use std::num::NonZeroU16;

use http::Uri;
use http::uri::InvalidUri;

/// An error in the URL of a server. The error does not repeat the URL, because the URL may contain a token.
#[derive(Debug, thiserror::Error)]
pub enum UrlError {
    /// The URL is malformed.
    #[error("this is not a URL")]
    Malformed(InvalidUri),
    /// The URL has the scheme of another protocol, such as `ftp`.
    #[error("a server has no `{scheme}://`")]
    Scheme {
        /// The scheme of the URL.
        scheme: String,
    },
    /// The URL has no host.
    #[error("the URL has no host")]
    Host,
    /// The port of the URL is not a number from 1 to 65535.
    #[error("the URL's port is not a number from 1 to 65535")]
    Port,
}

/// Parses the URL of a server. The scheme may be left out, as in `localhost:8000`. `http` counts as `ws`, and
/// `https` counts as `wss`.
pub fn parse(text: &str) -> Result<Uri, UrlError> {
    let is_scheme = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) if is_scheme(scheme) => (scheme.to_ascii_lowercase(), rest),
        _ => ("ws".to_owned(), text),
    };
    let scheme = match scheme.as_str() {
        "ws" | "http" => "ws",
        "wss" | "https" => "wss",
        _ => return Err(UrlError::Scheme { scheme }),
    };
    let url: Uri = format!("{scheme}://{rest}").parse().map_err(UrlError::Malformed)?;
    check_server(&url)?;
    Ok(url)
}

/// Checks the host and the port of a URL. Without this check, a client would replace a malformed port by the
/// default port of the scheme. The client could then show the token to another server.
fn check_server(url: &Uri) -> Result<(), UrlError> {
    let authority = url.authority().map_or("", |authority| authority.as_str());
    let server = authority.rsplit('@').next().unwrap_or_default();
    let host = url.host().unwrap_or_default();
    if host.is_empty() {
        return Err(UrlError::Host);
    }
    match server.strip_prefix(host).and_then(|rest| rest.strip_prefix(':')) {
        Some(port) if port.parse::<NonZeroU16>().is_err() => Err(UrlError::Port),
        _ => Ok(()),
    }
}

/// Returns the URL with one more parameter in its query.
pub fn with(url: &Uri, name: &str, value: &str) -> Result<Uri, InvalidUri> {
    let pair = form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish();
    // The serializer writes a space as `+`, but the server reads `+` as a plus sign.
    let pair = pair.replace('+', "%20");
    let joint = if url.query().is_some() { '&' } else { '?' };
    format!("{url}{joint}{pair}").parse()
}

/// Returns the value of the URL's first parameter with this name.
pub fn value(url: &Uri, name: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(url.query().unwrap_or_default().as_bytes());
    pairs.find_map(|(key, value)| (key == name).then(|| value.into_owned()))
}

/// Returns the URL with only the parameters whose name passes the filter `keep`.
pub fn keeping(url: &Uri, keep: impl Fn(&str) -> bool) -> Uri {
    let pairs = url.query().unwrap_or_default().split('&');
    let kept: Vec<&str> = pairs.filter(|pair| keep(pair.split('=').next().unwrap_or_default())).collect();
    let authority = url.authority().map_or("", |authority| authority.as_str());
    let joint = if kept.is_empty() { "" } else { "?" };
    let scheme = url.scheme_str().unwrap_or("ws");
    let kept = format!("{scheme}://{authority}{}{joint}{}", url.path(), kept.join("&"));
    kept.parse().expect("a URL with fewer parameters is a URL")
}

/// The URL of a server, as error texts show it. The user info and the query of the URL are left out, because
/// they may contain a token.
#[derive(Debug)]
pub struct Endpoint(String);

impl Endpoint {
    /// Returns the endpoint of a server's URL.
    #[must_use]
    pub fn of(url: &Uri) -> Self {
        let scheme = url.scheme_str().unwrap_or("ws");
        let authority = url.authority().map_or("", |authority| authority.as_str());
        let server = authority.rsplit('@').next().unwrap_or_default();
        Self(format!("{scheme}://{server}{}", url.path()))
    }

    /// Returns the endpoint's URL with the scheme `wss`, or `None` if the URL has this scheme already.
    #[must_use]
    pub fn with_tls(&self) -> Option<String> {
        self.0.strip_prefix("ws://").map(|rest| format!("wss://{rest}"))
    }

    /// Returns the endpoint's URL with the scheme `ws`, or `None` if the URL has this scheme already.
    #[must_use]
    pub fn without_tls(&self) -> Option<String> {
        self.0.strip_prefix("wss://").map(|rest| format!("ws://{rest}"))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_may_be_left_out_or_be_http_or_https() {
        for (given, meant) in [
            ("ws://h/ws", "ws://h/ws"),
            ("127.0.0.1:8000", "ws://127.0.0.1:8000/"),
            ("localhost:8000/ws?symbols=A", "ws://localhost:8000/ws?symbols=A"),
            ("localhost/ws?from=http://h", "ws://localhost/ws?from=http://h"),
            ("[::1]:8000", "ws://[::1]:8000/"),
            ("http://h:1/ws", "ws://h:1/ws"),
            ("HTTPS://h/", "wss://h/"),
        ] {
            assert_eq!(parse(given).unwrap().to_string(), meant);
        }
        assert!(matches!(parse("ftp://h"), Err(UrlError::Scheme { scheme }) if scheme == "ftp"));
        for malformed in ["", "/ws", "ws://[bad", "ws://h/a b"] {
            assert!(matches!(parse(malformed), Err(UrlError::Malformed(_))), "{malformed}");
        }
    }

    #[test]
    fn a_port_is_a_number_from_1_to_65535() {
        for server in ["h:1", "h:65535", "[::1]:8000", "[::1]", "u:p@h", "u:99999@h:8000"] {
            assert!(parse(&format!("ws://{server}/ws")).is_ok(), "{server}");
        }
        for server in ["h:", "h:0", "h:65536", "h:99999", "h:x", "h:-1", "h:8000x", "[::1]:0", "u:1@h:99999"]
        {
            for url in [format!("ws://{server}/ws"), format!("wss://{server}?after=e-1"), server.to_owned()] {
                assert!(matches!(parse(&url), Err(UrlError::Port)), "{url} {:?}", parse(&url));
            }
        }
        for server in ["ws://:8000/ws", "ws://u@:8000", ":8000"] {
            assert!(matches!(parse(server), Err(UrlError::Host)), "{server} {:?}", parse(server));
        }
    }

    #[test]
    fn parameters_are_added_read_and_removed() {
        let url = parse("ws://u:p@h:1/ws?symbols=A%2CB&after=e-1").unwrap();

        assert_eq!(value(&url, "symbols").unwrap(), "A,B");
        assert_eq!(value(&url, "delivery"), None);
        let rest = keeping(&url, |name| name != "after");
        assert_eq!(rest.to_string(), "ws://u:p@h:1/ws?symbols=A%2CB");
        assert_eq!(with(&rest, "after", "e-2").unwrap().to_string(), format!("{rest}&after=e-2"));
        assert_eq!(keeping(&url, |_| false).to_string(), "ws://u:p@h:1/ws");
        assert_eq!(Endpoint::of(&url).to_string(), "ws://h:1/ws");
    }
}
