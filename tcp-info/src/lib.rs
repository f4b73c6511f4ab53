//! Reads when the other end of a TCP connection last acknowledged (`TCP_INFO` on Linux).
//!
//! A successful write does not prove that the other machine is reachable: the kernel fills its buffer even for a machine
//! that is gone. An acknowledgement proves it, whether the program on the other machine reads or not.
//!
//! This is a crate of its own because the system call is `unsafe`, which the rest of the project forbids.

use std::time::Duration;

/// The newest acknowledgement of the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledgements {
    /// The time since an acknowledgement last arrived.
    pub last: Duration,
    /// How many retransmissions, or probes of a full receive window, TCP has sent since without an acknowledgement.
    pub unanswered: u8,
}

/// Returns the newest acknowledgement of the other end; `None` for a socket that is not TCP, or when the call fails.
#[cfg(target_os = "linux")]
pub fn acknowledgements(socket: &impl std::os::fd::AsFd) -> Option<Acknowledgements> {
    let info = linux::info(socket.as_fd())?;
    Some(Acknowledgements {
        last: Duration::from_millis(info.tcpi_last_ack_recv.into()),
        unanswered: info.tcpi_retransmits.max(info.tcpi_probes),
    })
}

/// Returns `None`, because this system has no `TCP_INFO`.
#[cfg(not(target_os = "linux"))]
pub fn acknowledgements<S>(_socket: &S) -> Option<Acknowledgements> {
    None
}

#[cfg(target_os = "linux")]
mod linux {
    use std::mem::MaybeUninit;
    use std::os::fd::{AsRawFd, BorrowedFd};

    /// Returns the kernel's information on a TCP connection. Fields that an old kernel does not know are 0.
    #[allow(unsafe_code)]
    pub fn info(socket: BorrowedFd<'_>) -> Option<libc::tcp_info> {
        let mut info = MaybeUninit::<libc::tcp_info>::zeroed();
        let mut length = libc::socklen_t::try_from(size_of::<libc::tcp_info>()).ok()?;
        // SAFETY: the descriptor is open while it is borrowed. The kernel writes at most `length` bytes, the size of
        // `info`.
        let status = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::IPPROTO_TCP,
                libc::TCP_INFO,
                info.as_mut_ptr().cast(),
                &raw mut length,
            )
        };
        // SAFETY: every field is a number, for which all bytes are valid, and all bytes were zeroed before the call.
        (status == 0).then(|| unsafe { info.assume_init() })
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::Write;
    use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
    use std::os::unix::net::UnixStream;
    use std::thread::yield_now;
    use std::time::Instant;

    use socket2::{SockFilter, SockRef};

    use super::*;

    /// A test that waits for this long has failed.
    const TIMEOUT: Duration = Duration::from_secs(30);

    /// Longer than a reachable machine takes to acknowledge.
    const MOMENT: Duration = Duration::from_millis(100);

    /// A packet filter that drops every incoming packet: `BPF_RET | BPF_K` with 0 bytes.
    const NOTHING: SockFilter = SockFilter::new(6, 0, 0, 0);

    fn connection() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (listener.accept().unwrap().0, client)
    }

    fn wait_for(socket: &TcpStream, is_met: impl Fn(Acknowledgements) -> bool) {
        let begin = Instant::now();
        while !is_met(acknowledgements(socket).unwrap()) {
            assert!(begin.elapsed() < TIMEOUT, "{:?}", acknowledgements(socket));
            yield_now();
        }
    }

    #[test]
    fn a_reachable_machine_acknowledges_even_when_its_program_does_not_read() {
        let (mut server, _client) = connection();
        wait_for(&server, |found| found.last >= 2 * MOMENT);

        let written = Instant::now();
        server.write_all(b"news").unwrap();

        wait_for(&server, |found| found.last < written.elapsed() + MOMENT);
        assert_eq!(acknowledgements(&server).unwrap().unanswered, 0);
    }

    #[test]
    fn retransmissions_to_a_vanished_machine_stay_unanswered() {
        let (mut server, client) = connection();
        SockRef::from(&client).attach_filter(&[NOTHING]).unwrap();

        server.write_all(b"news").unwrap();

        wait_for(&server, |found| found.unanswered >= 2);
    }

    #[test]
    fn window_probes_to_a_vanished_machine_stay_unanswered() {
        let (mut server, client) = connection();
        server.set_nonblocking(true).unwrap();
        while server.write(&[0; 4096]).is_ok() {}
        // Wait until all bytes that fit into the receive buffer have been acknowledged.
        wait_for(&server, |found| found.last >= MOMENT);

        SockRef::from(&client).attach_filter(&[NOTHING]).unwrap();

        wait_for(&server, |found| found.unanswered >= 2);
    }

    #[test]
    fn a_socket_that_is_not_tcp_has_no_acknowledgements() {
        assert_eq!(acknowledgements(&UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()), None);
        assert_eq!(acknowledgements(&UnixStream::pair().unwrap().0), None);
    }
}
