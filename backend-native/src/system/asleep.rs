//! How long the machine has slept, and an alarm that rings when it wakes up.
//!
//! Linux, Android and Apple's systems have two clocks that differ by the time asleep. Windows
//! has one clock, which goes on during sleep; so a deadline is late after sleep. On other
//! systems the time asleep is not known.

#![allow(
    unsafe_code,
    reason = "clock_gettime and timerfd, which the standard library does not have"
)]

use std::time::Duration;

#[cfg(unix)]
pub(crate) use unix::slept;

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use linux::Alarm;

/// Nothing is known.
#[cfg(not(unix))]
pub(crate) fn slept() -> Option<Duration> {
    None
}

#[cfg(unix)]
mod unix {
    use std::mem::MaybeUninit;

    use super::Duration;

    /// The clock that counts sleep, and the one that does not.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const CLOCKS: Option<[libc::clockid_t; 2]> =
        Some([libc::CLOCK_BOOTTIME, libc::CLOCK_MONOTONIC]);
    #[cfg(target_vendor = "apple")]
    const CLOCKS: Option<[libc::clockid_t; 2]> =
        Some([libc::CLOCK_MONOTONIC_RAW, libc::CLOCK_UPTIME_RAW]);
    #[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
    const CLOCKS: Option<[libc::clockid_t; 2]> = None;

    /// How long the machine has slept since it was started; `None` where that is not known.
    /// It is a little less if this thread is interrupted.
    pub(crate) fn slept() -> Option<Duration> {
        let [with_sleep, without] = CLOCKS?;
        let with_sleep = time(with_sleep)?;
        Some(with_sleep.saturating_sub(time(without)?))
    }

    fn time(clock: libc::clockid_t) -> Option<Duration> {
        let mut time = MaybeUninit::<libc::timespec>::uninit();
        // SAFETY: the pointer is to a place for a `timespec`, which the call fills.
        let result = unsafe { libc::clock_gettime(clock, time.as_mut_ptr()) };
        if result != 0 {
            return None;
        }
        // SAFETY: a call that succeeded has filled it.
        let time = unsafe { time.assume_init() };
        let seconds = u64::try_from(time.tv_sec).ok()?;
        let nanoseconds = u32::try_from(time.tv_nsec).ok()?;
        Some(Duration::new(seconds, nanoseconds))
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux {
    use std::fs::File;
    use std::io::{self, Read};
    use std::mem::MaybeUninit;
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
    use std::ptr;

    use mio::unix::SourceFd;
    use mio::{Interest, Registry, Token};

    /// A timer for the end of all time. The system cancels it when the date jumps, which it
    /// does after each sleep.
    #[derive(Debug)]
    pub(crate) struct Alarm(File);

    impl Alarm {
        /// An alarm that rings by this token; `None` if there can be none.
        pub(crate) fn new(registry: &Registry, token: Token) -> Option<Self> {
            let timer = timer().ok()?;
            let descriptor = timer.as_raw_fd();
            registry
                .register(&mut SourceFd(&descriptor), token, Interest::READABLE)
                .ok()?;
            Some(Alarm(File::from(timer)))
        }

        /// It rang, and is to ring again.
        pub(crate) fn reset(&self) {
            // The error says that the date has jumped.
            let _ = (&self.0).read(&mut [0; 8]);
        }
    }

    fn timer() -> io::Result<OwnedFd> {
        let flags = libc::TFD_CLOEXEC | libc::TFD_NONBLOCK;
        // SAFETY: the call takes no pointers.
        let timer = unsafe { libc::timerfd_create(libc::CLOCK_REALTIME, flags) };
        if timer < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is new, and nobody else has it.
        let timer = unsafe { OwnedFd::from_raw_fd(timer) };
        // A time has 32 bits on some systems, and on some kernels of others.
        set(&timer, i64::MAX).or_else(|_| set(&timer, i32::MAX.into()))?;
        Ok(timer)
    }

    fn set(timer: &OwnedFd, when: i64) -> io::Result<()> {
        let mut setting = MaybeUninit::<libc::itimerspec>::zeroed();
        // SAFETY: it consists of numbers, all of which may be 0.
        let setting = unsafe { setting.assume_init_mut() };
        // The type has a name that musl will give another size, and warns of.
        #[allow(
            clippy::useless_conversion,
            reason = "it differs from system to system"
        )]
        let when = when.try_into().map_err(io::Error::other)?;
        setting.it_value.tv_sec = when;
        let flags = libc::TFD_TIMER_ABSTIME | libc::TFD_TIMER_CANCEL_ON_SET;
        // SAFETY: the setting lives until the call returns, and the old one is not wanted.
        let result =
            unsafe { libc::timerfd_settime(timer.as_raw_fd(), flags, setting, ptr::null_mut()) };
        match result {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn an_alarm_can_be_set_whatever_the_size_of_a_time() {
            let poll = mio::Poll::new().unwrap();
            assert!(Alarm::new(poll.registry(), Token(1)).is_some());
        }
    }
}

/// There is none: the loop looks at the clocks whenever it wakes.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) enum Alarm {}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
impl Alarm {
    pub(crate) fn new(_: &mio::Registry, _: mio::Token) -> Option<Self> {
        None
    }

    pub(crate) fn reset(&self) {
        match *self {}
    }
}
