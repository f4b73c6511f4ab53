//! Opens a client's connection: sends the upgrade request and reads the server's answer.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::websocket::{head_end, request};

/// How long the server may take to answer a client.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Connects one client and returns its socket.
pub fn open(address: SocketAddr, query: &str) -> io::Result<TcpStream> {
    let socket = send_request(address, query)?;
    read_answer(&socket)?;
    Ok(socket)
}

/// Connects to the server and sends the upgrade request.
pub fn send_request(address: SocketAddr, query: &str) -> io::Result<TcpStream> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.write_all(request(address, query).as_bytes())?;
    Ok(socket)
}

/// Reads the answer to the handshake. Returns the bytes that were read past the end of the answer.
pub fn read_answer(mut socket: &TcpStream) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(end) = head_end(&bytes) {
            let frames = bytes.split_off(end);
            let is_upgrade = bytes.starts_with(b"HTTP/1.1 101 ");
            return is_upgrade
                .then_some(frames)
                .ok_or_else(|| io::Error::other(String::from_utf8_lossy(&bytes)));
        }
        match socket.read(&mut buffer)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            count => bytes.extend_from_slice(&buffer[..count]),
        }
    }
}
