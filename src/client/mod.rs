//! The client side of the command line: [`send`] one message, [`watch`] a stream.

mod send;
mod watch;

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use http::Uri;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{self, Error};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

pub use send::send;
pub use watch::{Format, watch, with_symbols};

/// How long a server may take for the handshake, or for a first answer.
const PATIENCE: Duration = Duration::from_secs(10);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Why a client ends before it is done.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// There is no connection.
    #[error("cannot connect to {url}")]
    Connect {
        /// Where to.
        url: Endpoint,
        /// What went wrong.
        source: Box<Error>,
    },
    /// The server refused the handshake.
    #[error("{url} answers {status}: {message}")]
    Refused {
        /// Where to.
        url: Endpoint,
        /// Its status.
        status: u16,
        /// What it says.
        message: String,
    },
    /// The connection broke.
    #[error("the connection to {url} broke")]
    Broken {
        /// Where to.
        url: Endpoint,
        /// What went wrong.
        source: Box<Error>,
    },
    /// The server closed, with a reason that a client has to act upon.
    #[error("{url} closed with {code} {reason}")]
    Closed {
        /// Where to.
        url: Endpoint,
        /// The close code.
        code: u16,
        /// The reason.
        reason: String,
    },
    /// The output cannot be written.
    #[error("cannot write the output")]
    Output(#[source] std::io::Error),
}

impl ClientError {
    /// What the reader can do about it, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<Cow<'static, str>> {
        match self {
            Self::Connect { .. } => {
                Some("start one with `tickerplant`, or name another with --url ws://HOST:PORT/ws".into())
            }
            Self::Closed { code: 4008, reason, .. } => {
                Some(format!("come back with after={reason} in the URL to go on from there").into())
            }
            Self::Refused { .. } | Self::Broken { .. } | Self::Closed { .. } | Self::Output(_) => None,
        }
    }
}

/// A server, as errors name it: host, port and path, without what stands around them, where a token may be.
#[derive(Debug)]
pub struct Endpoint(String);

impl Endpoint {
    fn of(url: &Uri) -> Self {
        let scheme = url.scheme_str().unwrap_or("ws");
        let authority = url.authority().map_or("", |authority| authority.as_str());
        let server = authority.rsplit('@').next().unwrap_or_default();
        Self(format!("{scheme}://{server}{}", url.path()))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

async fn connect(url: &Uri) -> Result<Socket, ClientError> {
    let connected = timeout(PATIENCE, connect_async(url.clone())).await;
    match connected.unwrap_or_else(|late| Err(Error::Io(late.into()))) {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(response)) => {
            let body = response.body().as_deref().unwrap_or_default();
            Err(ClientError::Refused {
                url: Endpoint::of(url),
                status: response.status().as_u16(),
                message: error_message(body),
            })
        }
        Err(source) => Err(ClientError::Connect { url: Endpoint::of(url), source: Box::new(source) }),
    }
}

/// What our server says in the JSON of an error, or the body as it is.
fn error_message(body: &[u8]) -> String {
    let json: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let message = json.as_ref().and_then(|json| json["error"]["message"].as_str());
    message.map_or_else(|| String::from_utf8_lossy(body).into_owned(), str::to_owned)
}

fn closed(url: &Uri, frame: Option<tungstenite::protocol::CloseFrame>) -> ClientError {
    let (code, reason) =
        frame.map_or((1005, String::new()), |frame| (frame.code.into(), frame.reason.to_string()));
    ClientError::Closed { url: Endpoint::of(url), code, reason }
}
