//! A client of the path `/ndjson`, which reads the chunks of a response and splits them into lines.

use std::fmt::Debug;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::process::PATIENCE;

/// A client that reads one response line by line.
pub struct LineClient<S> {
    socket: S,
    pub head: String,
    /// Bytes that have arrived and that the client has not parsed yet.
    bytes: Vec<u8>,
    /// The part of the received text that the client has not returned as lines yet.
    text: Vec<u8>,
}

/// The next line of a response, or the end of the response.
#[derive(Debug, PartialEq)]
pub enum Next {
    Line(Value),
    /// The response is complete.
    End,
    /// The connection broke before the end of the response.
    BrokenOff,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Debug> LineClient<S> {
    /// Requests `path` and reads the head of the response.
    pub async fn ask(socket: S, path: &str) -> Self {
        Self::ask_with(socket, path, "").await
    }

    /// Requests `path` with these headers, and reads the head of the response. Each header in `headers` must
    /// end with a line end.
    pub async fn ask_with(mut socket: S, path: &str, headers: &str) -> Self {
        let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut client = Self { socket, head: String::new(), bytes: Vec::new(), text: Vec::new() };
        client.read_head().await;
        client
    }

    /// Reads `body`, the body of this response, and then the head of the next response.
    pub async fn next_response(mut self, body: &[u8]) -> Self {
        while self.bytes.len() < body.len() {
            assert!(self.read().await, "the body is complete");
        }
        assert_eq!(self.bytes.drain(..body.len()).collect::<Vec<_>>(), body);
        self.head.clear();
        self.read_head().await;
        self
    }

    async fn read_head(&mut self) {
        while !self.head.ends_with("\r\n\r\n") {
            let line = self.raw_line().await.expect("the head is complete");
            self.head.push_str(&line);
        }
    }

    /// Returns the next line of the response, or the end of the response.
    pub async fn next(&mut self) -> Next {
        match self.text().await {
            Ok(line) => Next::Line(serde_json::from_str(&line).unwrap()),
            Err(end) => end,
        }
    }

    /// Returns the text of the next line, without its line end. Returns an error if no line follows.
    pub async fn text(&mut self) -> Result<String, Next> {
        loop {
            if let Some(end) = self.text.iter().position(|byte| *byte == b'\n') {
                let line = self.text.drain(..=end).take(end).collect();
                return Ok(String::from_utf8(line).unwrap());
            }
            let Some(length) = self.raw_line().await else { return Err(Next::BrokenOff) };
            let length =
                usize::from_str_radix(length.trim_end(), 16).expect("a chunk begins with its length");
            // A line end of two bytes follows each chunk.
            while self.bytes.len() < length + 2 {
                if !self.read().await {
                    return Err(Next::BrokenOff);
                }
            }
            self.text.extend(self.bytes.drain(..length));
            self.bytes.drain(..2);
            if length == 0 {
                assert!(self.text.is_empty(), "the last line has its end");
                return Err(Next::End);
            }
        }
    }

    /// Returns the next line of the response. Panics if no line follows.
    pub async fn line(&mut self) -> Value {
        match self.next().await {
            Next::Line(line) => line,
            other => panic!("a line is expected, and not {other:?}"),
        }
    }

    /// Returns the next event, and skips all other kinds of frames.
    pub async fn event(&mut self) -> Value {
        loop {
            let line = self.line().await;
            if matches!(line["type"].as_str(), Some("trade" | "quote" | "bar" | "status")) {
                return line;
            }
        }
    }

    /// Closes the sending half of the connection.
    pub async fn shut_down(&mut self) {
        self.socket.shutdown().await.unwrap();
    }

    /// Returns the socket, so that a test can send another request on it.
    pub fn into_socket(self) -> S {
        self.socket
    }

    async fn raw_line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') {
                return Some(String::from_utf8(self.bytes.drain(..=end).collect()).unwrap());
            }
            if !self.read().await {
                return None;
            }
        }
    }

    /// Reads more bytes of the response. Returns false if the connection has ended.
    async fn read(&mut self) -> bool {
        let read = timeout(PATIENCE, self.socket.read_buf(&mut self.bytes)).await.expect("something comes");
        read.is_ok_and(|count| count > 0)
    }
}
