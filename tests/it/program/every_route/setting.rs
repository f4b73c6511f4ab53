//! A running server, and a client's way to the server: directly or through a proxy, with or without TLS.

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::rustls::ALL_VERSIONS;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Error;

use crate::support::json_answer::JsonAnswer;
use crate::support::line_client::LineClient;
use crate::support::process::{PATIENCE, ServerProcess, configured, tickerplant};
use crate::support::reverse_proxy::{CLIENT, NAME, Program, ReverseProxy, documented};
use crate::support::test_certificate::{Certificate, CertificateFiles};
use crate::support::websocket_client::{Client, Line};

/// The tokens of a server with tokens. The token `any` has no rights, the token `some` allows one symbol, and
/// the token `all` allows everything. Each hash is from `printf %s TOKEN | sha256sum`.
const TOKENS: &str = r#"
[[auth.tokens]]
name = "any"
sha256 = "d6a7cd2a7371b1a15d543196979ff74fdb027023ebf187d5d329be11055c77fd"
[[auth.tokens]]
name = "some"
sha256 = "a6b46dd0d1ae5e86cbc8f37e75ceeb6760230c1ca4ffbcb0c97b96dd7d9c464b"
subscribe = ["AAPL"]
[[auth.tokens]]
name = "all"
sha256 = "5ef5ef0364b6939c4ca61f34b393f7b368d1be8619647aaf83d5b395919ab629"
subscribe = ["*"]
relay = true
control = true
"#;

/// How a client reaches the server.
enum Entrance {
    Direct,
    DirectTls(Certificate),
    Proxy(ReverseProxy),
    ProxyTls(ReverseProxy),
}

/// A running server with one entrance.
pub struct Setting {
    pub name: String,
    server: ServerProcess,
    entrance: Entrance,
    pub has_tokens: bool,
    /// The epoch of the feed.
    pub epoch: String,
    _folder: TempDir,
}

