//! The WebSocket client that `watch` and `send` use.
//!
//! A [`Target`] holds the server's URL, the token and the trusted certificates. A [`Connection`] is one
//! WebSocket connection. A [`Subscription`] connects again and resumes when its connection is lost.

mod backoff;
mod connection;
mod error;
mod frame;
mod names;
mod progress;
mod subscription;
mod target;
mod tls;
mod url;

pub use connection::Connection;
pub use error::ClientError;
pub use names::names;
pub use subscription::{Notice, Subscription, Update};
pub use target::{Target, TargetError};
pub use tls::CaError;
pub use url::{Endpoint, UrlError};
