//! A simulated client. The client connects, subscribes and reads. Whenever its connection ends, the client
//! connects again and resumes with its cursor.

use std::cell::{Cell, RefCell};
use std::fmt::Write;
use std::rc::Rc;
use std::time::Duration;

use futures_util::SinkExt;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};
use tokio_stream::StreamExt;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};
use turmoil::net::TcpStream;

use super::checker::{Change, Checker, Verdict};
use super::published_log::CHANNELS;
use super::scenario::Habits;

/// How long a client waits for a frame before the client gives up its connection: three heartbeat intervals.
const SILENCE_TIMEOUT: Duration = Duration::from_millis(3 * 640);

/// The time limit for a client's TCP connect, and for its WebSocket handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The state of a simulated client. This state survives a crash of the client's simulated host.
pub struct Client {
    pub habits: Habits,
    pub checker: RefCell<Checker>,
    pub visits: Cell<u64>,
    /// The commands and frames of all connections of the client, each with its time.
    pub transcript: RefCell<Vec<String>>,
    /// The first fault.
    pub fault: RefCell<Option<String>>,
    /// Whether the disturbances are over. After the disturbances, the client stays connected.
    pub is_calm: Rc<Cell<bool>>,
    /// The time at which the last disturbance of this client ended. Each crash or shutdown of the server also
    /// counts as a disturbance. The value is `None` until the first disturbance has ended, and during each
    /// later disturbance.
    pub undisturbed_since: Cell<Option<Duration>>,
}

/// One connection of the client. The random numbers of a connection do not depend on earlier connections.
struct Visit {
    rng: ChaCha8Rng,
    /// The value of the client's `undisturbed_since` at the beginning of this connection.
    undisturbed_since: Option<Duration>,
}

impl Client {
    /// Connects again and again, until the checker finds a fault.
    pub async fn run(self: Rc<Self>) -> turmoil::Result {
        // The host may have crashed during a connection.
        self.checker.borrow_mut().disconnected();
        loop {
            let number = self.visits.replace(self.visits.get() + 1);
            let rng = ChaCha8Rng::seed_from_u64(self.habits.seed.wrapping_add(number));
            let mut visit = Visit { rng, undisturbed_since: self.undisturbed_since.get() };
            if visit.rng.random_ratio(1, 20) {
                self.checker.borrow_mut().forget();
            }
            let outcome = visit.run(&self).await;
            self.checker.borrow_mut().disconnected();
            if let Err(fault) = outcome {
                let last_line = self.transcript.borrow().last().cloned().unwrap_or_default();
                self.fault.borrow_mut().get_or_insert(format!("{fault}\n      at {last_line}"));
                return Ok(());
            }
            sleep(Duration::from_millis(visit.rng.random_range(1..200))).await;
        }
    }

    fn note(&self, text: &str) {
        // The transcript omits the time of a heartbeat, because this time differs from run to run.
        let text = match text.strip_prefix("{\"type\":\"heartbeat\",\"time\":") {
            Some(rest) => rest.split_once(',').map_or(rest, |(_, rest)| rest),
            None => text,
        };
        let millis = turmoil::sim_elapsed().unwrap_or_default().as_millis();
        self.transcript.borrow_mut().push(format!("{millis} ms: {text}"));
    }
}

impl Visit {
    async fn run(&mut self, client: &Client) -> Verdict {
        let Ok(Ok(stream)) = timeout(CONNECT_TIMEOUT, TcpStream::connect("server:8000")).await else {
            return Ok(());
        };
        let (url, commands) = self.requests(client);
        client.note(&format!("> {url}"));
        let mut socket = match timeout(CONNECT_TIMEOUT, client_async(url, stream)).await {
            Ok(Ok((socket, _))) => socket,
            Ok(Err(error)) => return check_error(&error),
            Err(_) => return Ok(()),
        };
        client.checker.borrow_mut().connected();
        for command in commands {
            client.note(&format!("> {command}"));
            if let Err(error) = socket.send(Message::text(command)).await {
                return check_error(&error);
            }
        }
        self.listen(client, &mut socket).await
    }

    /// Returns the URL and the commands with which the client subscribes. If the client has a cursor, the
    /// subscription contains the cursor. Random numbers decide which settings are in the URL, and which
    /// settings are in commands.
    fn requests(&mut self, client: &Client) -> (String, Vec<String>) {
        let Habits { wanted, every, interval_ms, .. } = &client.habits;
        let cursor = client.checker.borrow().cursor().map(|(epoch, seq)| format!("{epoch}-{seq}"));
        let channels: Vec<_> = wanted.kinds.iter().map(|kind| CHANNELS[*kind]).collect();
        let by_url = self.rng.random_bool(0.5);
        let set_by_url = by_url || self.rng.random_bool(0.5);
        let mut url = "ws://server:8000/ws?".to_owned();
        if by_url {
            let symbols: Vec<_> = wanted.symbols().into_iter().map(escaped).collect();
            let _ = write!(url, "symbols={}&channels={}&", symbols.join(","), channels.join(","));
            if let Some(cursor) = &cursor {
                let _ = write!(url, "after={cursor}&");
            }
        }
        let mut commands = Vec::new();
        if set_by_url {
            let _ = write!(url, "delivery={}&interval_ms={interval_ms}", delivery(*every));
        } else {
            url.pop();
            commands.push(set(*every, *interval_ms));
        }
        if !by_url {
            let mut subscribe =
                json!({ "action": "subscribe", "symbols": wanted.symbols(), "channels": channels });
            if let Some(cursor) = cursor {
                subscribe["after"] = cursor.into();
            }
            commands.push(subscribe.to_string());
        }
        (url, commands)
    }

