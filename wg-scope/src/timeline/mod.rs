//! What ran when, and on which thread: recorded while scopes run, and looked at afterwards.

mod chrome;
mod recorder;
mod span;

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Instant;

use self::recorder::Recorder;
pub(crate) use self::recorder::{Begun, Ended, Lane};
pub use self::span::{OutcomeKind, Span};

/// How many spans a timeline keeps that was not told how many.
const CAPACITY: usize = 1_000_000;

/// A record of what ran when: given to scopes and fan-outs by
/// [`Options::timeline`](crate::Options::timeline), it has a [`Span`] for each of their tasks and items,
/// and of those of the scopes inside.
///
/// A span is there when its task can be known to have ended: it is there for whoever has joined the
/// task, and all are when the scope has returned. Cloning gives another handle of the same timeline.
///
/// # Examples
///
/// ```
/// let timeline = wg::Timeline::new();
/// let options = wg::options().name("sums").timeline(&timeline);
/// options.scope(|s| {
///     s.task("left").spawn(|| (1..100).sum::<u64>());
///     s.task("right").spawn(|| (100..200).sum::<u64>());
/// });
/// for span in timeline.spans() {
///     println!("{span}"); // left#0 spawned at src/main.rs:4, from 11.3µs to 11.9µs: value
///     assert_eq!(span.scope(), Some("sums"));
///     assert!(span.spawned() <= span.began() && span.began() <= span.ended());
/// }
/// assert_eq!(timeline.spans().len(), 2);
/// ```
///
/// # Memory
///
/// It keeps as many spans as its [capacity](Self::with_capacity) says, at 40 bytes each, and for every
/// run of spans of the same scope from the same line some 24 bytes more. What comes after that
/// is [counted](Self::missed), and not kept.
///
/// # What it costs
///
/// A scope without a timeline pays for none. With one, a task costs two or three looks at the clock, at
/// its spawn, its beginning and its end, and an entry in a list of its thread's own. Where a thread goes
/// straight on from one task to the next, it looks once: what it does between them, some tenths of a
/// microsecond, counts as a part of the next.
#[derive(Clone)]
pub struct Timeline {
    recorder: Arc<Recorder>,
}

impl Timeline {
    /// Creates a timeline that begins now, and keeps up to a million spans.
    #[must_use]
    pub fn new() -> Self {
        Timeline::with_capacity(CAPACITY)
    }

    /// Creates a timeline that begins now, and keeps up to so many spans: the first ones.
    ///
    /// Each thread takes places for some at a time, so that a few may be free when another thread finds
    /// none. No memory is taken before it is needed.
    #[must_use]
    pub fn with_capacity(spans: usize) -> Self {
        // Their places have numbers of four bytes.
        let spans = spans.min(u32::MAX as usize);
        Timeline { recorder: Arc::new(Recorder::new(spans)) }
    }

    /// Returns the instant since which its times are counted.
    #[must_use]
    pub fn start(&self) -> Instant {
        self.recorder.start
    }

    /// Returns what was recorded so far, in the order in which it began.
    #[must_use]
    pub fn spans(&self) -> Vec<Span> {
        self.recorder.spans()
    }

    /// Returns how many spans found no place, and were not kept.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.recorder.missed()
    }

    /// Writes what was recorded so far as a trace, in the JSON of Chrome's trace viewer: open it in
    /// <https://ui.perfetto.dev>.
    ///
    /// A closure, or an item, is a slice on its thread, with a slice inside it for what it ran in place.
    /// A future is a slice on a row of its own. Each has its index, its scope, the line that spawned
    /// it, how it ended, and for how long it waited to begin.
    ///
    /// # Errors
    ///
    /// Those of `out`, which is written to in large pieces, and flushed.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// let timeline = wg::Timeline::new();
    /// wg::fan_out(0..100).timeline(&timeline).for_each(drop);
    /// let mut trace = Vec::new(); // or `std::fs::File::create("trace.json")?`
    /// timeline.write_chrome(&mut trace)?;
    /// assert!(String::from_utf8_lossy(&trace).starts_with("{\"traceEvents\":["));
    /// # Ok(())
    /// # }
    /// ```
    pub fn write_chrome<W: Write>(&self, out: W) -> io::Result<()> {
        chrome::write(&self.spans(), self.missed(), out)
    }

    /// A place in it for a scope.
    pub(crate) fn lane(&self, name: Option<Arc<str>>) -> Lane {
        Lane::new(&self.recorder, name)
    }
}

impl Default for Timeline {
    fn default() -> Self {
        Timeline::new()
    }
}

impl fmt::Debug for Timeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spans = self.recorder.kept();
        f.debug_struct("Timeline").field("spans", &spans).field("missed", &self.missed()).finish()
    }
}
