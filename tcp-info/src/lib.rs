//! What TCP says of the other end of a connection, by the `TCP_INFO` of Linux.
//!
//! A write that the kernel takes proves nothing: it takes as much as its buffer holds for a machine that is long gone.
//! What the other machine acknowledges does prove that it is there, whether its program reads or not.
//!
//! This is a crate of its own because the call is `unsafe`, which the rest of the project forbids.

use std::time::Duration;

/// What the other end of a connection has acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledgements {
    /// How long ago an acknowledgement arrived.
    pub last: Duration,
    /// How many times in a row TCP has sent the same bytes again, or asked whether there is room for more, without an
    /// acknowledgement.
    pub unanswered: u8,
}

/// Returns what the other end has acknowledged; `None` where the system does not say it, and for what is no TCP socket.
#[cfg(target_os = "linux")]
pub fn acknowledgements(socket: &impl std::os::fd::AsFd) -> Option<Acknowledgements> {
    let info = linux::info(socket.as_fd())?;
    Some(Acknowledgements {
        last: Duration::from_millis(info.tcpi_last_ack_recv.into()),
        unanswered: info.tcpi_retransmits.max(info.tcpi_probes),
    })
}

/// Returns `None`: this system does not say it.
#[cfg(not(target_os = "linux"))]
pub fn acknowledgements<S>(_socket: &S) -> Option<Acknowledgements> {
    None
}

#[cfg(target_os = "linux")]
mod linux {
    use std::mem::MaybeUninit;
    use std::os::fd::{AsRawFd, BorrowedFd};

    /// Returns the kernel's notes on a TCP connection. Those that an old kernel does not keep are 0.
    #[allow(unsafe_code)]
    pub fn info(socket: BorrowedFd<'_>) -> Option<libc::tcp_info> {
        let mut info = MaybeUninit::<libc::tcp_info>::zeroed();
        let mut length = libc::socklen_t::try_from(size_of::<libc::tcp_info>()).ok()?;
        // SAFETY: the descriptor is open for as long as it is borrowed, and the kernel writes at most `length` bytes to
        // `info`, which has as many.
        let status = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::IPPROTO_TCP,
                libc::TCP_INFO,
                info.as_mut_ptr().cast(),
                &raw mut length,
            )
        };
        // SAFETY: all of it is numbers, for which any bytes do, and its bytes were zeroed before some were written.
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

    /// Longer than anything here takes: a test that waits for so long has failed.
    const PATIENCE: Duration = Duration::from_secs(30);

    /// Longer than a machine that is there takes to acknowledge.
    const MOMENT: Duration = Duration::from_millis(100);

    /// The filter that lets no packet in: `BPF_RET | BPF_K`, of 0 bytes.
    const NOTHING: SockFilter = SockFilter::new(6, 0, 0, 0);

    fn connection() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (listener.accept().unwrap().0, client)
    }

    fn wait_for(socket: &TcpStream, is_met: impl Fn(Acknowledgements) -> bool) {
        let begin = Instant::now();
        while !is_met(acknowledgements(socket).unwrap()) {
            assert!(begin.elapsed() < PATIENCE, "{:?}", acknowledgements(socket));
            yield_now();
        }
    }

    #[test]
    fn a_machine_that_is_there_acknowledges_though_its_program_does_not_read() {
        let (mut server, _client) = connection();
        wait_for(&server, |found| found.last >= 2 * MOMENT);

        let written = Instant::now();
        server.write_all(b"news").unwrap();

        wait_for(&server, |found| found.last < written.elapsed() + MOMENT);
        assert_eq!(acknowledgements(&server).unwrap().unanswered, 0);
    }

    #[test]
    fn a_machine_that_is_gone_leaves_bytes_that_are_sent_again_unanswered() {
        let (mut server, client) = connection();
        SockRef::from(&client).attach_filter(&[NOTHING]).unwrap();

        server.write_all(b"news").unwrap();

        wait_for(&server, |found| found.unanswered >= 2);
    }

    #[test]
    fn a_machine_that_is_gone_leaves_questions_for_room_unanswered() {
        let (mut server, client) = connection();
        server.set_nonblocking(true).unwrap();
        while server.write(&[0; 4096]).is_ok() {}
        // All that it has room for has been acknowledged.
        wait_for(&server, |found| found.last >= MOMENT);

        SockRef::from(&client).attach_filter(&[NOTHING]).unwrap();

        wait_for(&server, |found| found.unanswered >= 2);
    }

    #[test]
    fn what_is_no_tcp_socket_says_nothing() {
        assert_eq!(acknowledgements(&UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()), None);
        assert_eq!(acknowledgements(&UnixStream::pair().unwrap().0), None);
    }
}
