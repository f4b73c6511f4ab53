//! The server under load: a process of its own, and what the system says of it.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{self, Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

/// How long a server may take to say where it listens.
const START: Duration = Duration::from_secs(10);

/// Lines of a server's log that are kept until somebody asks; what does not fit is dropped.
const LOG_LINES: usize = 256;

/// A running server. Dropped, it is killed.
pub struct Server {
    child: Child,
    address: SocketAddr,
    log: Receiver<String>,
}

impl Server {
    /// Starts a server, and waits until it says where it listens.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let lines = BufReader::new(child.stderr.take().expect("its standard error is piped")).lines();
        let (keep, log) = mpsc::sync_channel(LOG_LINES);
        // It ends with the process, whose log it must read to the end so that the process never waits.
        thread::spawn(move || lines.map_while(Result::ok).for_each(|line| drop(keep.try_send(line))));
        let mut server = Self { child, address: ([127, 0, 0, 1], 0).into(), log };
        server.address = server.listening()?;
        Ok(server)
    }

    /// What it reads its events from, where the command has it piped; once.
    pub fn input(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The time that its threads have had on a core.
    pub fn cpu(&self) -> io::Result<Duration> {
        cpu(&self.proc())
    }

    /// Its resident memory, in KiB.
    pub fn memory(&self) -> io::Result<u32> {
        self.status("VmRSS:")
    }

    /// The most that its resident memory ever was, in KiB.
    pub fn peak_memory(&self) -> io::Result<u32> {
        self.status("VmHWM:")
    }

    /// Warnings and errors that it has logged since they were last asked for.
    pub fn warnings(&self) -> Vec<String> {
        let is_warning = |line: &String| line.contains(" WARN ") || line.to_lowercase().contains("error");
        self.log.try_iter().filter(is_warning).collect()
    }

    /// Asks it to stop, as a service manager does.
    pub fn terminate(&self) -> io::Result<()> {
        let status = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        status.success().then_some(()).ok_or_else(|| io::Error::other("kill cannot stop the server"))
    }

    /// How it ended, where it has.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Waits for the line of the log that says where it listens.
    fn listening(&self) -> io::Result<SocketAddr> {
        let mut said = String::new();
        while let Ok(line) = self.log.recv_timeout(START) {
            let address = line.split_once("address=").and_then(|(_, rest)| rest.split(' ').next());
            match address.and_then(|address| address.parse().ok()) {
                Some(address) => return Ok(address),
                None => said.push_str(&line),
            }
        }
        Err(io::Error::other(format!("the server does not say where it listens; it said: {said}")))
    }

    /// The KiB that `/proc` says behind a name.
    fn status(&self, name: &str) -> io::Result<u32> {
        let status = fs::read_to_string(format!("{}/status", self.proc()))?;
        let kib = status.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB"));
        kib.and_then(|kib| kib.parse().ok()).ok_or_else(|| io::Error::other(format!("no {name} in /proc")))
    }

    fn proc(&self) -> String {
        format!("/proc/{}", self.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Keeps this process off the servers' cores, where there are others; returns the servers' cores, where they can be
/// fixed at all.
pub fn pin(cores: &str) -> Option<String> {
    let count = thread::available_parallelism().map_or(1, usize::from);
    let is_servers = |core: &String| cores.split(',').any(|taken| taken.trim() == core);
    let mut others: Vec<_> =
        (0..count).map(|core| core.to_string()).filter(|core| !is_servers(core)).collect();
    if others.is_empty() {
        others = (0..count).map(|core| core.to_string()).collect();
    }
    let taskset = Command::new("taskset")
        .args(["--cpu-list", "--pid", &others.join(","), &process::id().to_string()])
        .stdout(Stdio::null())
        .status();
    if taskset.is_ok_and(|status| status.success()) {
        println!("servers on core {cores}, clients on core {}", others.join(","));
        return Some(cores.to_owned());
    }
    println!("servers and clients run wherever the system puts them: taskset cannot fix their cores");
    None
}

/// The time that this process's threads have had on a core.
pub fn own_cpu() -> io::Result<Duration> {
    cpu("/proc/self")
}

/// The sum of `task/*/schedstat`, whose first number is nanoseconds on a core.
fn cpu(proc: &str) -> io::Result<Duration> {
    let mut total = 0;
    for task in fs::read_dir(Path::new(proc).join("task"))? {
        let schedstat = fs::read_to_string(task?.path().join("schedstat"))?;
        let nanos: Option<u64> = schedstat.split(' ').next().and_then(|nanos| nanos.parse().ok());
        total += nanos.ok_or_else(|| io::Error::other("no time in schedstat"))?;
    }
    Ok(Duration::from_nanos(total))
}
