//! Clients in a process of their own: where it is killed, the system closes all their sockets at once.
//!
//! The process is the benchmark's own executable, which its arguments tell what to do.

use std::env;
use std::io::{self, Read};
use std::process::{Child, Command, Stdio};

/// The process. Dropped, it is killed.
pub struct Crowd(Child);

impl Crowd {
    /// Starts the process with these arguments, and waits until all its clients are connected.
    pub fn start(args: &str) -> io::Result<Self> {
        let child = Command::new(env::current_exe()?).args(args.split(' ')).stdout(Stdio::piped()).spawn()?;
        let mut crowd = Self(child);
        // One byte says that they are connected, and none that they could not.
        crowd.0.stdout.take().expect("its standard output is piped").read_exact(&mut [0])?;
        Ok(crowd)
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
