//! The server under test: how it is started, and how its feed is paused.

use std::env;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};

use crate::process::Server;

/// The seed of every simulated feed.
pub const SEED: u64 = 42;

/// The settings of a server: its feed, its cores and its environment.
pub struct ServerSettings {
    pub symbols: usize,
    pub rate: u32,
    pub cores: Option<String>,
    /// Environment variables and their values.
    pub environment: Vec<(&'static str, &'static str)>,
}

impl ServerSettings {
    pub fn start(&self) -> io::Result<Server> {
        let symbols: Vec<_> = (0..self.symbols).map(name).collect();
        let mut command = command(self.cores.as_deref());
        command.args(["--symbols", &symbols.join(","), "--rate", &self.rate.to_string()]);
        command.args(["--profile", "gbm", "--seed", &SEED.to_string()]);
        command.envs(self.environment.iter().copied());
        Server::start(&mut command)
    }
}

/// Returns the command that starts the server on these cores.
///
/// The server inherits the benchmark's environment variables. These variables can configure every setting
/// that the benchmark leaves open. If the environment variable `EARLIER` names the server program of another
/// build, the command starts that program.
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
    // This folder has no config.toml, so the server uses its defaults.
    command.current_dir(env!("CARGO_TARGET_TMPDIR")).stdin(Stdio::null());
    command.args(["--listen", "127.0.0.1:0", "--log", "info"]);
    command.env("TICKERPLANT_LIMITS__CONNECTIONS", "0");
    command
}

/// Pauses the feed of a server. Returns the server's response.
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

/// Returns the name of a symbol: four hexadecimal digits, enough for 65,536 symbols.
pub fn name(symbol: usize) -> String {
    format!("{symbol:04X}")
}
