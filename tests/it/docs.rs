//! Checks the documents. Every example in `docs/protocol.md` must work as written. The documents must
//! describe every error code, frame type and metric.
//!
//! `docs/protocol.md` explains the notation of the examples. The test starts a server for each example. The
//! command in the example's first line configures that server.

use std::fs;
use std::path::Path;
use std::time::Duration;

use clap::Parser;
use serde_json::{Value, json};
use tempfile::TempDir;
use tickerplant::cli::Cli;
use tickerplant::config::Config;
use tickerplant::market::{FeedKind, FeedState};
use tokio::net::TcpStream;
use tokio::task::yield_now;
use tokio::time::timeout;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};

use crate::support::events::halt;
use crate::support::likeness::is_like;
use crate::support::line_client::LineClient;
use crate::support::process::PATIENCE;
use crate::support::test_server::TestServer;
use crate::support::websocket_client::Client;

/// The default command, for examples whose first line is not a command.
const SERVER: &str = "target/release/tickerplant --feed replay feeds/ticks.csv --paused";

/// The time between heartbeats. This time is short, so that an example with a heartbeat does not take long.
const HEARTBEAT: Duration = Duration::from_millis(100);

/// The types of the frames that are not replies to a command.
const MARKET_FRAMES: [&str; 6] = ["trade", "quote", "bar", "status", "snapshot", "close"];

/// A line of an example, with the line's number in the document.
pub type Line = (usize, String);

/// A connection that an example has opened.
enum Source {
    WebSocket(Box<Client>),
    Stream(Box<LineClient<TcpStream>>),
}

/// The state of an example while the test runs it.
struct Conversation {
    server: TestServer,
    /// All connections of the example. The example uses the newest connection, and the others stay open.
    sources: Vec<Source>,
    /// The status and the body of a response that the example has not checked yet.
    answer: Option<String>,
}

