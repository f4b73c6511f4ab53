//! Tests that a panic on one connection does not affect the other connections.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::SinkExt;
use tickerplant::bus::{self, Bus};
use tickerplant::config::Config;
use tickerplant::hub::{Duplex, Socket};
use tickerplant::market::FeedKind;
use tickerplant::server::{AcceptedSocket, Listener};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};
use tokio_util::sync::CancellationToken;

use crate::support::events::trade;
use crate::support::one_worker;

/// A listener whose connections are in memory. A connection of this listener panics when it reads `boom`.
struct Memory(mpsc::Receiver<DuplexStream>);

#[derive(Debug)]
struct Fragile(DuplexStream);

impl Listener for Memory {
    type Socket = Fragile;

    async fn accept(&mut self) -> io::Result<(Fragile, SocketAddr)> {
        let socket = self.0.recv().await.ok_or(io::ErrorKind::NotConnected)?;
        Ok((Fragile(socket), SocketAddr::from(([127, 0, 0, 1], 1))))
    }
}

impl AcceptedSocket for Fragile {
    fn register(self) -> io::Result<Socket> {
        Ok(Socket::Other(Box::new(self)))
    }
}

impl Duplex for Fragile {}

impl AsyncRead for Fragile {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.0).poll_read(cx, buffer);
        assert!(!buffer.filled().ends_with(b"boom"), "boom");
        read
    }
}

impl AsyncWrite for Fragile {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

async fn connect(
    network: &mpsc::Sender<DuplexStream>,
    query: &str,
) -> Result<WebSocketStream<DuplexStream>, Error> {
    let (ours, theirs) = tokio::io::duplex(65_536);
    network.send(theirs).await.unwrap();
    Ok(client_async(format!("ws://127.0.0.1/ws{query}"), ours).await?.0)
}

#[tokio::test]
async fn a_panic_on_one_connection_ends_that_one_alone() {
    let bus = Bus::new(&bus::Config::default(), FeedKind::Simulated, "test".to_owned());
    let (network, listener) = mpsc::channel(1);
    let stop = CancellationToken::new();
    let running = one_worker::serve(Config::default(), Arc::clone(&bus), Memory(listener), stop.clone());
    let using = async {
        let mut watcher = connect(&network, "?symbols=A").await.unwrap();
        let mut faulty = connect(&network, "?symbols=*").await.unwrap();
        // The mask of zeros leaves the word as it is, so that the socket recognizes it.
        faulty.get_mut().write_all(b"\x81\x84\0\0\0\0boom").await.unwrap();

        while faulty.next().await.is_some_and(|message| message.is_ok()) {}
        bus.publish(vec![trade("A", "1")]);
        loop {
            let Message::Text(text) = watcher.next().await.unwrap().unwrap() else { continue };
            if text.contains(r#""type":"trade""#) {
                break;
            }
        }
        watcher.send(Message::text(r#"{"action":"ping"}"#)).await.unwrap();

        assert!(watcher.next().await.unwrap().unwrap().to_text().unwrap().contains("pong"));
        assert_eq!(bus.counters().panics.get(), 1);
        stop.cancel();
    };

    tokio::join!(running, using);
}
