//! The door's side towards `shuttle`, for the scenarios in `wg-scope/tests/shuttle`: thousands of
//! random orders of more threads than loom can bear, of programs as users write them.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::num::NonZeroUsize;
use std::ops::{Deref, DerefMut};
use std::sync::{LazyLock, PoisonError};
use std::time::Instant;

use shuttle::rand::{Rng, thread_rng};

pub use super::clock::now;
pub use shuttle::sync::atomic::{AtomicBool, AtomicU64};
pub use shuttle::thread_local;
pub use std::sync::Arc;

/// One bucket: which bucket an address falls into differs from one execution to the next, and
/// shuttle replays executions.
pub const BUCKETS: usize = 1;

/// A mutex without poison.
#[derive(Debug, Default)]
pub struct Mutex<T>(shuttle::sync::Mutex<T>);

impl<T> Mutex<T> {
    /// Creates an unlocked mutex.
    pub const fn new(value: T) -> Self {
        Mutex(shuttle::sync::Mutex::new(value))
    }

    /// Returns the value.
    pub fn into_inner(self) -> T {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks, blocking until it can.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        MutexGuard { mutex: self, held }
    }

    /// Locks, if nobody has locked it.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        let held = self.0.try_lock().ok()?;
        Some(MutexGuard { mutex: self, held })
    }
}

/// A mutex while it is locked. It knows which one, so that a condition variable can lock it again.
pub struct MutexGuard<'a, T> {
    mutex: &'a Mutex<T>,
    held: shuttle::sync::MutexGuard<'a, T>,
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.held
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.held
    }
}

impl<T: fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// A condition variable without poison. shuttle's own never times out.
#[derive(Debug, Default)]
pub struct Condvar {
    // Locks of `std` are held between two switches of shuttle's only, so nobody waits for them.
    sleepers: std::sync::Mutex<VecDeque<Arc<Bed>>>,
}

impl Condvar {
    /// Creates a condition variable that nobody waits on.
    pub const fn new() -> Self {
        Condvar { sleepers: std::sync::Mutex::new(VecDeque::new()) }
    }

