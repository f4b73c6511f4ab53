//! A client of `/ndjson`: it reads the chunks of an answer and cuts them into lines.

use std::fmt::Debug;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::process::PATIENCE;

/// A reader of one answer.
pub struct LineClient<S> {
    socket: S,
    pub head: String,
    /// Bytes that came and were not looked at.
    bytes: Vec<u8>,
    /// What the chunks so far hold beyond the last whole line.
    text: Vec<u8>,
}

/// How an answer goes on.
#[derive(Debug, PartialEq)]
pub enum Next {
    Line(Value),
    /// The answer has ended as it should.
    End,
    /// The connection broke before that.
    BrokenOff,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Debug> LineClient<S> {
    /// Asks for `path`, and reads the head of the answer.
    pub async fn ask(socket: S, path: &str) -> Self {
        Self::ask_with(socket, path, "").await
    }

    /// The same with more headers, each with its end of line.
    pub async fn ask_with(mut socket: S, path: &str, headers: &str) -> Self {
        let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut client = Self { socket, head: String::new(), bytes: Vec::new(), text: Vec::new() };
        while !client.head.ends_with("\r\n\r\n") {
            let line = client.raw_line().await.expect("the head is whole");
            client.head.push_str(&line);
        }
        client
    }

    /// How the answer goes on.
    pub async fn next(&mut self) -> Next {
        match self.text().await {
            Ok(line) => Next::Line(serde_json::from_str(&line).unwrap()),
            Err(end) => end,
        }
    }

    /// The next line as it came, without its end; an error where there is none.
    pub async fn text(&mut self) -> Result<String, Next> {
        loop {
            if let Some(end) = self.text.iter().position(|byte| *byte == b'\n') {
                let line = self.text.drain(..=end).take(end).collect();
                return Ok(String::from_utf8(line).unwrap());
            }
            let Some(length) = self.raw_line().await else { return Err(Next::BrokenOff) };
            let length =
                usize::from_str_radix(length.trim_end(), 16).expect("a chunk begins with its length");
            // The chunk and the end of its line.
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

    /// The next line.
    pub async fn line(&mut self) -> Value {
        match self.next().await {
            Next::Line(line) => line,
            other => panic!("a line is expected, and not {other:?}"),
        }
    }

    /// The next event, snapshots and others being passed over.
    pub async fn event(&mut self) -> Value {
        loop {
            let line = self.line().await;
            if matches!(line["type"].as_str(), Some("trade" | "quote" | "bar")) {
                return line;
            }
        }
    }

    /// The socket, for what comes after the answer.
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

    /// Reads more; false where the connection is over.
    async fn read(&mut self) -> bool {
        let read = timeout(PATIENCE, self.socket.read_buf(&mut self.bytes)).await.expect("something comes");
        read.is_ok_and(|count| count > 0)
    }
}
