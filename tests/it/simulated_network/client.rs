//! A client: it connects, asks, listens, and comes back with its cursor whatever happens to it.

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

use super::checker::{Checker, Request, Verdict};
use super::plan::Habits;
use super::truth::CHANNELS;

/// A connection from which nothing has come for three heartbeats is lost.
const SILENCE: Duration = Duration::from_millis(3 * 640);

/// How long a connection or a handshake may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// A client on its host. What is here survives the host's crash.
pub struct Client {
    pub habits: Habits,
    pub checker: RefCell<Checker>,
    pub visits: Cell<u64>,
    /// What it was told, and when.
    pub transcript: RefCell<Vec<String>>,
    /// What was wrong first.
    pub fault: RefCell<Option<String>>,
    /// Whether nothing goes wrong any more; then it stays.
    pub is_calm: Rc<Cell<bool>>,
    /// Since when nothing has been wrong with its link, nor with the server; `None` while something is.
    pub undisturbed_since: Cell<Option<Duration>>,
}

/// One visit's dice; they do not depend on what came before.
struct Visit {
    dice: ChaCha8Rng,
    /// Since when nothing had been wrong when it began.
    undisturbed_since: Option<Duration>,
}

impl Client {
    /// Comes again and again.
    pub async fn run(self: Rc<Self>) -> turmoil::Result {
        // The host may have crashed while there was a connection.
        self.checker.borrow_mut().lost();
        loop {
            let number = self.visits.replace(self.visits.get() + 1);
            let dice = ChaCha8Rng::seed_from_u64(self.habits.seed.wrapping_add(number));
            let mut visit = Visit { dice, undisturbed_since: self.undisturbed_since.get() };
            if visit.dice.random_ratio(1, 20) {
                self.checker.borrow_mut().forget();
            }
            let outcome = visit.make(&self).await;
            self.checker.borrow_mut().lost();
            if let Err(fault) = outcome {
                let told = self.transcript.borrow().last().cloned().unwrap_or_default();
                self.fault.borrow_mut().get_or_insert(format!("{fault}\n      at {told}"));
                return Ok(());
            }
            sleep(Duration::from_millis(visit.dice.random_range(1..200))).await;
        }
    }

    fn note(&self, text: &str) {
        // What the server's own clock says differs from run to run.
        let text = match text.strip_prefix("{\"type\":\"heartbeat\",\"time\":") {
            Some(rest) => rest.split_once(',').map_or(rest, |(_, rest)| rest),
            None => text,
        };
        let millis = turmoil::sim_elapsed().unwrap_or_default().as_millis();
        self.transcript.borrow_mut().push(format!("{millis} ms: {text}"));
    }
}

impl Visit {
    async fn make(&mut self, client: &Client) -> Verdict {
        let Ok(Ok(stream)) = timeout(PATIENCE, TcpStream::connect("server:8000")).await else {
            return Ok(());
        };
        let (url, commands) = self.asks(client);
        client.note(&format!("> {url}"));
        let mut socket = match timeout(PATIENCE, client_async(url, stream)).await {
            Ok(Ok((socket, _))) => socket,
            Ok(Err(error)) => return lost(&error),
            Err(_) => return Ok(()),
        };
        client.checker.borrow_mut().connected();
        for command in commands {
            client.note(&format!("> {command}"));
            if let Err(error) = socket.send(Message::text(command)).await {
                return lost(&error);
            }
        }
        self.listen(client, &mut socket).await
    }

