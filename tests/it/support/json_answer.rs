//! Asks a server for a page, and reads the status, the headers and the body of the response.

use serde_json::Value;

use crate::support::test_server::TestServer;

/// A complete HTTP response.
pub struct JsonAnswer {
    pub status: u16,
    /// The status line and the headers.
    pub head: String,
    pub body: Vec<u8>,
}

impl JsonAnswer {
    /// Sends a request without a body over a new connection. `headers` are further headers, each with its
    /// line end.
    pub async fn to(server: &TestServer, method: &str, path: &str, headers: &str) -> Self {
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{headers}\r\n");
        Self::parse(&server.request_bytes(&request).await)
    }

    /// Parses all bytes that a server has sent.
    pub fn parse(answer: &[u8]) -> Self {
        let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a response has a head");
        let head = String::from_utf8(answer[..end + 2].to_vec()).unwrap();
        let status = head[9..12].parse().unwrap();
        Self { status, head, body: answer[end + 4..].to_vec() }
    }

    pub async fn get(server: &TestServer, path: &str) -> Self {
        Self::to(server, "GET", path, "").await
    }

    /// Sends a `POST` with this body over a new connection.
    pub async fn post(server: &TestServer, path: &str, body: &str) -> Self {
        let length = body.len();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        Self::parse(&server.request_bytes(&request).await)
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// Returns the code and the message of an error response.
    pub fn error(&self) -> (String, String) {
        let json = self.json();
        let field = |name: &str| json["error"][name].as_str().unwrap_or_default().to_owned();
        (field("code"), field("message"))
    }
}
