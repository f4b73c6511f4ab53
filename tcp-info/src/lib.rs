//! Finds out whether the machine at the other end of a TCP connection is reachable (Linux only).
//!
//! A successful write does not prove that the other machine is reachable. The kernel accepts bytes into its
//! send buffer even if the other machine is gone. A TCP acknowledgement proves that the other machine is
//! reachable, even if the program there does not read.
//!
//! This code is a separate crate because its system calls need `unsafe`, which the rest of the project
//! forbids.

use std::time::Duration;

/// The state of the TCP acknowledgements from the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledgements {
    /// The time since the newest acknowledgement arrived.
    pub last: Duration,
    /// The number of unanswered retransmissions or of unanswered window probes, whichever is greater. A
    /// window probe asks whether a full receive window has room again.
    pub unanswered: u8,
}

/// Returns the state of the acknowledgements from the other end. Returns `None` if the socket is not a TCP
/// socket, or if the system call fails.
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

/// Limits the time between two TCP retransmissions, and between two probes of a full receive window. Returns
/// whether the kernel accepted the limit.
///
/// Without this limit, TCP doubles the waiting time after each retransmission or probe, up to two minutes. If
/// a client stops reading, TCP thus probes the client's receive window more and more rarely. With such rare
/// probes, the server would notice late that the client's machine is gone.
///
/// An accepted connection inherits the limit of its listener. Linux supports the limit from version 6.15 on.
/// The kernel accepts only limits from 1 s to 120 s, so this function clamps `limit` to that range.
#[cfg(target_os = "linux")]
pub fn limit_retransmission_interval(socket: &impl std::os::fd::AsFd, limit: Duration) -> bool {
    linux::set_max_retransmission_timeout(
        socket.as_fd(),
        limit.clamp(Duration::from_secs(1), Duration::from_mins(2)),
    )
}

/// Returns false, because this operating system cannot limit the time between retransmissions.
#[cfg(not(target_os = "linux"))]
pub fn limit_retransmission_interval<S>(_socket: &S, _limit: Duration) -> bool {
    false
}

#[cfg(target_os = "linux")]
mod linux {
    use std::mem::MaybeUninit;
    use std::os::fd::{AsRawFd, BorrowedFd};
    use std::time::Duration;

    /// The socket option `TCP_RTO_MAX_MS` of `linux/tcp.h`, which sets the longest retransmission timeout in
    /// milliseconds.
    pub const TCP_RTO_MAX_MS: libc::c_int = 44;

    /// Returns the kernel's information on a TCP connection. Fields that an old kernel does not know are 0.
    #[allow(unsafe_code)]
    pub fn info(socket: BorrowedFd<'_>) -> Option<libc::tcp_info> {
        let mut info = MaybeUninit::<libc::tcp_info>::zeroed();
        let mut length = libc::socklen_t::try_from(size_of::<libc::tcp_info>()).ok()?;
        // SAFETY: the descriptor is open while it is borrowed. The kernel writes at most `length` bytes, the
        // size of `info`.
        let status = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::IPPROTO_TCP,
                libc::TCP_INFO,
                info.as_mut_ptr().cast(),
                &raw mut length,
            )
        };
        // SAFETY: all bytes were zeroed before the call. Every field is a number, so all values of the bytes
        // are valid.
        (status == 0).then(|| unsafe { info.assume_init() })
    }

    /// Sets the longest retransmission timeout; returns whether the kernel accepted the timeout.
    #[allow(unsafe_code)]
    pub fn set_max_retransmission_timeout(socket: BorrowedFd<'_>, timeout: Duration) -> bool {
        let Ok(milliseconds) = libc::c_int::try_from(timeout.as_millis()) else { return false };
        let Ok(length) = libc::socklen_t::try_from(size_of_val(&milliseconds)) else { return false };
        // SAFETY: the descriptor is open while it is borrowed. The kernel reads `length` bytes, the size
        // of `milliseconds`.
        let status = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::IPPROTO_TCP,
                TCP_RTO_MAX_MS,
                (&raw const milliseconds).cast(),
                length,
            )
        };
        status == 0
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::Write;
    use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;
    use std::thread::yield_now;
    use std::time::Instant;

    use socket2::{SockFilter, SockRef};

    use super::*;

    /// A test that waits for this long has failed.
    const TIMEOUT: Duration = Duration::from_secs(30);

    /// The tests assume that a reachable machine acknowledges received bytes within this time.
    const MOMENT: Duration = Duration::from_millis(100);

    /// A packet filter that drops every incoming packet: its only instruction, `BPF_RET | BPF_K`, keeps 0
    /// bytes of a packet.
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

    #[allow(unsafe_code)]
    fn max_retransmission_timeout(socket: &TcpStream) -> Duration {
        let mut milliseconds = 0_u32;
        let mut length = libc::socklen_t::try_from(size_of_val(&milliseconds)).unwrap();
        // SAFETY: the descriptor is open while it is borrowed. The kernel writes at most `length` bytes, the
        // size of `milliseconds`.
        let status = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::IPPROTO_TCP,
                linux::TCP_RTO_MAX_MS,
                (&raw mut milliseconds).cast(),
                &raw mut length,
            )
        };
        assert_eq!(status, 0);
        Duration::from_millis(milliseconds.into())
    }

    #[test]
    fn an_accepted_connection_has_the_limit_of_its_listener() {
        for (limit, expected) in [(0, 1), (15, 15), (3600, 120)] {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            if !limit_retransmission_interval(&listener, Duration::from_secs(limit)) {
                println!(
                    "skipped: this kernel cannot limit the time between retransmissions (Linux 6.15 can)"
                );
                return;
            }

            let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();

            assert_eq!(
                max_retransmission_timeout(&listener.accept().unwrap().0),
                Duration::from_secs(expected)
            );
        }
    }

    #[test]
    fn a_socket_that_is_not_tcp_has_no_acknowledgements() {
        assert_eq!(acknowledgements(&UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()), None);
        assert_eq!(acknowledgements(&UnixStream::pair().unwrap().0), None);
    }
}
