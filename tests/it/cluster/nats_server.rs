//! Runs NATS servers with JetStream, if the environment names one.

use std::env;
use std::ffi::OsString;
use std::fs as files;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;
use tokio::fs;
use tokio::process::{Child, Command};
use tokio::task::yield_now;
use tokio::time::timeout;

use super::PATIENCE;

/// A running server.
pub struct NatsServer {
    url: String,
    program: OsString,
    folder: TempDir,
    /// The size of a disk of its own, such as `6M`; `None` if the server has the disk of the machine.
    disk: Option<&'static str>,
    process: Child,
}

/// Returns the program of the server. Returns `None` if the variable `NATS_SERVER` does not name the program;
/// `tests/cluster/run` sets it.
fn program() -> Option<OsString> {
    let program = env::var_os("NATS_SERVER");
    if program.is_none() {
        println!("skipped: NATS_SERVER does not name a NATS server; tests/cluster/run installs one");
    }
    program
}

impl NatsServer {
    /// Starts a server on a free port. Returns `None` if there is no server to start.
    pub async fn start() -> Option<Self> {
        Self::configured("").await
    }

    /// Starts a server with the lines of a configuration file.
    pub async fn configured(config: &str) -> Option<Self> {
        Some(Self::of(program()?, config, None).await)
    }

    /// Starts a server that stores its streams on a disk of this size. Returns `None` if the machine does not let
    /// the test mount one.
    pub async fn with_disk(size: &'static str) -> Option<Self> {
        let program = program()?;
        let status = Command::new("unshare").args(["-Urm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).status();
        if !status.await.is_ok_and(|status| status.success()) {
            println!("skipped: this machine lets no test mount a disk (unshare -Urm)");
            return None;
        }
        // Without this, the server stores no more than three quarters of the disk.
        let config = "jetstream { max_file_store: 1GB }";
        Some(Self::of(program, config, Some(size)).await)
    }

    /// Starts a server of the version before the oldest one that nodes accept.
    pub async fn too_old() -> Option<Self> {
        let Some(program) = env::var_os("NATS_SERVER_TOO_OLD") else {
            println!("skipped: NATS_SERVER_TOO_OLD does not name a NATS server");
            return None;
        };
        Some(Self::of(program, "", None).await)
    }

    /// Starts three servers that form one cluster.
    pub async fn three() -> Option<[Self; 3]> {
        let program = program()?;
        // The ports are free now, and the servers have to know each other's ports from the start.
        let listeners = [0; 3].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
        let ports = listeners.each_ref().map(|listener| listener.local_addr().unwrap().port());
        drop(listeners);
        let routes = ports.map(|port| format!("nats://127.0.0.1:{port}")).join(", ");
        let start = async |number: usize| {
            let config = format!(
                "server_name: n{number}\ncluster {{ name: test, listen: \"127.0.0.1:{}\", routes: [{routes}] }}",
                ports[number]
            );
            Self::of(program.clone(), &config, None).await
        };
        Some([start(0).await, start(1).await, start(2).await])
    }

    async fn of(program: OsString, config: &str, disk: Option<&'static str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // A server without JetStream is configured by name.
        let jetstream = if config.contains("jetstream") { "" } else { "jetstream: enabled\n" };
        files::write(folder.path().join("config"), format!("{jetstream}{config}\n")).unwrap();
        let process = run(&program, &folder, "-1", disk);
        let url = url(&folder, &process).await;
        Self { url, program, folder, disk, process }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn port(&self) -> u16 {
        self.url.rsplit_once(':').unwrap().1.parse().unwrap()
    }

    /// Ends the server at once.
    pub async fn kill(&mut self) {
        self.process.kill().await.unwrap();
    }

    /// Ends the server at once, and starts it again on the same port with the same files.
    pub async fn restart(&mut self) {
        self.kill().await;
        self.process = run(&self.program, &self.folder, &self.port().to_string(), self.disk);
    }

    /// Returns the path of a new file in the server's folder.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        files::write(&path, text).unwrap();
        path
    }
}

fn run(program: &OsString, folder: &TempDir, port: &str, disk: Option<&str>) -> Child {
    let path = |name: &str| folder.path().join(name);
    let mut command = Command::new(program);
    if let Some(size) = disk {
        files::create_dir_all(path("stream")).unwrap();
        let mount = r#"mount -t tmpfs -o "size=$0" tmpfs "$1" && shift && exec "$@""#;
        command = Command::new("unshare");
        command.args(["-Urm", "sh", "-c", mount, size]).arg(path("stream")).arg(program);
    }
    command
        .args(["-a", "127.0.0.1", "-p", port, "-c"])
        .arg(path("config"))
        .arg("-sd")
        .arg(path("stream"))
        .arg("--ports_file_dir")
        .arg(folder.path())
        .kill_on_drop(true)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Waits for the file in which the server tells its port, and returns the URL.
async fn url(folder: &TempDir, process: &Child) -> String {
    let file = folder.path().join(format!("nats-server_{}.ports", process.id().unwrap()));
    let told = async {
        loop {
            let ports =
                fs::read(&file).await.ok().and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
            let kinds = ["nats", "tls"].map(|kind| ports.as_ref().and_then(|ports| ports[kind][0].as_str()));
            if let Some(url) = kinds.into_iter().flatten().next() {
                return url.to_owned();
            }
            yield_now().await;
        }
    };
    timeout(PATIENCE, told).await.expect("the server tells its port")
}
