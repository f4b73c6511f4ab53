//! Starts NATS servers and nodes, and asks nodes.

use std::env;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::process::Server;

/// How long anything may take to come up.
const PATIENCE: Duration = Duration::from_mins(1);

/// The number of nodes of a cluster.
pub const NODES: usize = 3;

/// What serves the feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// One server without a cluster.
    Lone,
    /// Three nodes with this number of NATS servers.
    Cluster(usize),
}

/// A running NATS server.
struct Nats {
    process: Child,
    url: String,
    config: String,
    folder: TempDir,
}

/// The nodes of a setup, and their NATS servers.
pub struct Fleet {
    nats: Vec<Nats>,
    settings: Vec<(String, String)>,
    pub nodes: Vec<Server>,
}

impl Setup {
    pub fn name(self) -> String {
        match self {
            Self::Lone => "lone node".to_owned(),
            Self::Cluster(1) => "1 NATS server".to_owned(),
            Self::Cluster(count) => format!("{count} NATS servers"),
        }
    }
}

impl Nats {
    async fn start(config: String) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let process = Self::run(&config, &folder, "-1")?;
        let mut nats = Self { process, url: String::new(), config, folder };
        let file = nats.folder.path().join(format!("nats-server_{}.ports", nats.process.id()));
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            let ports: Option<Value> =
                fs::read(&file).ok().and_then(|text| serde_json::from_slice(&text).ok());
            if let Some(url) = ports.as_ref().and_then(|ports| ports["nats"][0].as_str()) {
                url.clone_into(&mut nats.url);
                return Ok(nats);
            }
            sleep(Duration::from_millis(10)).await;
        }
        Err(io::Error::other("the NATS server does not tell its port"))
    }

    fn run(config: &str, folder: &TempDir, port: &str) -> io::Result<Child> {
        let program = env::var_os("NATS_SERVER").ok_or_else(|| {
            io::Error::other("NATS_SERVER does not name a NATS server; tests/cluster/run installs one")
        })?;
        fs::write(folder.path().join("config"), config)?;
        Command::new(program)
            .args(["-a", "127.0.0.1", "-p", port, "-js", "-c"])
            .arg(folder.path().join("config"))
            .arg("-sd")
            .arg(folder.path().join("stream"))
            .arg("--ports_file_dir")
            .arg(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
    }

    fn kill(&mut self) -> io::Result<()> {
        self.process.kill()?;
        self.process.wait().map(drop)
    }

    fn restart(&mut self) -> io::Result<()> {
        let port = self.url.rsplit(':').next().unwrap_or_default();
        self.process = Self::run(&self.config, &self.folder, port)?;
        Ok(())
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        // The server may have ended by itself.
        let _ = self.kill();
    }
}

impl Fleet {
    /// Starts a setup, and waits until all nodes are ready. `edges` says whether all nodes but the first are
    /// edges.
    pub async fn start(setup: Setup, settings: &[(&str, &str)], edges: bool) -> io::Result<Self> {
        let (mut nats, mut own) = (Vec::new(), settings.to_vec());
        let (replicas, urls): (String, String);
        if let Setup::Cluster(count) = setup {
            nats = servers(count).await?;
            replicas = count.to_string();
            urls = nats.iter().map(|nats| nats.url.as_str()).collect::<Vec<_>>().join(",");
            own.extend([("cluster.url", &*urls), ("cluster.replicas", &*replicas)]);
        }
        let settings = own.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let mut fleet = Self { nats, settings, nodes: Vec::new() };
        let count = if setup == Setup::Lone { 1 } else { NODES };
        for number in 0..count {
            fleet.add(edges && number > 0).await?;
        }
        Ok(fleet)
    }

