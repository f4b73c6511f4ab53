//! Tests that hostile clients do not disturb a well-behaved client.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::support::process::{PATIENCE, ServerProcess};
use crate::support::subscriber::{EVERY, Subscriber};

const HANDSHAKE: &str = "GET /ws?symbols=*&delivery=every HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
                         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

#[tokio::test]
async fn a_client_that_behaves_gets_every_event_despite_hostile_ones() {
    let server = ServerProcess::start(&["--profile", "gbm", "--rate", "1000"]).await;
    let address = server.address();
    let mut canary = Subscriber::connect(address, EVERY).await;
    let begin = canary.seq;

    let mut held = Vec::new();
    for query in [EVERY, "symbols=*"].repeat(5) {
        // This client never reads.
        held.push(Subscriber::connect_with_room(address, query, 4096).await);
    }
    let mut hostile = JoinSet::new();
    for seed in 0..4 {
        hostile.spawn(resets(address));
        hostile.spawn(half_handshakes(address));
        hostile.spawn(garbage(address, "", seed));
        hostile.spawn(garbage(address, HANDSHAKE, seed));
        hostile.spawn(oversize(address));
        hostile.spawn(flood(address));
    }
    // `read_to` fails the test if an event is missing, or if the canary's connection ends.
    while !hostile.is_empty() {
        canary.read_to(canary.seq + 10).await;
        while let Some(outcome) = hostile.try_join_next() {
            outcome.unwrap();
        }
    }

    canary.read_to(begin + 2000).await;
    canary.catch_up().await;
    Subscriber::connect(address, EVERY).await.catch_up().await;
}

/// Connects to the server and sends the bytes `words`. A failed write is ignored, because the server may
/// close the connection before it has read all bytes.
async fn say(address: SocketAddr, words: &[u8]) -> TcpStream {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let _: io::Result<()> = socket.write_all(words).await;
    socket
}

/// Reads until the server ends the connection in any way.
async fn until_hung_up(mut socket: TcpStream) {
    let mut bytes = [0; 4096];
    let hung_up = async { while socket.read(&mut bytes).await.is_ok_and(|count| count > 0) {} };
    timeout(PATIENCE, hung_up).await.expect("the server hangs up");
}

/// Connects to the server many times, and resets each connection at once.
async fn resets(address: SocketAddr) {
    for n in 0..100 {
        let mut socket = say(address, HANDSHAKE.as_bytes()).await;
        if n % 2 == 0 {
            socket.read_u8().await.unwrap();
        }
        socket.set_zero_linger().unwrap();
    }
}

/// Opens several connections. Sends the beginning of a handshake over each connection, and never the rest.
async fn half_handshakes(address: SocketAddr) {
    let mut held = Vec::new();
    for length in (1..HANDSHAKE.len()).step_by(5) {
        held.push(say(address, &HANDSHAKE.as_bytes()[..length]).await);
    }
    for socket in held {
        until_hung_up(socket).await;
    }
}

/// Sends the bytes `words` and then random bytes, over several connections.
async fn garbage(address: SocketAddr, words: &str, seed: u64) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    for _ in 0..25 {
        let mut said = vec![0; 8192];
        random.fill_bytes(&mut said);
        said.splice(..0, words.bytes());
        let mut socket = say(address, &said).await;
        // The random bytes may announce a long message, for which the server would wait. So the client ends
        // the stream.
        let _: io::Result<()> = socket.shutdown().await;
        until_hung_up(socket).await;
    }
}

/// Announces messages that are too long. The shortest of these messages exceeds the limit by one byte. The
/// longest of these messages has the greatest possible length.
async fn oversize(address: SocketAddr) {
    for length in [65_537, u64::from(u32::MAX), u64::MAX >> 1, u64::MAX] {
        for _ in 0..5 {
            let mut words = HANDSHAKE.as_bytes().to_vec();
            words.extend_from_slice(&[0x81, 0xFF]);
            words.extend_from_slice(&length.to_be_bytes());
            words.resize(words.len() + 70_000, b'x');
            until_hung_up(say(address, &words).await).await;
        }
    }
}

/// Sends messages to all peers as fast as possible, without reading from the connection.
async fn flood(address: SocketAddr) {
    // A text message of 125 bytes, masked with zeros.
    let mut message = vec![0x81, 0x80 + 125, 0, 0, 0, 0];
    message.extend_from_slice(&[b'x'; 125]);
    let mut socket = say(address, HANDSHAKE.as_bytes()).await;
    let talk = async { while socket.write_all(&message).await.is_ok() {} };
    // The server stops reading when too many replies are pending, or it closes the client as a slow consumer.
    let _ = timeout(Duration::from_secs(2), talk).await;
}
