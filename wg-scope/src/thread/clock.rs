//! How much processor time a thread has used, where the system tells.

use std::time::{Duration, Instant};

/// The processor time of the thread that made it, for another thread to read.
#[derive(Debug)]
pub(super) struct CpuClock {
    source: Option<Source>,
    last: Option<(Instant, Duration)>,
}

/// What a thread did since the last reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// It computed, for half of the time at least.
    Busy,
    /// It slept or was blocked.
    Idle,
    /// The system does not say.
    Unknown,
}

impl CpuClock {
    pub(super) fn of_this_thread() -> Self {
        CpuClock { source: Source::of_this_thread(), last: None }
    }

    /// Reads the clock, and says what became of the time since the last reading.
    pub(super) fn read(&mut self) -> Use {
        let Some(used) = self.source.as_ref().and_then(Source::used) else { return Use::Unknown };
        let now = Instant::now();
        match self.last.replace((now, used)) {
            None => Use::Unknown,
            Some((then, before)) if (used.saturating_sub(before)) * 2 >= now - then => Use::Busy,
            Some(_) => Use::Idle,
        }
    }
}

#[cfg(target_os = "linux")]
#[derive(Debug)]
struct Source(std::fs::File);

#[cfg(target_os = "linux")]
impl Source {
    fn of_this_thread() -> Option<Self> {
        std::fs::File::open("/proc/thread-self/schedstat").ok().map(Source)
    }

    /// The file's first number is the time on a processor, in nanoseconds.
    fn used(&self) -> Option<Duration> {
        use std::os::unix::fs::FileExt;

        let mut text = [0; 64];
        let length = self.0.read_at(&mut text, 0).ok()?;
        let text = std::str::from_utf8(&text[..length]).ok()?;
        text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
    }
}

#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
struct Source;

#[cfg(not(target_os = "linux"))]
impl Source {
    fn of_this_thread() -> Option<Self> {
        None
    }

    fn used(&self) -> Option<Duration> {
        None
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_computes_is_busy_and_one_that_is_blocked_is_idle() {
        let (send, receive) = std::sync::mpsc::channel();
        let (let_go, blocked) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            send.send(CpuClock::of_this_thread()).unwrap();
            blocked.recv().unwrap_err();
        });
        let mut its = receive.recv().unwrap();
        let mut mine = CpuClock::of_this_thread();
        let _ = (its.read(), mine.read());
        // Reading again and again is computing; it goes on until the clock has seen it.
        while mine.read() != Use::Busy {}
        assert_eq!(its.read(), Use::Idle);
        drop(let_go);
        thread.join().unwrap();
    }
}
