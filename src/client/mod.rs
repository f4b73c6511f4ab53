//! A client of the protocol, for `watch` and `send`.
//!
//! A [`Target`] says where to connect and how. A [`Connection`] is one WebSocket.

mod connection;
mod error;
mod frame;
mod target;
mod tls;
mod url;

pub use connection::Connection;
pub use error::ClientError;
pub use target::{Target, TargetError};
pub use tls::CaError;
pub use url::{Endpoint, UrlError};
