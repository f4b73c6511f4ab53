//! Opens a client's connection: sends the client's request and reads the server's answer.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::framing::Framing;
use crate::websocket::head_end;

/// How long the server may take to answer a client.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Connects one WebSocket client and returns its socket.
pub fn open(address: SocketAddr, query: &str) -> io::Result<TcpStream> {
    let socket = send_request(address, query, Framing::WebSocket)?;
    read_answer(&socket, Framing::WebSocket)?;
    Ok(socket)
}

/// Connects to the server and sends the request of a client.
pub fn send_request(address: SocketAddr, query: &str, framing: Framing) -> io::Result<TcpStream> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.write_all(framing.request(address, query).as_bytes())?;
    Ok(socket)
}

/// Reads the head of the answer. Returns the bytes that were read past the end of the head.
pub fn read_answer(mut socket: &TcpStream, framing: Framing) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(end) = head_end(&bytes) {
            let frames = bytes.split_off(end);
            let is_accepted = bytes.starts_with(framing.accepted());
            return is_accepted
                .then_some(frames)
                .ok_or_else(|| io::Error::other(String::from_utf8_lossy(&bytes)));
        }
        match socket.read(&mut buffer)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            count => bytes.extend_from_slice(&buffer[..count]),
        }
    }
}
