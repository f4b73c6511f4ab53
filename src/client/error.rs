//! The errors of a client, their hints, and whether a later attempt can succeed.

use std::borrow::Cow;
use std::io;

use tokio_rustls::rustls::{self, CertificateError};
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::error::{CapacityError, ProtocolError};

use super::url::Endpoint;

/// An error of the client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The client cannot connect.
    #[error("cannot connect to {url}: {}", connection_fault(cause))]
    Connect {
        /// The server.
        url: Endpoint,
        /// The cause.
        cause: Box<Error>,
    },
    /// The TLS handshake failed.
    #[error("no TLS with {url}: {}", tls_fault(cause))]
    Tls {
        /// The server.
        url: Endpoint,
        /// The cause.
        cause: rustls::Error,
    },
    /// The server rejected the handshake.
    #[error("{url} answers {status}: {message}")]
    Refused {
        /// The server.
        url: Endpoint,
        /// The HTTP status of the server's response.
        status: u16,
        /// The error message in the server's response.
        message: String,
    },
    /// The server answered with an error reply.
    #[error("{url} answers {code}: {message}")]
    Rejected {
        /// The server.
        url: Endpoint,
        /// The error code in the error reply.
        code: String,
        /// The error message in the error reply.
        message: String,
    },
    /// The connection broke.
    #[error("the connection to {url} broke: {}", connection_fault(cause))]
    Broken {
        /// The server.
        url: Endpoint,
        /// The cause.
        cause: Box<Error>,
    },
    /// The server closed the connection.
    #[error("{url} closed with {code} {reason}")]
    Closed {
        /// The server.
        url: Endpoint,
        /// The close code.
        code: u16,
        /// The reason.
        reason: String,
    },
}

impl ClientError {
    /// Returns advice for the user, if there is any.
    #[must_use]
    pub fn hint(&self) -> Option<Cow<'static, str>> {
        match self {
            // The server's first bytes are not HTTP, or the server closes the connection when it receives
            // HTTP. So the server may expect TLS.
            Self::Connect { url, cause } if matches!(&**cause, Error::Protocol(cause) if !is_http(cause)) => {
                let url = url.with_tls()?;
                Some(format!("if the server speaks TLS, connect with --url {url}").into())
            }
            Self::Connect { .. } => Some(
                "start a server with `tickerplant`, or choose another with --url ws://HOST:PORT/ws".into(),
            ),
            Self::Tls { url, cause } => tls_hint(url, cause),
            Self::Refused { status: 401, message, .. } => Some(token_hint(message).into()),
            Self::Refused { status: 200..=299, .. } => Some(
                "this is no tickerplant server, or the URL's path is wrong; a URL has the form ws://HOST:PORT/ws".into(),
            ),
            Self::Refused { url, status: 301 | 302 | 307 | 308, .. } => {
                let url = url.with_tls()?;
                Some(format!("the server wants another URL; often that is --url {url}").into())
            }
            Self::Rejected { code, message, .. } if code == "unauthorized" => {
                Some(token_hint(message).into())
            }
            Self::Closed { code: 1008, reason, .. } if reason.contains("token") => {
                Some(token_hint(reason).into())
            }
            Self::Closed { code: 4008, reason, .. } => {
                Some(format!("connect again with after={reason} in the URL to resume").into())
            }
            Self::Refused { .. } | Self::Rejected { .. } | Self::Broken { .. } | Self::Closed { .. } => None,
        }
    }

    /// Returns whether the client should try to connect again after this error. Assumes that the client's
    /// subscription worked before the error.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Connect { .. } => true,
            Self::Tls { .. } => false,
            Self::Refused { status, .. } => matches!(status, 408 | 425 | 429 | 500..=599),
            Self::Rejected { code, .. } => code == "rate_limited",
            Self::Broken { cause, .. } => {
                matches!(**cause, Error::Io(_) | Error::Protocol(_) | Error::ConnectionClosed)
            }
            // This server sends 1001 and 4008 (slow consumer). The codes 1005 and 1006 stand for a missing
            // code. A proxy may send the others.
            Self::Closed { code, .. } => matches!(code, 1001 | 1005 | 1006 | 1011..=1014 | 4008),
        }
    }
}

/// Returns the hint for an error about tokens. `message` is the server's text for this error.
fn token_hint(message: &str) -> &'static str {
    if message.contains("no tokens") {
        "leave the token out of the URL or the message"
    } else {
        "set TICKERPLANT_TOKEN to a token of this server"
    }
}