    /// Unlocks, sleeps until notified (or spuriously), locks again.
    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.sleep(guard, |bed| bed.sleep())
    }

    /// As [`wait`](Self::wait), for at most until `deadline`.
    pub fn wait_until<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        deadline: Instant,
    ) -> MutexGuard<'a, T> {
        self.sleep(guard, |bed| {
            bed.doze(deadline);
        })
    }

    fn sleep<'a, T>(&self, guard: MutexGuard<'a, T>, how: impl FnOnce(&Bed)) -> MutexGuard<'a, T> {
        let bed = Arc::new(Bed::of_this_thread());
        self.lock().push_back(Arc::clone(&bed));
        let MutexGuard { mutex, held } = guard;
        drop(held);
        how(&bed);
        self.lock().retain(|other| !Arc::ptr_eq(other, &bed));
        mutex.lock()
    }

    /// Wakes one sleeper, whichever.
    pub fn notify_one(&self) {
        let mut sleepers = self.lock();
        let count = sleepers.len();
        let woken =
            if count == 0 { None } else { sleepers.remove(thread_rng().gen_range(0..count)) };
        drop(sleepers);
        if let Some(bed) = woken {
            bed.wake();
        }
    }

    /// Wakes every sleeper.
    pub fn notify_all(&self) {
        let woken = std::mem::take(&mut *self.lock());
        woken.iter().for_each(|bed| bed.wake());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Arc<Bed>>> {
        self.sleepers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a thread sleeps, and whether it has been woken since it last looked. shuttle's own tokens
/// serve to block a thread only: a thread has one, and two kinds of sleep must not share it.
#[derive(Debug)]
struct Bed {
    woken: std::sync::atomic::AtomicBool,
    thread: shuttle::thread::Thread,
}

impl Bed {
    fn of_this_thread() -> Self {
        Bed { woken: Default::default(), thread: shuttle::thread::current() }
    }

    fn wake(&self) {
        self.woken.store(true, std::sync::atomic::Ordering::Relaxed);
        self.thread.unpark();
    }

    fn is_woken(&self) -> bool {
        self.woken.swap(false, std::sync::atomic::Ordering::Relaxed)
    }

    /// Sleeps until woken, or spuriously.
    fn sleep(&self) {
        while !self.is_woken() {
            shuttle::thread::park();
            if one_in(8) {
                return;
            }
        }
    }

    /// Sleeps until woken, or until the deadline passes, which it does when it likes: the others
    /// may be as slow as it takes. So a wait that has a deadline never counts as a deadlock.
    fn doze(&self, deadline: Instant) -> bool {
        let patience = [0, 1, 1, 2, 3, 4, 8, 16][thread_rng().gen_range(0..8)];
        for _ in 0..patience {
            if self.is_woken() {
                return true;
            }
            shuttle::thread::yield_now();
        }
        let woken = self.is_woken();
        if !woken {
            super::clock::advance(deadline);
        }
        woken
    }
}

/// Chance, in the hands of shuttle.
fn one_in(n: u32) -> bool {
    thread_rng().gen_range(0..n) == 0
}

/// A thread that can be unparked.
#[derive(Clone, Debug)]
pub struct Thread(Arc<Bed>);

shuttle::thread_local! {
    static BED: Arc<Bed> = Arc::new(Bed::of_this_thread());
}

/// Returns the running thread.
pub fn current() -> Thread {
    Thread(BED.with(Arc::clone))
}

impl Thread {
    /// Ends this thread's parking, or else its next one.
    pub fn unpark(&self) {
        self.0.wake();
    }
}

/// Sleeps until unparked (or spuriously) and returns true, or returns false because the deadline
/// has passed.
pub fn park_until(deadline: Option<Instant>) -> bool {
    let bed = BED.with(Arc::clone);
    match deadline {
        Some(deadline) => bed.doze(deadline),
        None => {
            bed.sleep();
            true
        }
    }
}

/// Lets another go on.
pub fn wait_a_little(_: usize) {
    shuttle::thread::yield_now();
}

/// Lets others have the core. Returns whether that was nothing but a short wait, as it is here.
pub fn give_way() -> bool {
    shuttle::thread::yield_now();
    true
}

/// A fence. Nothing, as shuttle knows one order of all that happens.
pub fn fence(_: std::sync::atomic::Ordering) {}

/// Makes every third thread impossible to create.
static SPAWN_FAILS: LazyLock<bool> = LazyLock::new(|| std::env::var_os("WG_SPAWN_FAILS").is_some());

/// Starts a thread that nobody joins.
pub fn spawn(
    name: String,
    _: Option<NonZeroUsize>,
    main: impl FnOnce() + Send + 'static,
) -> io::Result<()> {
    if *SPAWN_FAILS && one_in(3) {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    shuttle::thread::Builder::new().name(name).spawn(main).map(drop)
}

/// Calls on a thread of its own, and returns when that has returned. If the thread cannot be
/// created, nothing was called.
pub fn elsewhere(_: String, _: Option<NonZeroUsize>, call: impl FnOnce() + Send) -> io::Result<()> {
    if *SPAWN_FAILS && one_in(3) {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    shuttle::thread::scope(|scope| {
        let thread = scope.spawn(call);
        thread.join().unwrap_or_else(|payload| std::panic::resume_unwind(payload));
    });
    Ok(())
}

/// Whether a stack is used up, now and then. Scenarios use little of theirs.
pub fn is_used_up(_: usize, _: usize) -> bool {
    one_in(8)
}

/// The number of cores of the machine that scenarios stand for.
pub fn cores() -> usize {
    2
}

/// Few times: scenarios look at what follows on each round, not at how many there are.
pub const fn times(n: usize) -> usize {
    if n < 2 { n } else { 2 }
}

/// Whether memory is used again without the allocator knowing: what looks for uses of freed memory would
/// see none.
pub const fn recycles() -> bool {
    false
}

/// Declares a function that is `const` towards `std`, and here.
#[doc(hidden)]
#[macro_export]
macro_rules! const_fn {
    ($(#[$attr:meta])* $vis:vis const fn $($rest:tt)*) => {
        $(#[$attr])* $vis const fn $($rest)*
    };
}

/// Declares a global: one per execution of a scenario.
#[doc(hidden)]
#[macro_export]
macro_rules! global {
    ($(#[$attr:meta])* static $name:ident: $type:ty = $init:expr;) => {
        $crate::sync::shuttle::lazy_static! { $(#[$attr])* static ref $name: $type = $init; }
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
