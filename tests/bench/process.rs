//! Runs a server in a process of its own, and reads its CPU time and memory from `/proc`.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{self, Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

/// How long a server may take to log its address.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// The maximum number of unread log lines that are stored. Further lines are dropped.
const LOG_LINES: usize = 256;

/// A running server. Dropping this value kills the server's process.
pub struct Server {
    child: Child,
    address: SocketAddr,
    log: Receiver<String>,
}

impl Server {
    /// Starts a server, and waits until it logs its address.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let lines = BufReader::new(child.stderr.take().expect("its standard error is piped")).lines();
        let (keep, log) = mpsc::sync_channel(LOG_LINES);
        // The thread reads the log until the process ends. Otherwise a full pipe would block the process.
        thread::spawn(move || lines.map_while(Result::ok).for_each(|line| drop(keep.try_send(line))));
        let mut server = Self { child, address: ([127, 0, 0, 1], 0).into(), log };
        server.address = server.listening()?;
        Ok(server)
    }

    /// Returns the server's standard input, or `None` if the server was started without a pipe for it. Only
    /// the first call returns the standard input.
    pub fn input(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// Returns the address on which the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the id of the server's process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns the CPU time of all threads of the server.
    pub fn cpu(&self) -> io::Result<Duration> {
        cpu(&self.proc(), |_| true)
    }

    /// Returns the CPU time of the server's threads with this name.
    pub fn thread_cpu(&self, name: &str) -> io::Result<Duration> {
        cpu(&self.proc(), |thread| thread == name)
    }

    /// Returns the server's resident memory, in KiB.
    pub fn memory(&self) -> io::Result<u32> {
        self.status("VmRSS:")
    }

    /// Returns the server's greatest resident memory so far, in KiB.
    pub fn peak_memory(&self) -> io::Result<u32> {
        self.status("VmHWM:")
    }

    /// Returns the warnings and errors that the server has logged since the last call.
    pub fn warnings(&self) -> Vec<String> {
        let is_warning = |line: &String| line.contains(" WARN ") || line.to_lowercase().contains("error");
        self.log.try_iter().filter(is_warning).collect()
    }

    /// Sends SIGTERM to the server, as a service manager does.
    pub fn terminate(&self) -> io::Result<()> {
        let status = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        status.success().then_some(()).ok_or_else(|| io::Error::other("kill cannot stop the server"))
    }

    /// Returns the exit status of the server, or `None` while the server runs.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Waits for the log line with the server's address, and returns the address.
    fn listening(&self) -> io::Result<SocketAddr> {
        let mut log = String::new();
        while let Ok(line) = self.log.recv_timeout(START_TIMEOUT) {
            let address = line.split_once("address=").and_then(|(_, rest)| rest.split(' ').next());
            match address.and_then(|address| address.parse().ok()) {
                Some(address) => return Ok(address),
                None => log.push_str(&line),
            }
        }
        Err(io::Error::other(format!("the server does not log its address; its log: {log}")))
    }

    /// Returns the value, in KiB, that has this name in `/proc/PID/status`.
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
        // The server may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Moves this process to the cores that the servers do not use. If the servers use all cores, this process
/// may use all cores, too. Returns the servers' cores, or `None` if `taskset` fails.
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
    println!("taskset cannot set the cores: servers and clients run where the system puts them");
    None
}

/// Returns the CPU time of this process.
pub fn own_cpu() -> io::Result<Duration> {
    cpu("/proc/self", |_| true)
}

/// Returns the CPU time of all threads of a process whose names `is_counted` accepts. The first number in
/// `task/*/schedstat` is a thread's CPU time in nanoseconds.
fn cpu(proc: &str, is_counted: impl Fn(&str) -> bool) -> io::Result<Duration> {
    let mut total = 0;
    for task in fs::read_dir(Path::new(proc).join("task"))? {
        let task = task?.path();
        if !is_counted(fs::read_to_string(task.join("comm"))?.trim_end()) {
            continue;
        }
        let schedstat = fs::read_to_string(task.join("schedstat"))?;
        let nanos: Option<u64> = schedstat.split(' ').next().and_then(|nanos| nanos.parse().ok());
        total += nanos.ok_or_else(|| io::Error::other("no time in schedstat"))?;
    }
    Ok(Duration::from_nanos(total))
}
