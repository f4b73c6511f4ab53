//! Runs the built program as a process.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::time::timeout;
use tokio_tungstenite::client_async;

use super::websocket_client::Client;

/// The time limit for each wait in a test. A test that waits longer fails.
pub const PATIENCE: Duration = Duration::from_secs(30);

const PROGRAM: &str = env!("CARGO_BIN_EXE_tickerplant");

pub fn tickerplant(arguments: &[&str]) -> Command {
    prepared(Command::new(PROGRAM), arguments)
}

/// Returns a command that runs the program. The program can open at most `count` file descriptors.
pub fn tickerplant_with_descriptors(count: u32, arguments: &[&str]) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!(r#"ulimit -n {count} && exec "$0" "$@""#), PROGRAM]);
    prepared(shell, arguments)
}

/// Returns a command that runs the command line `line` in a shell.
pub fn by_shell(line: &str) -> Command {
    let folder = Path::new(PROGRAM).parent().expect("the program is in a folder");
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
    let mut shell = Command::new("sh");
    shell.env("PATH", path);
    prepared(shell, &["-c", &format!(r#"exec {line} "$@""#), "sh"])
}

fn prepared(mut command: Command, arguments: &[&str]) -> Command {
    command
        .args(arguments)
        .kill_on_drop(true)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // The environment of the test must not configure the program.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("TICKERPLANT_")) {
        command.env_remove(name);
    }
    command
}

/// Sets keys of the program's configuration through environment variables of the command.
pub fn configured(mut command: Command, settings: &[(&str, &str)]) -> Command {
    for (key, value) in settings {
        command.env(format!("TICKERPLANT_{}", key.to_uppercase().replace('.', "__")), value);
    }
    command
}

/// Returns whether this system can send signals to processes. If this system cannot send signals, prints that
/// the test is skipped.
pub async fn can_signal(test: &str) -> bool {
    let own = std::process::id().to_string();
    let sent = Command::new("kill").args(["-0", &own]).status().await;
    let can = sent.is_ok_and(|status| status.success());
    if !can {
        eprintln!("skipped, this system has no `kill`: {test}");
    }
    can
}

/// Raises this process's limit of file descriptors, and returns whether the limit is now at least `count`. If
/// the limit is lower, prints that the test is skipped.
pub fn has_descriptors(count: usize, test: &str) -> bool {
    let limit = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(0);
    let has = limit >= count as u64;
    if !has {
        eprintln!("skipped, the limit is {limit} descriptors: {test}");
    }
    has
}

/// A running server.
pub struct ServerProcess {
    pub process: Child,
    pub log: Lines<BufReader<ChildStderr>>,
    pub url: String,
}

impl ServerProcess {
    pub async fn start(arguments: &[&str]) -> Self {
        Self::spawn(tickerplant(arguments)).await
    }

    pub async fn spawn(mut command: Command) -> Self {
        let mut process = command.args(["--listen", "127.0.0.1:0"]).spawn().unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
        let line = line_with(&mut log, "listening").await;
        let address = line.split("address=").nth(1).unwrap().split(' ').next().unwrap();
        Self { process, log, url: format!("ws://{address}/ws") }
    }

    /// Starts a server with these settings. Each setting is a pair of a configuration key, such as
    /// `limits.connections`, and its value.
    pub async fn configured(arguments: &[&str], settings: &[(&str, &str)]) -> Self {
        Self::spawn(configured(tickerplant(arguments), settings)).await
    }

    /// Connects a WebSocket client to this path.
    pub async fn connect(&self, path: &str) -> Client {
        let socket = Box::new(TcpStream::connect(self.address()).await.unwrap());
        let url = format!("ws://{}{path}", self.address());
        Client::new(client_async(url, socket as _).await.unwrap().0)
    }

    pub fn address(&self) -> SocketAddr {
        self.url.trim_start_matches("ws://").trim_end_matches("/ws").parse().unwrap()
    }

    /// Sends the signal with this name to the server's process.
    pub async fn signal(&self, name: &str) {
        let id = self.process.id().expect("the server runs").to_string();
        let signal = format!("-{name}");
        assert!(Command::new("kill").args([&signal, &id]).status().await.unwrap().success());
    }

    /// Sends SIGTERM to the server's process, and waits for the process to end.
    pub async fn terminate(self) -> ExitStatus {
        self.signal("TERM").await;
        self.ended().await
    }

    /// Waits for the server's process to end.
    pub async fn ended(mut self) -> ExitStatus {
        timeout(PATIENCE, self.process.wait()).await.expect("the server ends").unwrap()
    }
}

/// A running process of the command `tickerplant watch --json`.
pub struct WatchProcess {
    lines: Lines<BufReader<ChildStdout>>,
    pub log: Lines<BufReader<ChildStderr>>,
    _process: Child,
}

impl WatchProcess {
    pub fn start(url: &str) -> Self {
        let mut process = tickerplant(&["watch", "--json", "--url", url]).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let log = BufReader::new(process.stderr.take().unwrap()).lines();
        Self { lines, log, _process: process }
    }

    pub async fn line(&mut self) -> String {
        timeout(PATIENCE, self.lines.next_line())
            .await
            .expect("a frame comes")
            .unwrap()
            .expect("the stream goes on")
    }

    pub async fn line_with(&mut self, text: &str) -> String {
        loop {
            let line = self.line().await;
            if line.contains(text) {
                return line;
            }
        }
    }
}

pub async fn line_with(log: &mut Lines<BufReader<ChildStderr>>, text: &str) -> String {
    let find = async {
        while let Some(line) = log.next_line().await.unwrap() {
            if line.contains(text) {
                return line;
            }
        }
        panic!("the log ends without {text:?}")
    };
    timeout(PATIENCE, find).await.unwrap_or_else(|_| panic!("nothing in the log says {text:?}"))
}

/// Runs a command to its end. Returns the exit code, standard output and standard error.
pub async fn run(mut command: Command) -> (i32, String, String) {
    let process = command.spawn().unwrap();
    let output = timeout(PATIENCE, process.wait_with_output()).await.expect("the program ends").unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// Asserts that standard error contains exactly one error, which contains the text `place`. At most one hint
/// may follow the error.
pub fn assert_is_one_error(err: &str, place: &str) {
    let lines: Vec<&str> = err.lines().collect();
    assert!(lines[0].starts_with("error: ") && lines[0].contains(place), "{err}");
    assert!(lines.len() == 1 || lines.len() == 2 && lines[1].starts_with(" hint: "), "{err}");
}