/// Describes an error of a connection for the user.
fn connection_fault(error: &Error) -> String {
    let text = match error {
        Error::Io(error) => return io_fault(error),
        Error::Protocol(ProtocolError::HandshakeIncomplete) => {
            "the server closed the connection without an answer"
        }
        Error::Protocol(ProtocolError::HttparseError(_)) => "the server does not answer in HTTP",
        Error::Protocol(error) if is_http(error) => {
            "this is no tickerplant server, but an HTTP server without WebSockets"
        }
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)
        | Error::ConnectionClosed
        | Error::AlreadyClosed => "the server ended the connection without a close code",
        Error::Protocol(_) => "the server sent what the WebSocket protocol does not allow",
        Error::Capacity(CapacityError::TooManyHeaders) => "the server's answer has too many headers",
        Error::Capacity(CapacityError::MessageTooLong { .. }) => "the server sent too long a message",
        Error::Utf8(_) => "the server sent a text that is not UTF-8",
        Error::Tls(_) => "the certificate of a server cannot have the name in the URL",
        error => return error.to_string(),
    };
    text.to_owned()
}

fn io_fault(error: &io::Error) -> String {
    let tls = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
    match (tls, error.kind()) {
        (Some(error), _) => tls_fault(error),
        (None, io::ErrorKind::TimedOut) => "timed out".to_owned(),
        (None, io::ErrorKind::UnexpectedEof) => "the server ended the connection".to_owned(),
        (None, _) => error.to_string(),
    }
}

/// Returns whether the error means that the server answers in HTTP, but not with a valid WebSocket handshake.
fn is_http(error: &ProtocolError) -> bool {
    use ProtocolError::{
        MissingConnectionUpgradeHeader, MissingUpgradeWebSocketHeader, SecWebSocketAcceptKeyMismatch,
        SecWebSocketSubProtocolError, WrongHttpVersion,
    };
    matches!(
        error,
        WrongHttpVersion
            | MissingConnectionUpgradeHeader
            | MissingUpgradeWebSocketHeader
            | SecWebSocketAcceptKeyMismatch
            | SecWebSocketSubProtocolError(_)
    )
}

/// Describes an error of TLS for the user.
fn tls_fault(error: &rustls::Error) -> String {
    let text = match error {
        rustls::Error::InvalidMessage(_) => "the server does not answer in TLS",
        rustls::Error::InvalidCertificate(error) => return certificate_fault(error),
        rustls::Error::PeerIncompatible(_) => {
            "the server has no version or cipher of TLS that the client has"
        }
        rustls::Error::AlertReceived(alert) => return format!("the server rejects the client ({alert:?})"),
        error => return error.to_string(),
    };
    text.to_owned()
}

/// Describes an error in a server's certificate for the user.
fn certificate_fault(error: &CertificateError) -> String {
    use CertificateError::{
        Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet, NotValidYetContext,
    };
    let text = match error {
        error if is_untrusted(error) => "no authority that this client trusts has signed the certificate",
        error if is_an_authority(error) => "the server shows the certificate of an authority as its own",
        Expired | ExpiredContext { .. } => "the certificate has expired",
        NotValidYet | NotValidYetContext { .. } => "the certificate is not valid yet",
        NotValidForName => "the certificate is not valid for the name in the URL",
        NotValidForNameContext { expected, presented } => {
            // rustls writes a name as in `DnsName("localhost")`.
            let bare = |name: &String| {
                let mut parts = name.split(['(', ')', '"']).filter(|part| !part.is_empty());
                parts.nth(1).unwrap_or(name).to_owned()
            };
            let names = presented.iter().map(bare).collect::<Vec<_>>().join(", ");
            let names = if names.is_empty() { "no name".to_owned() } else { names };
            let expected = expected.to_str();
            return format!("the certificate is not valid for name {expected}, but for {names}");
        }
        error => return format!("the certificate cannot be used ({error})"),
    };
    text.to_owned()
}

fn tls_hint(url: &Endpoint, error: &rustls::Error) -> Option<Cow<'static, str>> {
    use CertificateError::{
        Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet, NotValidYetContext,
    };
    let hint = match error {
        rustls::Error::InvalidMessage(_) => {
            let url = url.without_tls()?;
            return Some(format!("if the server speaks no TLS, connect with --url {url}").into());
        }
        rustls::Error::InvalidCertificate(error) => match error {
            Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. } => {
                "the server needs a new certificate, or the clock of this machine is wrong"
            }
            NotValidForName | NotValidForNameContext { .. } => "connect by a name that the certificate has",
            error if is_untrusted(error) => {
                "name a file with the authority's certificate, or with the server's own, by --ca FILE"
            }
            error if is_an_authority(error) => {
                "openssl req -x509 makes a server's certificate with -addext basicConstraints=critical,CA:FALSE"
            }
            _ => return None,
        },
        _ => return None,
    };
    Some(hint.into())
}

/// Returns whether the error means that no trusted authority has signed the certificate. A wrong signature
/// also counts as untrusted: the authority that the client trusts is not the signer, but has the same name.
fn is_untrusted(error: &CertificateError) -> bool {
    use CertificateError::{BadSignature, UnknownIssuer, UnsupportedSignatureAlgorithmForPublicKeyContext};
    matches!(error, UnknownIssuer | BadSignature | UnsupportedSignatureAlgorithmForPublicKeyContext { .. })
}

fn is_an_authority(error: &CertificateError) -> bool {
    // The error is recognized by its text, because the public interface of rustls does not contain its type.
    error.to_string().contains("CaUsedAsEndEntity")
}
