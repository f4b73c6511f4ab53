//! Runs a NATS server with JetStream, if the environment names one.

use std::env;
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
    folder: TempDir,
    process: Child,
}

impl NatsServer {
    /// Starts a server on a free port. Returns `None` if the variable `NATS_SERVER` does not name the program;
    /// `tests/cluster/run` sets it.
    pub async fn start() -> Option<Self> {
        let Some(program) = env::var_os("NATS_SERVER") else {
            println!("skipped: NATS_SERVER does not name a NATS server; tests/cluster/run installs one");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let process = run(&program.into(), &folder, "-1");
        let url = url(&folder, &process).await;
        Some(Self { url, folder, process })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Ends the server at once, and starts it again on the same port with the same files.
    pub async fn restart(&mut self) {
        self.process.kill().await.unwrap();
        let port = self.url.rsplit_once(':').unwrap().1.to_owned();
        self.process = run(&env::var_os("NATS_SERVER").unwrap().into(), &self.folder, &port);
    }
}

fn run(program: &PathBuf, folder: &TempDir, port: &str) -> Child {
    let path = |name| folder.path().join(name);
    Command::new(program)
        .args(["-a", "127.0.0.1", "-p", port, "-js", "-sd"])
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
            if let Some(url) = ports.as_ref().and_then(|ports| ports["nats"][0].as_str()) {
                return url.to_owned();
            }
            yield_now().await;
        }
    };
    timeout(PATIENCE, told).await.expect("the server tells its port")
}
