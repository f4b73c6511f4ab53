//! The errors of a client, their hints, and whether a later attempt can succeed.

use std::borrow::Cow;

use tokio_rustls::rustls::{self, CertificateError};
use tokio_tungstenite::tungstenite::Error;

use super::url::Endpoint;

/// An error of the client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The client cannot connect.
    #[error("cannot connect to {url}")]
    Connect {
        /// The server.
        url: Endpoint,
        /// The cause.
        source: Box<Error>,
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
    #[error("the connection to {url} broke")]
    Broken {
        /// The server.
        url: Endpoint,
        /// The cause.
        source: Box<Error>,
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
            Self::Connect { url, source } if matches!(**source, Error::Protocol(_)) => {
                let url = url.with_tls()?;
                Some(format!("if the server speaks TLS, connect with --url {url}").into())
            }
            Self::Connect { .. } => Some(
                "start a server with `tickerplant`, or choose another with --url ws://HOST:PORT/ws".into(),
            ),
            Self::Tls { url, cause } => tls_hint(url, cause),
            Self::Refused { status: 401, message, .. } => Some(token_hint(message).into()),
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

    /// Returns whether a client whose subscription has worked before should try to connect again after this
    /// error.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Connect { .. } => true,
            Self::Tls { .. } => false,
            Self::Refused { status, .. } => matches!(status, 408 | 425 | 429 | 500..=599),
            Self::Rejected { code, .. } => code == "rate_limited",
            Self::Broken { source, .. } => {
                matches!(**source, Error::Io(_) | Error::Protocol(_) | Error::ConnectionClosed)
            }
            // This server sends 1001 and 4008 (slow consumer). The codes 1005 and 1006 stand for a missing
            // code. A proxy may send the others.
            Self::Closed { code, .. } => matches!(code, 1001 | 1005 | 1006 | 1011..=1014 | 4008),
        }
    }
}

/// Returns the hint for an error whose message from the server is about tokens.
fn token_hint(message: &str) -> &'static str {
    if message.contains("no tokens") {
        "leave the token out of the URL or the message"
    } else {
        "set TICKERPLANT_TOKEN to a token of this server"
    }
}

/// Describes an error of TLS for the user.
fn tls_fault(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidMessage(_) => "the server does not answer in TLS".to_owned(),
        rustls::Error::InvalidCertificate(error) if is_untrusted(error) => {
            "no authority that this client trusts has signed the certificate".to_owned()
        }
        rustls::Error::InvalidCertificate(error) if is_an_authority(error) => {
            "the server shows the certificate of an authority as its own".to_owned()
        }
        error => error.to_string(),
    }
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
/// counts, because the client then trusts another authority with the same name.
fn is_untrusted(error: &CertificateError) -> bool {
    use CertificateError::{BadSignature, UnknownIssuer, UnsupportedSignatureAlgorithmForPublicKeyContext};
    matches!(error, UnknownIssuer | BadSignature | UnsupportedSignatureAlgorithmForPublicKeyContext { .. })
}

fn is_an_authority(error: &CertificateError) -> bool {
    // The error is recognized by its text, because the public interface of rustls does not contain its type.
    error.to_string().contains("CaUsedAsEndEntity")
}
