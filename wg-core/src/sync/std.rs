//! The door's side towards `std`.

use std::cell::Cell;
use std::io;
use std::num::NonZeroUsize;
use std::sync::{PoisonError, TryLockError};
use std::time::{Duration, Instant};

pub use std::sync::atomic::{AtomicBool, AtomicU64, fence};
pub use std::sync::{Arc, MutexGuard};
pub use std::thread::{Thread, current};
pub use std::thread_local;

/// How many locks the waiters of all groups share. Two groups that meet in one bucket share a
/// lock, never a queue.
pub const BUCKETS: usize = 64;

/// A `std` mutex without poison: no user code unwinds under our locks, so a panic breaks nothing.
#[derive(Debug, Default)]
pub struct Mutex<T>(std::sync::Mutex<T>);

impl<T> Mutex<T> {
    /// Creates an unlocked mutex.
    pub const fn new(value: T) -> Self {
        Mutex(std::sync::Mutex::new(value))
    }

    /// Returns the value.
    pub fn into_inner(self) -> T {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks, blocking until it can.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks, if nobody has locked it.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        match self.0.try_lock() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

/// A `std` condition variable without poison.
#[derive(Debug, Default)]
pub struct Condvar(std::sync::Condvar);

impl Condvar {
    /// Creates a condition variable that nobody waits on.
    pub const fn new() -> Self {
        Condvar(std::sync::Condvar::new())
    }

    /// Unlocks, sleeps until notified (or spuriously), locks again.
    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.0.wait(guard).unwrap_or_else(PoisonError::into_inner)
    }

    /// As [`wait`](Self::wait), for at most until `deadline`.
    pub fn wait_until<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        deadline: Instant,
    ) -> MutexGuard<'a, T> {
        let left = deadline.saturating_duration_since(Instant::now());
        self.0.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Wakes one sleeper.
    pub fn notify_one(&self) {
        self.0.notify_one();
    }

    /// Wakes every sleeper.
    pub fn notify_all(&self) {
        self.0.notify_all();
    }
}

/// Sleeps until unparked (or spuriously) and returns true, or returns false because the deadline
/// has passed.
pub fn park_until(deadline: Option<Instant>) -> bool {
    let Some(deadline) = deadline else {
        std::thread::park();
        return true;
    };
    match deadline.checked_duration_since(Instant::now()) {
        Some(left) if !left.is_zero() => std::thread::park_timeout(left),
        _ => return false,
    }
    true
}

/// Lets another go on with what takes a few instructions, unless it has lost its core. To be called with
/// the number of `rounds` before this one: at the end it sleeps, as the other may need this very core, and
/// be worth less to the system.
pub fn wait_a_little(rounds: usize) {
    match rounds {
        0..64 => std::hint::spin_loop(),
        64..128 => std::thread::yield_now(),
        _ => std::thread::sleep(Duration::from_micros(50)),
    }
}

/// From when on it is long that others have the core; and for how long a thread keeps it to itself where that
/// was so twice in a row: once may be a hiccup.
const LONG: Duration = Duration::from_micros(300);
const REST: Duration = Duration::from_millis(50);

/// Lets others have the core. Returns whether that is worth doing again: where they keep it for long the cores
/// have enough to do, and who sleeps and is woken gets one sooner than who gives it away.
pub fn give_way() -> bool {
    std::thread_local! {
        /// Whether the last time was long, and until when the core is kept.
        static CROWDED: Cell<(bool, Option<Instant>)> = const { Cell::new((false, None)) };
    }
    let before = now();
    let (was_long, until) = CROWDED.get();
    if until.is_some_and(|until| before < until) {
        return false;
    }
    std::thread::yield_now();
    let after = now();
    let is_long = after >= before + LONG;
    CROWDED.set((is_long, (is_long && was_long).then(|| after + REST)));
    !is_long
}

/// Starts a thread that nobody joins.
pub fn spawn(
    name: String,
    stack: Option<NonZeroUsize>,
    main: impl FnOnce() + Send + 'static,
) -> io::Result<()> {
    let mut builder = std::thread::Builder::new().name(name);
    if let Some(stack) = stack {
        builder = builder.stack_size(stack.get());
    }
    builder.spawn(main).map(drop)
}

/// Calls on a thread of its own, and returns when that has returned. If the thread cannot be
/// created, nothing was called.
pub fn elsewhere(
    name: String,
    stack: Option<NonZeroUsize>,
    call: impl FnOnce() + Send,
) -> io::Result<()> {
    let mut builder = std::thread::Builder::new().name(name);
    if let Some(stack) = stack {
        builder = builder.stack_size(stack.get());
    }
    std::thread::scope(|scope| {
        let thread = builder.spawn_scoped(scope, call)?;
        thread.join().unwrap_or_else(|payload| std::panic::resume_unwind(payload));
        Ok(())
    })
}

/// Whether so many bytes of a stack are too many.
pub fn is_used_up(used: usize, most: usize) -> bool {
    used > most
}

/// The time.
pub fn now() -> Instant {
    Instant::now()
}

/// The number of cores this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// So many times, as far as it matters how often: a model goes round fewer times.
pub const fn times(n: usize) -> usize {
    n
}

/// Whether memory is used again without the allocator knowing: what looks for uses of freed memory would
/// see none.
pub const fn recycles() -> bool {
    !cfg!(wg_asan)
}

/// Declares a function that is `const` here and is not under loom, whose types are not.
#[doc(hidden)]
#[macro_export]
macro_rules! const_fn {
    ($(#[$attr:meta])* $vis:vis const fn $($rest:tt)*) => {
        $(#[$attr])* $vis const fn $($rest)*
    };
}

/// Declares a global: a `static` here, one per execution in a model.
#[doc(hidden)]
#[macro_export]
macro_rules! global {
    ($(#[$attr:meta])* static $name:ident: $type:ty = $init:expr;) => {
        $(#[$attr])* static $name: $type = $init;
    };
}

/// Makes an array of what an expression makes so many times.
#[doc(hidden)]
#[macro_export]
macro_rules! array_of {
    ($init:expr; $length:expr) => {
        [const { $init }; $length]
    };
}
