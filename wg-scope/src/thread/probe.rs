//! Whether a thread computes or is blocked, where the system tells.

#[cfg(target_os = "linux")]
use std::fs::File;
#[cfg(target_os = "linux")]
use std::os::unix::fs::FileExt;
#[cfg(target_os = "linux")]
use std::sync::OnceLock;

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

impl Probe {
    pub(super) fn of_this_thread() -> Self {
        Probe(Source::of_this_thread())
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
    thread: u32,
    file: OnceLock<Option<File>>,
}

#[cfg(target_os = "linux")]
impl Source {
    fn of_this_thread() -> Option<Self> {
        let thread = rustix::thread::gettid().as_raw_nonzero().get() as u32;
        Some(Source { thread, file: OnceLock::new() })
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
impl Source {
    fn of_this_thread() -> Option<Self> {
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
        assert_eq!(its.look(), Doing::Unknown);
    }
}
