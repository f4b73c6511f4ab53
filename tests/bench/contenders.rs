//! The servers that the benchmark compares: our server, a write-only server, Bun, and Node's `ws`. The
//! write-only server does no more than the necessary writes, so it shows the least possible cost.
//!
//! All servers speak the part of our protocol that the clients use. In a scenario whose events come from
//! standard input, all servers read the same lines. The simulated feeds of all servers have the same frames
//! and the same schedule. The write-only servers relay no messages.

use std::env;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use clap::ValueEnum;

use crate::framing::Framing;
use crate::scenario::{Feed, Scenario};

/// The npm packages that the JavaScript servers need.
const PACKAGES: [&str; 2] = ["@oven/bun-linux-x64@1.4.5", "ws@8.23.0"];

/// The default flush window of our server, and of [`Kind::Collecting`].
const FLUSH_WINDOW: &str = "2ms";

/// A kind of server, and the way in which its clients get their frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Our server.
    Tickerplant,
    /// Our server, with clients of `/sse`.
    Sse,
    /// Our server, with clients of `/ndjson`.
    Ndjson,
    /// Another build of our server. The environment variable `EARLIER` contains the path of that build's
    /// program.
    Earlier,
    /// The write-only server, which writes each update to each client separately.
    Bare,
    /// The write-only server, which collects a client's updates of a flush window and sends them with one
    /// write.
    Collecting,
    /// `Bun.serve` with Bun's own publish and subscribe.
    Bun,
    /// Node with the package `ws`.
    Ws,
}

/// A server with its settings: one line of a table.
#[derive(Clone)]
pub struct Contender {
    pub kind: Kind,
    pub window: Option<String>,
    pub shards: Option<u32>,
}

impl Kind {
    /// Returns whether this kind of server is a build of our server.
    pub const fn is_ours(self) -> bool {
        matches!(self, Self::Tickerplant | Self::Sse | Self::Ndjson | Self::Earlier)
    }

    /// Returns whether this kind of server can run a scenario with this feed.
    pub const fn has(self, feed: Feed) -> bool {
        !matches!((self, feed), (Self::Bare | Self::Collecting, Feed::Relay))
    }

    /// Returns how the clients of this kind of server get their frames.
    pub const fn framing(self) -> Framing {
        match self {
            Self::Sse => Framing::Sse,
            Self::Ndjson => Framing::Ndjson,
            _ => Framing::WebSocket,
        }
    }

    const fn is_script(self) -> bool {
        matches!(self, Self::Bun | Self::Ws)
    }
}

impl Contender {
    /// Returns all combinations of these kinds, flush windows and shard counts. The combinations of a kind
    /// leave out a setting that this kind of server does not have.
    pub fn all(kinds: &[Kind], windows: &[Option<String>], shards: &[Option<u32>]) -> Vec<Self> {
        let mut all = Vec::new();
        for &kind in kinds {
            let windows = if kind.is_ours() || kind == Kind::Collecting { windows } else { &[None] };
            let shards = if kind.is_ours() { shards } else { &[None] };
            for window in windows {
                all.extend(shards.iter().map(|shards| Self {
                    kind,
                    window: window.clone(),
                    shards: *shards,
                }));
            }
        }
        all
    }

    /// Returns the server's name in the tables.
    pub fn title(&self) -> String {
        let window = self.window.as_ref().map_or(String::new(), |window| format!(" {window}"));
        let shards = self.shards.map_or(String::new(), |shards| format!(" ×{shards}"));
        let name = match self.kind {
            Kind::Tickerplant => "tickerplant",
            Kind::Sse => "tickerplant /sse",
            Kind::Ndjson => "tickerplant /ndjson",
            Kind::Earlier => "earlier",
            Kind::Bare => "bare",
            Kind::Collecting => "bare, collecting",
            Kind::Bun => "bun",
            Kind::Ws => "ws",
        };
        format!("{name}{window}{shards}")
    }

