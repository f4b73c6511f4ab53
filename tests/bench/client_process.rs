//! Runs clients in a process of their own. When the process is killed, the operating system closes the
//! sockets of all clients at once.
//!
//! The process runs the same executable as the benchmark. The first command-line argument tells the
//! executable to run clients instead of the benchmark.

use std::env;
use std::io::{self, Read};
use std::process::{Child, Command, Stdio};

/// A process with clients. Dropping this value kills the process.
pub struct ClientProcess(Child);

impl ClientProcess {
    /// Starts the process with these command-line arguments, and waits until all its clients are connected.
    pub fn start(args: &str) -> io::Result<Self> {
        let child = Command::new(env::current_exe()?).args(args.split(' ')).stdout(Stdio::piped()).spawn()?;
        let mut process = Self(child);
        // The process writes one byte when all clients are connected. If a client cannot connect, the process
        // ends without writing a byte.
        process.0.stdout.take().expect("its standard output is piped").read_exact(&mut [0])?;
        Ok(process)
    }
}

impl Drop for ClientProcess {
    fn drop(&mut self) {
        // The process may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