    /// Starts one more node, and waits until it is ready.
    pub async fn add(&mut self, is_edge: bool) -> io::Result<()> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tickerplant"));
        command.args(["--listen", "127.0.0.1:0", "--log", "info"]).stdin(Stdio::piped());
        // This folder has no config.toml, so the node uses its defaults.
        command.current_dir(env!("CARGO_TARGET_TMPDIR"));
        let role = is_edge.then(|| ("cluster.role".to_owned(), "edge".to_owned()));
        let limits = ("limits.loopback".to_owned(), "false".to_owned());
        for (key, value) in self.settings.iter().cloned().chain(role).chain([limits]) {
            command.env(format!("TICKERPLANT_{}", key.to_uppercase().replace('.', "__")), value);
        }
        let node = Server::start(&mut command)?;
        let is_node = self.settings.iter().any(|(key, _)| key == "cluster.url");
        let address = node.address();
        self.nodes.push(node);
        let is_ready = async || {
            // A lone server with standard input has no feed state to wait for.
            !is_node || get(address, "/api/v1/cluster").await.is_ok_and(|view| view["caught_up"] == true)
        };
        until(is_ready, "a node is ready").await
    }

    /// Returns the URL of the first NATS server.
    pub fn nats_url(&self) -> Option<&str> {
        self.nats.first().map(|nats| &*nats.url)
    }

    /// Returns the index of the leader.
    pub async fn leader(&self) -> io::Result<usize> {
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            for (index, node) in self.nodes.iter().enumerate() {
                let view = get(node.address(), "/api/v1/cluster").await?;
                if view["leader"].is_string() && view["leader"] == view["node"] {
                    return Ok(index);
                }
            }
            sleep(Duration::from_millis(50)).await;
        }
        Err(io::Error::other("no node leads"))
    }

    /// Kills the NATS server that leads the stream. Returns its index.
    pub async fn kill_stream_leader(&mut self) -> io::Result<usize> {
        let client = async_nats::connect(&self.nats[0].url).await.map_err(io::Error::other)?;
        let context = async_nats::jetstream::new(client);
        let stream = context.get_stream("tickerplant_main").await.map_err(io::Error::other)?;
        let leader = stream.cached_info().cluster.as_ref().and_then(|cluster| cluster.leader.clone());
        let index = leader.and_then(|name| name.trim_start_matches('n').parse().ok());
        let index: usize = index.ok_or_else(|| io::Error::other("the stream has no leader"))?;
        self.nats[index].kill()?;
        Ok(index)
    }

    /// Starts a NATS server again that was killed.
    pub fn restart_nats(&mut self, index: usize) -> io::Result<()> {
        self.nats[index].restart()
    }

    /// Returns the standard input of the first node.
    pub fn input(&mut self) -> io::Result<ChildStdin> {
        self.nodes[0].input().ok_or_else(|| io::Error::other("the input is taken"))
    }

    /// Returns the newest sequence number of a node.
    pub async fn seq(&self, index: usize) -> io::Result<u64> {
        Ok(get(self.nodes[index].address(), "/api/v1/cluster").await?["seq"].as_u64().unwrap_or(0))
    }
}

/// Starts NATS servers, which form a cluster if there are several.
async fn servers(count: usize) -> io::Result<Vec<Nats>> {
    if count == 1 {
        return Ok(vec![Nats::start(String::new()).await?]);
    }
    let listeners = (0..count).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<io::Result<Vec<_>>>()?;
    let ports: io::Result<Vec<_>> =
        listeners.iter().map(|listener| Ok(listener.local_addr()?.port())).collect();
    drop(listeners);
    let ports = ports?;
    let routes = ports.iter().map(|port| format!("nats://127.0.0.1:{port}")).collect::<Vec<_>>().join(", ");
    let config = |(number, port): (usize, &u16)| {
        format!(
            "server_name: n{number}\ncluster {{ name: bench, listen: \"127.0.0.1:{port}\", routes: [{routes}] }}\n"
        )
    };
    let mut servers = Vec::new();
    for server in ports.iter().enumerate() {
        servers.push(Nats::start(config(server)).await?);
    }
    Ok(servers)
}

/// Waits until something is true, and asks every few milliseconds.
pub async fn until(mut is_true: impl AsyncFnMut() -> bool, what: &str) -> io::Result<()> {
    let begin = Instant::now();
    while !is_true().await {
        if begin.elapsed() > PATIENCE {
            return Err(io::Error::other(format!("it takes too long until {what}")));
        }
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Sends a request to a node, and returns the JSON of the answer.
pub async fn get(node: SocketAddr, path: &str) -> io::Result<Value> {
    request(node, &format!("GET {path}"), "").await
}

pub async fn request(node: SocketAddr, request: &str, body: &str) -> io::Result<Value> {
    let length = body.len();
    let mut socket = TcpStream::connect(node).await?;
    let head = format!("{request} HTTP/1.1\r\nHost: {node}\r\nConnection: close\r\nContent-Length: {length}");
    socket.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).await?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await?;
    let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    serde_json::from_str(body).map_err(io::Error::other)
}

/// Sends a signal to a process.
pub fn signal(node: &Server, name: &str) -> io::Result<()> {
    let status = Command::new("kill").args([format!("-{name}"), node.id().to_string()]).status()?;
    status.success().then_some(()).ok_or_else(|| io::Error::other("kill fails"))
}

/// Returns a folder for files of the benchmark.
pub fn folder() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}