/// Returns the text of a document.
pub fn document(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// Returns those code blocks of a Markdown document that begin with three backquotes and the text in `mark`.
/// In a code block, a line that begins with a space continues the previous line.
pub fn blocks(text: &str, mark: &str) -> Vec<Vec<Line>> {
    let mut blocks: Vec<Vec<Line>> = Vec::new();
    let mut is_inside = false;
    for (line, number) in text.lines().zip(1..) {
        if let Some(word) = line.strip_prefix("```") {
            is_inside = word == mark;
            if is_inside {
                blocks.push(Vec::new());
            }
        } else if let (true, Some(block)) = (is_inside, blocks.last_mut()) {
            match block.last_mut() {
                Some((_, before)) if line.starts_with(' ') => before.push_str(line.trim_start()),
                _ => block.push((number, line.to_owned())),
            }
        }
    }
    blocks
}

/// Creates a new folder with all configuration files from the code blocks of a document. The first line of
/// each configuration file is a comment with the name of the file.
fn configuration_files(text: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for block in blocks(text, "toml") {
        let lines: Vec<&str> = block.iter().map(|(_, line)| line.as_str()).collect();
        let name = lines[0].strip_prefix("# ").expect("a configuration file begins with its name");
        fs::write(folder.path().join(name), lines.join("\n")).unwrap();
    }
    folder
}

/// Returns the configuration of the server that a command line starts. As in a shell, the command line may
/// begin with environment variables.
fn configured(command: &str, folder: &Path) -> Config {
    let words = shlex::split(command).unwrap();
    let program = words.iter().position(|word| word.ends_with("tickerplant")).expect("it starts the program");
    let environment = words[..program].iter().map(|word| word.split_once('=').expect("it sets a name"));
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let mut sources = Cli::try_parse_from(&words[program..]).unwrap().serve.sources(environment);
    sources.file = sources.file.map(|name| folder.join(name));
    let mut config = Config::load(&sources).unwrap().config;
    config.session.heartbeat = HEARTBEAT;
    config
}

async fn play(lines: &[Line], folder: &Path) {
    let mut lines = lines.iter().peekable();
    let command = lines.next_if(|(_, line)| line.starts_with("$ ")).map_or(SERVER, |(_, line)| &line[2..]);
    let mut conversation = Conversation::begin(command, folder).await;
    while let Some((number, line)) = lines.next() {
        let place = format!("docs/protocol.md:{number}: {line}");
        if let Some(said) = line.strip_prefix("> ") {
            conversation.say(said).await;
        } else if let Some(expected) = line.strip_prefix("< ") {
            let received = conversation.receive(expected).await;
            assert!(is_like(&received, expected), "{place}\n     got {received}");
        } else if let Some(input) = line.strip_prefix("| ") {
            conversation.feed(input);
        } else if line == "^C" {
            conversation.server.stop();
        } else if !line.is_empty() && !line.starts_with('#') {
            let mut headers = Vec::new();
            while let Some((_, header)) = lines.next_if(|(_, line)| is_header(line)) {
                headers.push(header.split_once(": ").expect("it is a header"));
            }
            let next = lines.peek().map_or("", |(_, line)| line.as_str());
            conversation.request(line, &headers, next).await;
        }
    }
    assert_eq!(conversation.answer, None, "the last answer is not shown");
}

impl Conversation {
    /// Starts the server of an example. Waits until the server's feed has begun, unless the feed waits for a
    /// client or for a cluster.
    async fn begin(command: &str, folder: &Path) -> Self {
        let config = configured(command, folder);
        if config.feed.kind == FeedKind::Stdin {
            // The test publishes the lines of standard input.
            return Self { server: TestServer::start(config).await, sources: Vec::new(), answer: None };
        }
        let server = TestServer::feed(config).await;
        let waits = command.contains("--wait-for-client") || command.contains("--cluster");
        let begun = async {
            while server.bus().feed_state() == FeedState::Starting && !waits {
                yield_now().await;
            }
        };
        timeout(PATIENCE, begun).await.expect("the feed begins");
        server.caught_up().await;
        Self { server, sources: Vec::new(), answer: None }
    }

    /// Publishes the trading status in a line of standard input.
    fn feed(&self, line: &str) {
        let line: Value = serde_json::from_str(line).unwrap();
        let (symbol, reason) = (line["symbol"].as_str().unwrap(), line["reason"].as_str().unwrap());
        assert_eq!((&line["type"], &line["status"]), (&json!("status"), &json!("halted")), "{line}");
        self.server.publish([halt(symbol, reason)]);
    }

    async fn say(&mut self, text: &str) {
        let text = self.with_epoch(text);
        let Some(Source::WebSocket(client)) = self.sources.last_mut() else { panic!("{text}: to whom?") };
        client.send(&text).await;
    }

    /// Executes a line of an example that connects or sends a request. `next` is the following line of the
    /// example, which shows the kind of the response.
    async fn request(&mut self, line: &str, headers: &[(&str, &str)], next: &str) {
        let request = self.with_epoch(line);
        if let Some(path) = request.strip_prefix("connect ") {
            if is_answer(next) {
                let request = format!("GET {path}");
                self.answer = Some(answered(&self.server, &request, &handshake(headers)).await);
            } else {
                let client = connected(&self.server, path, headers).await;
                self.sources.push(Source::WebSocket(Box::new(client)));
            }
        } else if next == "< 200" {
            let path = request.strip_prefix("GET ").expect("streams are got");
            let client = LineClient::ask(self.server.open().await, path).await;
            self.answer = Some(client.head[9..12].to_owned());
            self.sources.push(Source::Stream(Box::new(client)));
        } else {
            self.answer = Some(answered(&self.server, &request, headers).await);
            self.server.caught_up().await;
        }
    }

    /// Returns the next frame or response that the example receives. Skips heartbeats, unless a heartbeat is
    /// expected.
    async fn receive(&mut self, expected: &str) -> String {
        if let Some(answer) = self.answer.take() {
            return answer;
        }
        let is_heartbeat = |text: &str| text.starts_with(r#"{"type":"heartbeat""#);
        let source = self.sources.last_mut().expect("somebody listens");
        loop {
            let text = match source {
                Source::Stream(client) => client.text().await.expect("a line comes"),
                Source::WebSocket(client) => match client.next().await {
                    Message::Text(text) => text.to_string(),
                    Message::Close(Some(close)) => {
                        format!("close {} {}", u16::from(close.code), close.reason)
                    }
                    Message::Ping(_) => continue,
                    other => panic!("{other:?} is no part of an example"),
                },
            };
            if !is_heartbeat(&text) || is_heartbeat(expected) {
                return text;
            }
        }
    }

    /// Returns a text with this server's epoch in place of `EPOCH`.
    fn with_epoch(&self, sent: &str) -> String {
        sent.replace("EPOCH-", &format!("{}-", self.server.bus().epoch()))
    }
}

fn is_header(line: &str) -> bool {
    line.split_once(": ").is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_alphabetic() || c == '-'))
}