    /// What the client asks for, with its cursor: in the URL, or in commands.
    fn asks(&mut self, client: &Client) -> (String, Vec<String>) {
        let Habits { wanted, every, interval_ms, .. } = &client.habits;
        let cursor = client.checker.borrow().cursor().map(|(epoch, seq)| format!("{epoch}-{seq}"));
        let channels: Vec<_> = wanted.kinds.iter().map(|kind| CHANNELS[*kind]).collect();
        let by_url = self.dice.random_bool(0.5);
        let set_by_url = by_url || self.dice.random_bool(0.5);
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

    /// Something that the client asks for, where it may: to be served in another way, or more symbols.
    fn asks_for_more(&mut self, client: &Client) -> Option<String> {
        let request = if self.dice.random_ratio(client.habits.changes, 1000) {
            Request::Set(self.dice.random_bool(0.5), [0, 50, 300][self.dice.random_range(0..3)])
        } else if self.dice.random_ratio(client.habits.grows, 1000) {
            Request::Subscribe(client.habits.more(&mut self.dice))
        } else {
            return None;
        };
        client.checker.borrow_mut().ask(&request).then(|| {
            let command = match &request {
                Request::Set(every, interval_ms) => set(*every, *interval_ms),
                Request::Subscribe(more) => {
                    let channels: Vec<_> = more.kinds.iter().map(|kind| CHANNELS[*kind]).collect();
                    json!({ "action": "subscribe", "symbols": more.symbols(), "channels": channels })
                        .to_string()
                }
            };
            client.note(&format!("> {command}"));
            command
        })
    }

    /// The server ends the connection without a word: only where something is wrong, or was, or the client is slow itself, which
    /// it may not have been told in time.
    fn cut(&self, client: &Client) -> Verdict {
        let is_undisturbed =
            self.undisturbed_since.is_some() && client.undisturbed_since.get() == self.undisturbed_since;
        if is_undisturbed && client.habits.rests == 0 && !client.checker.borrow().may_be_too_slow() {
            return Err("the server closed it without a word".to_owned());
        }
        Ok(())
    }

    async fn listen(&mut self, client: &Client, socket: &mut WebSocketStream<TcpStream>) -> Verdict {
        let answered_by = Instant::now() + SILENCE;
        let mut is_told = false;
        loop {
            if Instant::now() > answered_by && !client.checker.borrow().is_answered() {
                // This network sends nothing again that it lost: the question, it may be.
                client.note("no answer");
                return Ok(());
            }
            let message = match timeout(SILENCE, socket.next()).await {
                Ok(Some(Ok(message))) => message,
                Ok(Some(Err(error))) if is_told => return lost(&error),
                Ok(Some(Err(error))) => return lost(&error).and_then(|()| self.cut(client)),
                Ok(None) if is_told => return Ok(()),
                Ok(None) => return self.cut(client),
                Err(_) => {
                    client.note("silence");
                    return Ok(());
                }
            };
            match message {
                Message::Text(text) => {
                    client.note(&text);
                    client.checker.borrow_mut().frame(&text)?;
                }
                Message::Close(Some(close)) => {
                    client.note(&format!("close {} {}", close.code, close.reason));
                    client.checker.borrow_mut().closed(close.code.into(), &close.reason)?;
                    is_told = true;
                }
                Message::Ping(_) | Message::Pong(_) => {}
                other => return Err(format!("unasked: {other:?}")),
            }
            if client.is_calm.get() {
                continue;
            }
            if self.dice.random_ratio(client.habits.rests, 1000) {
                sleep(Duration::from_millis(self.dice.random_range(10..400))).await;
            }
            if let Some(command) = self.asks_for_more(client)
                && let Err(error) = socket.send(Message::text(command)).await
            {
                return lost(&error);
            }
            if self.dice.random_ratio(client.habits.leaves, 1000) {
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

/// A connection may break at any time; what the server says may not be broken.
fn lost(error: &Error) -> Verdict {
    match error {
        Error::ConnectionClosed | Error::AlreadyClosed | Error::Io(_) => Ok(()),
        Error::Protocol(error) => {
            use tokio_tungstenite::tungstenite::error::ProtocolError as Fault;
            match error {
                Fault::ResetWithoutClosingHandshake
                | Fault::HandshakeIncomplete
                | Fault::SendAfterClosing
                | Fault::ReceivedAfterClosing => Ok(()),
                fault => Err(format!("no WebSocket: {fault}")),
            }
        }
        Error::Http(response) => {
            let body = response.body().as_deref().map(String::from_utf8_lossy);
            Err(format!("answered {}: {}", response.status(), body.unwrap_or_default()))
        }
        error => Err(format!("no WebSocket: {error}")),
    }
}

/// A symbol as a URL has it.
fn escaped(symbol: &str) -> String {
    form_urlencoded::byte_serialize(symbol.as_bytes()).collect()
}
