//! The server that is strained, and the bound of its memory.

use std::env;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::process::Server;

/// Resident KiB that a connection may take.
const CONNECTION: u32 = 48;

/// What the history may take in KiB (`bus.history_bytes`).
const HISTORY: u32 = 16 * 1024;

/// What may wait for a client with `delivery=every`, in KiB (`session.every_buffer`).
const EVERY_BUFFER: u32 = 1024;

/// A server's feed, and where it runs.
pub struct Plant {
    pub symbols: usize,
    pub rate: u32,
    pub cores: Option<String>,
    /// Names in the environment, and their values.
    pub settings: Vec<(&'static str, &'static str)>,
}

/// The server's memory beside its bound.
pub struct Memory {
    /// Of the idle server, just started, in KiB.
    base: u32,
    /// The most that was seen, and the bound at that moment.
    pub most: u32,
    /// The least that was left below the bound.
    left: i64,
    started: Instant,
}

impl Plant {
    /// Starts the server.
    pub fn start(&self) -> io::Result<Server> {
        let symbols: Vec<_> = (0..self.symbols).map(name).collect();
        let mut command = command(self.cores.as_deref());
        command.args(["--symbols", &symbols.join(","), "--rate", &self.rate.to_string()]);
        command.envs(self.settings.iter().copied());
        Server::start(&mut command)
    }
}

/// The command that starts the server, on these cores; what the environment configures holds, except for what is
/// measured here. The environment's `EARLIER` may name the program of another build.
pub fn command(cores: Option<&str>) -> Command {
    let program = env::var("EARLIER").unwrap_or_else(|_| env!("CARGO_BIN_EXE_tickerplant").to_owned());
    let mut command = match cores {
        Some(cores) => {
            let mut command = Command::new("taskset");
            command.args(["--cpu-list", cores, &program]);
            command
        }
        None => Command::new(program),
    };
    // No config.toml lies there: the server has its defaults.
    command.current_dir(env!("CARGO_TARGET_TMPDIR")).stdin(Stdio::null());
    command.args(["--listen", "127.0.0.1:0", "--log", "info"]);
    command.env("TICKERPLANT_LIMITS__CONNECTIONS", "0");
    command
}

/// Pauses the feed of a server; returns what the server says of it.
pub fn pause(address: SocketAddr) -> io::Result<String> {
    let body = r#"{"action":"pause"}"#;
    let head = format!(
        "POST /api/v1/feed HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut socket = TcpStream::connect(address)?;
    socket.write_all((head + body).as_bytes())?;
    io::read_to_string(socket)
}

/// The name of a symbol: four hexadecimal digits, enough for 65,536.
pub fn name(symbol: usize) -> String {
    format!("{symbol:04X}")
}

impl Memory {
    /// Of a server that has just been started.
    pub fn new(server: &Server) -> io::Result<Self> {
        let base = server.memory()?;
        Ok(Self { base, most: base, left: i64::MAX, started: Instant::now() })
    }

    /// Looks at it; returns what it is and its bound with so many connections, of which so many are slow readers with
    /// `delivery=every`, all in KiB.
    pub fn look(&mut self, server: &Server, connections: usize, slow: usize) -> io::Result<(u32, u32)> {
        let count = |count: usize| u32::try_from(count).map_err(io::Error::other);
        let bound = self.base + CONNECTION * count(connections)? + HISTORY + EVERY_BUFFER * count(slow)?;
        let memory = server.memory()?;
        self.most = self.most.max(memory);
        self.left = self.left.min(i64::from(bound) - i64::from(memory));
        Ok((memory, bound))
    }

    /// Whether the bound was never exceeded.
    pub fn is_bounded(&self) -> bool {
        self.left >= 0
    }

    /// How it went, in a line.
    pub fn text(&self) -> String {
        format!(
            "{} MiB when idle, at most {} MiB, always {} MiB or more below the bound, in {:.0} s",
            mib(self.base),
            mib(self.most),
            self.left / 1024,
            self.age().as_secs_f64()
        )
    }

    /// How long the server has run.
    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }
}

/// KiB as MiB, with one digit behind the point.
pub fn mib(kib: u32) -> String {
    format!("{:.1}", f64::from(kib) / 1024.0)
}
