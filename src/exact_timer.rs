//! A timer for waits of a few milliseconds.
//!
//! Tokio's timer has a resolution of 1 ms and rounds up, so a wait of 2 ms may take 3 ms. On Linux, the exact
//! timer uses the system's own timer (`timerfd`), which is exact to about 0.1 ms. Each wait costs two system
//! calls.

use tokio::time::{self, Instant};

/// A timer that is as exact as the system allows.
#[derive(Debug, Default)]
pub struct ExactTimer {
    #[cfg(target_os = "linux")]
    system: Option<linux::SystemTimer>,
}

impl ExactTimer {
    /// Returns a timer. If `has_system_clock` is false, or if no file descriptor is free, the timer is
    /// tokio's.
    #[cfg(target_os = "linux")]
    pub fn new(has_system_clock: bool) -> Self {
        Self { system: has_system_clock.then(linux::SystemTimer::new).and_then(Result::ok) }
    }

    /// Returns tokio's timer.
    #[cfg(not(target_os = "linux"))]
    pub fn new(_has_system_clock: bool) -> Self {
        Self {}
    }

    /// Waits until `due`. If the wait is cancelled, the next call starts a new wait.
    pub async fn sleep_until(&mut self, due: Instant) {
        #[cfg(target_os = "linux")]
        if let Some(system) = &mut self.system
            && system.sleep_until(due).await.is_ok()
        {
            return;
        }
        time::sleep_until(due).await;
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io;
    use std::time::Duration;

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use tokio::net::unix::pipe::Receiver;
    use tokio::time::Instant;

    /// A `timerfd` of the kernel.
    #[derive(Debug)]
    pub(super) struct SystemTimer {
        /// The kernel's timer. The timer has the type of a pipe, because a due timer becomes readable like a
        /// pipe. The alternative, tokio's `AsyncFd`, would need `unsafe` code.
        timer: Receiver,
        /// The instant for which the kernel's timer is set.
        set_for: Option<Instant>,
    }

    impl SystemTimer {
        pub fn new() -> io::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            Ok(Self { timer: Receiver::from_owned_fd_unchecked(timer)?, set_for: None })
        }

        pub(super) async fn sleep_until(&mut self, due: Instant) -> io::Result<()> {
            if self.set_for != Some(due) {
                // A wait of zero would switch the timer off.
                let wait = due.saturating_duration_since(Instant::now()).max(Duration::from_nanos(1));
                let it_value = Timespec::try_from(wait).map_err(io::Error::other)?;
                let it_interval = Timespec { tv_sec: 0, tv_nsec: 0 };
                let once = Itimerspec { it_interval, it_value };
                timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)?;
                self.set_for = Some(due);
            }
            loop {
                self.timer.readable().await?;
                match self.timer.try_read(&mut [0; 8]) {
                    Ok(_) => {
                        self.set_for = None;
                        return Ok(());
                    }
                    // The timer was ready for an earlier wait.
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_wait_ends_when_it_is_due_even_after_a_cancelled_wait() {
        for has_system_clock in [true, false] {
            let mut timer = ExactTimer::new(has_system_clock);
            let start = Instant::now();

            tokio::select! {
                () = timer.sleep_until(start + Duration::from_hours(1)) => unreachable!("the other branch is ready"),
                () = std::future::ready(()) => {}
            }
            for millis in [2, 1, 5] {
                let due = start + Duration::from_millis(millis);
                timer.sleep_until(due).await;
                assert!(Instant::now() >= due, "{millis}");
            }
        }
    }
}
