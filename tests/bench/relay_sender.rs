//! A client whose messages the server relays to all other clients. The other clients have no subscription.
//!
//! The messages are market frames with a `seq`, so that the other clients check them like updates.

use std::io;
use std::net::SocketAddr;
use std::thread;

use crate::event_writer::EventWriter;
use crate::handshake;
use crate::market_frame::quote;
use crate::websocket::{TEXT, frame};

/// Connects the sending client, and starts to send `rate` messages a second.
pub fn start(address: SocketAddr, rate: u32) -> io::Result<EventWriter> {
    let socket = handshake::open(address, "")?;
    let mut echoes = socket.try_clone()?;
    // The server relays each message to its sender, too. The thread discards these messages. The thread ends
    // when the server closes the connection or sends nothing for a while.
    thread::spawn(move || io::copy(&mut echoes, &mut io::sink()));
    Ok(EventWriter::start(socket, rate, |seq| frame(TEXT, quote("S000", Some(seq)).as_bytes())))
}