/// Returns whether a line of an example shows an HTTP response, not a frame.
fn is_answer(line: &str) -> bool {
    line.strip_prefix("< ").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// Returns the headers of a WebSocket handshake. The example gives the headers in `named`. These headers
/// replace the usual headers of the same names.
fn handshake<'a>(named: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let usual = [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade, close"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let unnamed = usual.into_iter().filter(|(name, _)| named.iter().all(|(other, _)| name != other));
    unnamed.chain(named.iter().copied()).collect()
}

async fn connected(server: &TestServer, path: &str, headers: &[(&str, &str)]) -> Client {
    let mut request = format!("ws://{}{path}", server.address()).into_client_request().unwrap();
    for (name, value) in headers {
        request
            .headers_mut()
            .insert(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    }
    let socket = Box::new(server.open().await);
    Client::new(client_async(request, socket as _).await.unwrap().0)
}

/// Sends a request and returns the status and the body of the response.
async fn answered(server: &TestServer, request: &str, headers: &[(&str, &str)]) -> String {
    let mut words = request.splitn(3, ' ');
    let (method, path) = (words.next().unwrap(), words.next().expect("a request has a path"));
    let body = words.next().unwrap_or_default();
    let (host, length) = (server.address().to_string(), body.len().to_string());
    let usual = [("Host", host.as_str()), ("Connection", "close"), ("Content-Length", length.as_str())];
    let usual = usual.iter().filter(|(name, _)| headers.iter().all(|(other, _)| name != other));
    let head = usual.chain(headers).map(|(name, value)| format!("{name}: {value}\r\n"));
    let head = head.collect::<Vec<_>>().concat();
    let answer = server.request(&format!("{method} {path} HTTP/1.1\r\n{head}\r\n{body}")).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    format!("{} {body}", &head[9..12]).trim_end().to_owned()
}

#[tokio::test]
async fn every_example_of_the_protocol_works_as_written() {
    let text = document("docs/protocol.md");
    let folder = configuration_files(&text);
    let examples = blocks(&text, "transcript");
    assert!(!examples.is_empty(), "there are no examples");
    for example in examples {
        play(&example, folder.path()).await;
    }
}

/// Reads the variants of an enum from a source file. Returns the variants' names in snake case, as the
/// protocol writes them.
fn wire_names(file: &str, of: &str) -> Vec<String> {
    let source = document(file);
    let (_, rest) = source.split_once(of).unwrap();
    let (body, _) = rest.split_once("\n}").unwrap();
    let lines = body.lines().filter_map(|line| line.strip_prefix("    "));
    let names = lines.map(|line| line.chars().take_while(char::is_ascii_alphabetic).collect::<String>());
    let to_snake = |name: String| {
        let parts = name.chars().enumerate().map(|(place, c)| {
            let gap = if place > 0 && c.is_uppercase() { "_" } else { "" };
            format!("{gap}{}", c.to_lowercase())
        });
        parts.collect::<String>()
    };
    names.filter(|name| name.starts_with(|c: char| c.is_uppercase())).map(to_snake).collect()
}

#[test]
fn every_error_code_and_every_type_of_frame_is_described_and_has_an_example() {
    let text = document("docs/protocol.md");
    let examples: Vec<Line> = blocks(&text, "transcript").into_iter().flatten().collect();
    let is_shown = |part: &str| examples.iter().any(|(_, line)| line.contains(part));
    let codes = wire_names("src/wire/error_reply.rs", "pub enum ErrorCode {");
    let types = wire_names("src/wire/reply.rs", "pub enum Reply<'a> {");
    assert!(codes.len() > 15 && types.len() > 8, "{codes:?} {types:?}");

    for code in codes {
        assert!(text.contains(&format!("\n| `{code}` |")), "{code} is not described");
        assert!(is_shown(&format!(r#""code":"{code}""#)), "{code} has no example");
    }
    for name in types.iter().map(String::as_str).chain(MARKET_FRAMES) {
        assert!(text.contains(&format!("\n| `{name}` |")), "{name} is not described");
        assert!(is_shown(&format!(r#"{{"type":"{name}""#)), "{name} has no example");
    }
}

#[tokio::test]
async fn every_metric_is_described() {
    let text = document("docs/operations.md");
    let server = TestServer::start(Config::default()).await;
    let metrics = answered(&server, "GET /metrics", &[]).await;

    let names = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    let limits = metrics
        .lines()
        .filter_map(|line| line.strip_prefix("tickerplant_limit_strikes_total{limit=\"")?.split('"').next());
    let described: Vec<&str> = names.chain(limits).collect();

    assert!(described.len() > 25, "{described:?}");
    for name in described {
        assert!(text.contains(&format!("`{name}")), "{name} is not described");
    }
}
