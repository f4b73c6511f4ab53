//! Runs a shard and its sessions, over in-memory sockets and with a paused clock.

use std::cell::RefMut;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tickerplant::auth::{self, Access};
use tickerplant::bus::{self, Bus};
use tickerplant::encoding::Encoding;
use tickerplant::hub::{Relay, RelayConfig, Relayed, Settings, Shard, ShardRunner, Socket};
use tickerplant::market::{Event, FeedKind};
use tickerplant::session::{Config, Context, Limits, Session, Start};
use tickerplant::wire::{self, CloseReason, UrlParameters};
use tokio::io::DuplexStream;
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_local};
use tokio_stream::StreamExt;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_util::sync::CancellationToken;

/// A shard that runs on the test's thread.
pub struct SessionHarness {
    pub bus: Arc<Bus>,
    context: Rc<Context>,
    stop: CancellationToken,
}

/// A client and its session.
pub struct Peer {
    pub socket: WebSocketStream<DuplexStream>,
    pub session: JoinHandle<CloseReason>,
}

impl SessionHarness {
    pub fn open(config: Config, flush_window: Duration, stall_timeout: Option<Duration>) -> Self {
        Self::open_with(config, Limits::default(), flush_window, stall_timeout)
    }

    pub fn open_with(
        config: Config,
        limits: Limits,
        flush_window: Duration,
        stall_timeout: Option<Duration>,
    ) -> Self {
        let (_, auth) = watch::channel(auth::Config::default());
        let bus = Bus::new(&bus::Config::default(), FeedKind::Replay, "test".to_owned());
        bus.set_flow_controlled(stall_timeout.is_some());
        let stall_timeout = stall_timeout.unwrap_or(Duration::from_secs(10));
        let (reader, start) = bus.awaited_reader("shard");
        let settings = Settings {
            heartbeat: config.heartbeat,
            every_buffer: config.every_buffer,
            max_symbols: 0,
            timeouts: limits.deadlines(auth.borrow().timeout),
            flush_window,
            has_system_clock: false,
            stall_timeout,
            catch_up_bytes: Settings::CATCH_UP_BYTES,
            conflated_events: Settings::CONFLATED_EVENTS,
        };
        let runner = Rc::new(ShardRunner::new(&reader, start, settings));
        let (relay, mut inboxes) = Relay::new(RelayConfig::default(), 1, Arc::clone(&bus), None);
        let stop = CancellationToken::new();
        let inbox = inboxes.remove(0);
        let (looping, stopped) = (Rc::clone(&runner), stop.clone());
        spawn_local(async move { looping.run(reader, inbox, stopped).await });
        let context = Rc::new(Context::new(runner, relay, config, limits, auth));
        Self { bus, context, stop }
    }

    /// Connects a client whose socket buffers this many bytes.
    pub async fn connect(&self, query: &str, socket_bytes: usize) -> Peer {
        let (ours, theirs) = tokio::io::duplex(socket_bytes);
        let session = self.serve(query, Socket::Other(Box::new(ours)));
        let socket = WebSocketStream::from_raw_socket(theirs, Role::Client, None).await;
        Peer { socket, session }
    }

    /// Starts a session that serves a client over this socket.
    pub fn serve(&self, query: &str, socket: Socket) -> JoinHandle<CloseReason> {
        let parameters = UrlParameters::parse(query).unwrap();
        let start = Start { encoding: Encoding::WebSocket, parameters, access: Access::Unrestricted };
        let mut session = Session::new(start, socket, &[], &[], Rc::clone(&self.context));
        spawn_local(async move { session.run().await })
    }

    /// Stops the shard and closes all sessions.
    pub fn stop(&self) {
        self.context.stop();
        self.stop.cancel();
    }

    pub fn shard(&self) -> RefMut<'_, Shard> {
        self.context.runner.shard.borrow_mut()
    }

    /// Lets the shard relay a message from another client.
    pub fn relay(&self, text: &str) {
        let message = Relayed { from: "c9".to_owned(), message: wire::Message::Text(text.to_owned()) };
        let mut sockets = self.context.runner.sockets.borrow_mut();
        self.shard().relay(&[Arc::new(message)], |id, bytes| sockets.write(id, bytes));
    }

    pub fn publish(&self, events: impl IntoIterator<Item = Event>) {
        self.bus.publish(events.into_iter().collect());
    }
}

impl Peer {
    pub async fn json(&mut self) -> Value {
        loop {
            match self.socket.next().await.expect("the connection stays").unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Close(frame) => panic!("closed: {frame:?}"),
                _ => {}
            }
        }
    }

    /// Returns the next market frame, and skips all other frames.
    pub async fn event(&mut self) -> Value {
        loop {
            let frame = self.json().await;
            if matches!(frame["type"].as_str(), Some("trade" | "quote" | "bar")) {
                return frame;
            }
        }
    }

    pub async fn close_code(&mut self) -> (u16, String) {
        loop {
            if let Message::Close(Some(frame)) = self.socket.next().await.expect("a close comes").unwrap() {
                return (frame.code.into(), frame.reason.to_string());
            }
        }
    }
}