    /// Returns a command that changes the delivery or the symbols at random, or `None` for no change.
    fn random_change(&mut self, client: &Client) -> Option<String> {
        let change = if self.rng.random_ratio(client.habits.changes, 1000) {
            Change::Set(self.rng.random_bool(0.5), [0, 50, 300][self.rng.random_range(0..3)])
        } else if self.rng.random_ratio(client.habits.subscribes, 1000) {
            Change::Subscribe(client.habits.more(&mut self.rng))
        } else {
            return None;
        };
        client.checker.borrow_mut().try_change(&change).then(|| {
            let command = match &change {
                Change::Set(every, interval_ms) => set(*every, *interval_ms),
                Change::Subscribe(more) => {
                    let channels: Vec<_> = more.kinds.iter().map(|kind| CHANNELS[*kind]).collect();
                    json!({ "action": "subscribe", "symbols": more.symbols(), "channels": channels })
                        .to_string()
                }
            };
            client.note(&format!("> {command}"));
            command
        })
    }

    /// Checks that there was a valid reason for the server to end the connection without a close frame.
    ///
    /// There are two valid reasons: a disturbance ended the connection, or a slow consumer did not receive
    /// its close frame.
    fn check_silent_close(&self, client: &Client) -> Verdict {
        let is_undisturbed =
            self.undisturbed_since.is_some() && client.undisturbed_since.get() == self.undisturbed_since;
        if is_undisturbed && client.habits.pauses == 0 && !client.checker.borrow().may_be_slow_consumer() {
            return Err("the server ended the connection without a close frame".to_owned());
        }
        Ok(())
    }

    async fn listen(&mut self, client: &Client, socket: &mut WebSocketStream<TcpStream>) -> Verdict {
        let answered_by = Instant::now() + SILENCE_TIMEOUT;
        let mut got_close = false;
        loop {
            if Instant::now() > answered_by && !client.checker.borrow().is_answered() {
                // The simulated network does not retransmit lost bytes, so a lost command gets no answer.
                client.note("no answer");
                return Ok(());
            }
            let message = match timeout(SILENCE_TIMEOUT, socket.next()).await {
                Ok(Some(Ok(message))) => message,
                Ok(Some(Err(error))) if got_close => return check_error(&error),
                Ok(Some(Err(error))) => {
                    return check_error(&error).and_then(|()| self.check_silent_close(client));
                }
                Ok(None) if got_close => return Ok(()),
                Ok(None) => return self.check_silent_close(client),
                Err(_) => {
                    client.note("silence");
                    return Ok(());
                }
            };
            match message {
                Message::Text(text) => {
                    client.note(&text);
                    client.checker.borrow_mut().on_frame(&text)?;
                }
                Message::Close(Some(close)) => {
                    client.note(&format!("close {} {}", close.code, close.reason));
                    client.checker.borrow_mut().on_close(close.code.into(), &close.reason)?;
                    got_close = true;
                }
                Message::Ping(_) | Message::Pong(_) => {}
                other => return Err(format!("unexpected message: {other:?}")),
            }
            if client.is_calm.get() {
                continue;
            }
            if self.rng.random_ratio(client.habits.pauses, 1000) {
                sleep(Duration::from_millis(self.rng.random_range(10..400))).await;
            }
            if let Some(command) = self.random_change(client)
                && let Err(error) = socket.send(Message::text(command)).await
            {
                return check_error(&error);
            }
            if self.rng.random_ratio(client.habits.leaves, 1000) {
                client.note("> leaves");
                return Ok(());
            }
        }
    }
}

fn set(every: bool, interval_ms: u64) -> String {
    json!({ "action": "set", "delivery": delivery(every), "interval_ms": interval_ms }).to_string()
}

fn delivery(every: bool) -> &'static str {
    if every { "every" } else { "latest" }
}

/// Checks whether an error of a connection is allowed. A connection may break at any time, but the server
/// must not violate the protocol.
fn check_error(error: &Error) -> Verdict {
    match error {
        Error::ConnectionClosed | Error::AlreadyClosed | Error::Io(_) => Ok(()),
        Error::Protocol(error) => {
            use tokio_tungstenite::tungstenite::error::ProtocolError as Fault;
            match error {
                Fault::ResetWithoutClosingHandshake
                | Fault::HandshakeIncomplete
                | Fault::SendAfterClosing
                | Fault::ReceivedAfterClosing => Ok(()),
                fault => Err(format!("not a WebSocket: {fault}")),
            }
        }
        Error::Http(response) => {
            let body = response.body().as_deref().map(String::from_utf8_lossy);
            Err(format!(
                "the handshake was answered with {}: {}",
                response.status(),
                body.unwrap_or_default()
            ))
        }
        error => Err(format!("not a WebSocket: {error}")),
    }
}

/// Returns a symbol escaped for a URL.
fn escaped(symbol: &str) -> String {
    form_urlencoded::byte_serialize(symbol.as_bytes()).collect()
}