impl Setting {
    /// Starts a server whose feed has published 300 events and is paused. Returns `None` if the proxy
    /// is not installed.
    pub async fn start(proxy: Option<Program>, has_tls: bool, has_tokens: bool) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("server.toml");
        let config = proxy.map_or_else(String::new, |_| documented("toml"));
        fs::write(&file, config + if has_tokens { TOKENS } else { "" }).unwrap();
        let mut arguments = vec!["--feed", "replay", "feeds/ticks.csv", "--paused", "--config", text(&file)];
        let certificate = Certificate::new();
        let files = CertificateFiles::of(&certificate);
        if proxy.is_none() && has_tls {
            arguments.extend(["--tls-cert", text(&files.certificate), "--tls-key", text(&files.key)]);
        }
        // A second shard could be a moment behind the first one.
        let command = configured(tickerplant(&arguments), &[("server.shards", "1")]);
        let server = ServerProcess::spawn(command).await;
        let entrance = match (proxy, has_tls) {
            (None, false) => Entrance::Direct,
            (None, true) => Entrance::DirectTls(certificate),
            (Some(program), false) => {
                Entrance::Proxy(program.start(server.address(), &[program.without_tls()]).await?)
            }
            (Some(program), true) => Entrance::ProxyTls(program.start(server.address(), &[]).await?),
        };
        let name = format!("proxy: {proxy:?}, TLS: {has_tls}, tokens: {has_tokens}");
        let mut setting = Self { name, server, entrance, has_tokens, epoch: String::new(), _folder: folder };
        setting.step().await;
        Some(setting)
    }

    /// Publishes 300 events, and waits until a client can read the last of them.
    async fn step(&mut self) {
        let shown = self.full_token();
        let step = r#"POST /api/v1/feed {"action":"step","events":300}"#;
        let ready = async {
            // HAProxy answers 503 until it has found the server ready.
            while self.answer("GET /healthz", shown, false, 1).await != r#"200 {"status":"alive"}"# {}
            let stepped = self.answer(step, shown, false, 1).await;
            assert!(stepped.starts_with("200 "), "{}: {stepped}", self.name);
            let snapshots = "GET /api/v1/snapshots?symbols=AAPL";
            while !self.answer(snapshots, shown, false, 1).await.contains(r#""seq":300,"trade""#) {}
            self.answer("GET /api/v1/events?symbols=AAPL", shown, false, 1).await
        };
        let events = timeout(PATIENCE, ready).await.expect("the events arrive");
        let (_, rest) = events.split_once(r#"{"epoch":""#).unwrap_or_else(|| panic!("{events}"));
        rest.split('"').next().unwrap().clone_into(&mut self.epoch);
    }

    /// Returns the token that allows everything; empty on a server without tokens.
    pub const fn full_token(&self) -> &'static str {
        if self.has_tokens { "all" } else { "" }
    }

    async fn open(&self) -> Box<dyn Line> {
        let direct = async || TcpStream::connect(self.server.address()).await.unwrap();
        match &self.entrance {
            Entrance::Direct => Box::new(direct().await),
            Entrance::DirectTls(certificate) => {
                Box::new(certificate.encrypt(direct().await, ALL_VERSIONS).await.unwrap())
            }
            Entrance::Proxy(proxy) => Box::new(proxy.open_plain(CLIENT).await),
            Entrance::ProxyTls(proxy) => Box::new(proxy.open(CLIENT).await),
        }
    }

    /// Returns the name of the server in `Host`.
    pub const fn host(&self) -> &'static str {
        match &self.entrance {
            Entrance::Direct | Entrance::DirectTls(_) => "localhost",
            Entrance::Proxy(_) | Entrance::ProxyTls(_) => NAME,
        }
    }

    /// Sends a request, and returns the status and the body of the response. The body of a stream is its
    /// first `lines` lines. The token is in the URL or in a header.
    pub async fn answer(&self, request: &str, shown: &str, in_url: bool, lines: usize) -> String {
        let mut words = request.splitn(3, ' ');
        let (method, path, body) =
            (words.next().unwrap(), words.next().unwrap(), words.next().unwrap_or_default());
        let path = path.replace("EPOCH", &self.epoch);
        let (path, authorization) = match (shown, in_url) {
            ("", _) => (path, String::new()),
            (_, true) => (with_parameter(&path, &format!("token={shown}")), String::new()),
            (_, false) => (path, format!("Authorization: Bearer {shown}\r\n")),
        };
        if lines > 1 {
            return self.stream(&path, &authorization, lines).await;
        }
        let answer = self.ask(&format!("{method} {path}"), &authorization, body).await;
        format!("{} {}", answer.status, answer.text()).trim_end().to_owned()
    }

    /// Sends a request with these headers, each with its line end, and returns the response.
    pub async fn ask(&self, request: &str, headers: &str, body: &str) -> JsonAnswer {
        let (host, length) = (self.host(), body.len());
        let request = format!(
            "{request} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n\
             {headers}\r\n{body}"
        );
        let mut socket = self.open().await;
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // The end of a TLS connection may come without the alert for it.
        let _ = timeout(PATIENCE, socket.read_to_end(&mut answer)).await.expect("the connection ends");
        JsonAnswer::parse(&answer)
    }

    /// Returns the status of a stream and its first lines.
    pub async fn stream(&self, path: &str, headers: &str, lines: usize) -> String {
        let mut client = LineClient::ask_with(self.open().await, path, headers).await;
        let mut answer = client.head[9..12].to_owned();
        for number in 0..lines {
            answer.push_str(if number == 0 { " " } else { "\n" });
            answer.push_str(&client.text().await.expect("the stream goes on"));
        }
        answer
    }

    /// Connects a WebSocket client. Returns the status of the response if the server refuses the client.
    pub async fn connect(&self, path: &str, shown: &str) -> Result<Client, u16> {
        let path =
            if shown.is_empty() { path.to_owned() } else { with_parameter(path, &format!("token={shown}")) };
        match client_async(format!("ws://{}{path}", self.host()), self.open().await).await {
            Ok((socket, _)) => Ok(Client::new(socket)),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{}: {path}: {error}", self.name),
        }
    }
}

/// Adds a parameter to a path.
fn with_parameter(path: &str, parameter: &str) -> String {
    format!("{path}{}{parameter}", if path.contains('?') { '&' } else { '?' })
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
