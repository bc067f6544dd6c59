//! Whether a thread computes or is blocked, where the system tells.

#[cfg(target_os = "linux")]
use std::cell::Cell;
#[cfg(target_os = "linux")]
use std::fs::File;
use std::num::NonZeroU32;
#[cfg(target_os = "linux")]
use std::os::unix::fs::FileExt;
#[cfg(target_os = "linux")]
use std::sync::OnceLock;

#[cfg(target_os = "linux")]
use crate::process::generation;

/// Tells of the thread that made it, to another thread, as long as it lives.
#[derive(Debug)]
pub(super) struct Probe(Option<Source>);

/// What a thread is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    /// It computes, or waits for a core to do so.
    Computing,
    /// It sleeps, or waits for something else than a core.
    Blocked,
    /// The system does not say.
    Unknown,
}

/// A thread, as the system numbers it; none where it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Number(Option<NonZeroU32>);

impl Probe {
    pub(super) fn of_this_thread() -> Self {
        Probe::of(Number::of_this_thread())
    }

    /// Tells of the thread with this number, as long as there is one.
    pub(super) fn of(thread: Number) -> Self {
        Probe(Source::of(thread))
    }

    /// Returns the number of the thread that this tells of.
    pub(super) fn thread(&self) -> Number {
        Number(self.0.as_ref().and_then(Source::thread))
    }

    pub(super) fn look(&self) -> Doing {
        match self.0.as_ref().and_then(Source::is_runnable) {
            Some(true) => Doing::Computing,
            Some(false) => Doing::Blocked,
            None => Doing::Unknown,
        }
    }
}

/// The file that tells of a thread is opened when somebody first looks: most are never looked at.
#[cfg(target_os = "linux")]
#[derive(Debug)]
struct Source {
    thread: NonZeroU32,
    file: OnceLock<Option<File>>,
}

#[cfg(target_os = "linux")]
impl Number {
    /// Asks the system once for each thread, and again in a child that was forked: every scope asks.
    #[inline]
    pub(super) fn of_this_thread() -> Self {
        std::thread_local! {
            static KNOWN: Cell<(usize, Option<NonZeroU32>)> = const { Cell::new((0, None)) };
        }
        let generation = generation();
        KNOWN.with(|known| match known.get() {
            (then, Some(number)) if then == generation => Number(Some(number)),
            _ => {
                let number =
                    NonZeroU32::new(rustix::thread::gettid().as_raw_nonzero().get() as u32);
                known.set((generation, number));
                Number(number)
            }
        })
    }
}

#[cfg(target_os = "linux")]
impl Source {
    fn of(thread: Number) -> Option<Self> {
        Some(Source { thread: thread.0?, file: OnceLock::new() })
    }

    fn thread(&self) -> Option<NonZeroU32> {
        Some(self.thread)
    }

    fn file(&self) -> Option<&File> {
        let open = || File::open(format!("/proc/self/task/{}/stat", self.thread)).ok();
        self.file.get_or_init(open).as_ref()
    }

    /// The file reads `number (name) state …`, and the name may contain anything. The state is
    /// sampled, not summed up: processor times are brought up to date a few hundred times a second
    /// only, which is too seldom for a look every millisecond.
    fn is_runnable(&self) -> Option<bool> {
        let mut text = [0; 128];
        let length = self.file()?.read_at(&mut text, 0).ok()?;
        let name_end = text[..length].iter().rposition(|&byte| byte == b')')?;
        text.get(name_end + 2).map(|&state| state == b'R')
    }
}

#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
struct Source;

#[cfg(not(target_os = "linux"))]
impl Number {
    pub(super) fn of_this_thread() -> Self {
        Number(None)
    }
}

#[cfg(not(target_os = "linux"))]
impl Source {
    fn of(_: Number) -> Option<Self> {
        None
    }

    fn thread(&self) -> Option<NonZeroU32> {
        None
    }

    fn is_runnable(&self) -> Option<bool> {
        None
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_computes_is_told_from_one_that_is_blocked() {
        let (send, receive) = std::sync::mpsc::channel();
        let (let_go, blocked) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::Builder::new().name("odd) S name".to_owned());
        let thread = thread
            .spawn(move || {
                send.send(Probe::of_this_thread()).unwrap();
                blocked.recv().unwrap_err();
            })
            .unwrap();
        let its = receive.recv().unwrap();
        assert_eq!(Probe::of_this_thread().look(), Doing::Computing);
        // It was on its way to block when it sent the probe.
        while its.look() != Doing::Blocked {
            std::thread::yield_now();
        }
        drop(let_go);
        thread.join().unwrap();
        // The system lets a joiner go before it has taken the thread off its list.
        while its.look() != Doing::Unknown {
            std::thread::yield_now();
        }
    }
}