    /// Returns the command that starts the server on these cores, with the feed of a scenario.
    ///
    /// The server inherits the benchmark's environment variables, and these variables may configure the
    /// server. The command overrides the settings that the benchmark depends on.
    pub fn command(&self, cores: Option<&str>, scenario: &Scenario) -> io::Result<Command> {
        let mut command = match cores {
            Some(cores) => {
                let mut command = Command::new("taskset");
                command.args(["--cpu-list", cores]).arg(self.program()?);
                command
            }
            None => Command::new(self.program()?),
        };
        // This folder has no config.toml, so the server uses its defaults.
        command.current_dir(env!("CARGO_TARGET_TMPDIR")).stdin(Stdio::null());
        match self.kind {
            Kind::Tickerplant | Kind::Sse | Kind::Ndjson | Kind::Earlier => {
                command.args(["--listen", "127.0.0.1:0", "--log", "info"]);
                command.env("TICKERPLANT_LIMITS__CONNECTIONS", "0");
                if let Some(window) = &self.window {
                    command.env("TICKERPLANT_SERVER__FLUSH_WINDOW", window);
                }
                if let Some(shards) = self.shards {
                    command.env("TICKERPLANT_SERVER__SHARDS", shards.to_string());
                }
            }
            Kind::Bare => drop(command.arg("bare")),
            Kind::Collecting => {
                command.args(["bare", "--window", self.window.as_deref().unwrap_or(FLUSH_WINDOW)]);
            }
            Kind::Bun => drop(command.arg(script("bun.js"))),
            Kind::Ws => {
                command.arg(script("ws.js")).env("NODE_PATH", modules()).env("NODE_ENV", "production");
            }
        }
        match scenario.feed {
            Feed::Simulated => {
                let (symbols, rate) = (scenario.names().join(","), scenario.rate.to_string());
                command.args(["--symbols", &symbols, "--rate", &rate]);
                if self.kind.is_ours() {
                    command.args(["--profile", "gbm"]);
                }
            }
            // In a relay scenario, nothing is written to standard input.
            Feed::Stdin | Feed::Relay => drop(command.args(["--feed", "stdin"]).stdin(Stdio::piped())),
        }
        if scenario.feed == Feed::Relay && self.kind.is_ours() {
            command.env("TICKERPLANT_RELAY__RATE", "0").env("TICKERPLANT_RELAY__TOTAL_BYTES", "0");
        }
        Ok(command)
    }

    fn program(&self) -> io::Result<PathBuf> {
        Ok(match self.kind {
            Kind::Tickerplant | Kind::Sse | Kind::Ndjson => env!("CARGO_BIN_EXE_tickerplant").into(),
            Kind::Earlier => env::var_os("EARLIER")
                .ok_or_else(|| io::Error::other("set EARLIER to the program of an earlier build"))?
                .into(),
            Kind::Bare | Kind::Collecting => env::current_exe()?,
            Kind::Bun => modules().join("@oven/bun-linux-x64/bin/bun"),
            Kind::Ws => "node".into(),
        })
    }
}

/// Installs missing npm packages. Returns the kinds of servers that can run. If the packages cannot be
/// installed, prints the names of the servers that cannot run.
pub fn available(kinds: &[Kind]) -> io::Result<Vec<Kind>> {
    let needs = kinds.iter().any(|kind| kind.is_script());
    if needs && !is_installed() {
        let folder = modules().with_file_name("");
        fs::create_dir_all(&folder)?;
        eprintln!("installing {}", PACKAGES.join(" "));
        let npm = Command::new("npm")
            .args([
                "install",
                "--no-audit",
                "--no-fund",
                "--loglevel",
                "error",
                "--fetch-retries",
                "0",
                "--prefix",
            ])
            .arg(folder)
            .args(PACKAGES)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status();
        if !npm.is_ok_and(|status| status.success() && is_installed()) {
            println!("bun and ws are left out, because npm cannot install {}", PACKAGES.join(" and "));
            return Ok(kinds.iter().copied().filter(|kind| !kind.is_script()).collect());
        }
    }
    Ok(kinds.to_vec())
}

fn is_installed() -> bool {
    ["@oven/bun-linux-x64/bin/bun", "ws/package.json"].iter().all(|file| modules().join(file).exists())
}

/// Returns the folder in which npm installs packages.
fn modules() -> PathBuf {
    PathBuf::from_iter([env!("CARGO_TARGET_TMPDIR"), "contenders", "node_modules"])
}

fn script(name: &str) -> PathBuf {
    PathBuf::from_iter([env!("CARGO_MANIFEST_DIR"), "tests", "bench", "contenders", name])
}
