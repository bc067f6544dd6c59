//! The door's side towards `loom`, for the models in `tests/models`.

use std::collections::HashSet;
use std::io;
use std::mem::ManuallyDrop;
use std::num::NonZeroUsize;
use std::sync::atomic::Ordering;
use std::sync::{LazyLock, PoisonError};
use std::time::Instant;

use loom::thread::ThreadId;

pub use super::clock::now;
pub use loom::sync::MutexGuard;
pub use loom::sync::atomic::{AtomicBool, fence};
pub use std::sync::Arc;

/// One bucket: which bucket an address falls into differs from one execution to the next, and loom
/// replays executions.
pub const BUCKETS: usize = 1;

/// An atomic whose memory is watched: a model fails if an access is not ordered before its drop.
/// Without this, "touches the word after a waiter freed it" would go unseen.
#[derive(Debug)]
pub struct AtomicU64 {
    word: loom::sync::atomic::AtomicU64,
    /// Whose last weak exchange was made to fail.
    failed: std::sync::Mutex<HashSet<ThreadId>>,
}

/// Makes every weak exchange fail once before it is tried. Hardware may do so, loom never does.
static WEAK_FAILS: LazyLock<bool> = LazyLock::new(|| std::env::var_os("WG_WEAK_FAILS").is_some());

impl AtomicU64 {
    /// Creates an atomic.
    pub fn new(value: u64) -> Self {
        AtomicU64 {
            word: loom::sync::atomic::AtomicU64::new(value),
            failed: std::sync::Mutex::default(),
        }
    }

    /// Loads.
    pub fn load(&self, order: Ordering) -> u64 {
        self.word.load(order)
    }

    /// Stores.
    pub fn store(&self, value: u64, order: Ordering) {
        self.word.store(value, order);
    }

    /// Stores, returning the value before.
    pub fn swap(&self, value: u64, order: Ordering) -> u64 {
        self.word.swap(value, order)
    }

    /// Adds, returning the value before.
    pub fn fetch_add(&self, value: u64, order: Ordering) -> u64 {
        self.word.fetch_add(value, order)
    }

    /// Subtracts, returning the value before.
    pub fn fetch_sub(&self, value: u64, order: Ordering) -> u64 {
        self.word.fetch_sub(value, order)
    }

    /// Sets bits, returning the value before.
    pub fn fetch_or(&self, value: u64, order: Ordering) -> u64 {
        self.word.fetch_or(value, order)
    }

    /// Clears all other bits, returning the value before.
    pub fn fetch_and(&self, value: u64, order: Ordering) -> u64 {
        self.word.fetch_and(value, order)
    }

    /// Whether this thread's weak exchange fails now: every other one does.
    fn fails_weakly(&self) -> bool {
        if !*WEAK_FAILS {
            return false;
        }
        let thread = loom::thread::current().id();
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let fails = failed.insert(thread);
        if !fails {
            failed.remove(&thread);
        }
        fails
    }

    /// Replaces `current` by `new`.
    pub fn compare_exchange_weak(
        &self,
        current: u64,
        new: u64,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u64, u64> {
        if self.fails_weakly() {
            return Err(self.load(failure));
        }
        self.word.compare_exchange_weak(current, new, success, failure)
    }
}

impl Drop for AtomicU64 {
    fn drop(&mut self) {
        self.word.with_mut(|_| ());
    }
}

/// A mutex without poison.
#[derive(Debug)]
pub struct Mutex<T>(loom::sync::Mutex<T>);

impl<T> Mutex<T> {
    /// Creates an unlocked mutex.
    pub fn new(value: T) -> Self {
        Mutex(loom::sync::Mutex::new(value))
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
        self.0.try_lock().ok()
    }
}

/// A condition variable without poison.
#[derive(Debug, Default)]
pub struct Condvar(loom::sync::Condvar);

impl Condvar {
    /// Creates a condition variable that nobody waits on.
    pub fn new() -> Self {
        Condvar(loom::sync::Condvar::new())
    }

    /// Unlocks, sleeps until notified (or spuriously), locks again.
    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.0.wait(guard).unwrap_or_else(PoisonError::into_inner)
    }

    /// A deadline passes at once, see [`park_until`].
    pub fn wait_until<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        deadline: Instant,
    ) -> MutexGuard<'a, T> {
        super::clock::advance(deadline);
        guard
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

/// A thread that can be unparked.
///
/// loom's own `unpark` also wakes a thread that is blocked by something else, and a wake-up that
/// comes while the thread is at a lock is forgotten. So whether it is parked is kept here. A
/// wake-up that comes before the parking orders nothing, which is less than `std` promises, unless
/// a model asks for that with [`rely_on_unpark`].
#[derive(Clone, Debug)]
pub struct Thread {
    handle: loom::thread::Thread,
    parking: Arc<Parking>,
}

#[derive(Debug, Default)]
struct Parking {
    parked: std::sync::atomic::AtomicBool,
    woken: std::sync::atomic::AtomicBool,
    /// Hands on what happened before a wake-up. Not dropped: that an `Arc` drops it after all else is
    /// unknown to loom.
    order: ManuallyDrop<AtomicBool>,
}

static UNPARK_ORDERS: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

/// From here on, what happens before an `unpark` happens before the end of the parking, however
/// early it comes.
pub fn rely_on_unpark() {
    UNPARK_ORDERS.store(true, Ordering::Relaxed);
}

impl Parking {
    fn order(&self) {
        if UNPARK_ORDERS.load(Ordering::Relaxed) {
            self.order.swap(true, Ordering::AcqRel);
        }
    }
}

loom::thread_local! {
    static PARKING: Arc<Parking> = Arc::default();
}

/// Returns the running thread.
pub fn current() -> Thread {
    Thread { handle: loom::thread::current(), parking: PARKING.with(Arc::clone) }
}

impl Thread {
    /// Ends this thread's parking, or else its next one.
    pub fn unpark(&self) {
        self.parking.order();
        if self.parking.parked.swap(false, Ordering::Relaxed) {
            self.handle.unpark();
        } else {
            self.parking.woken.store(true, Ordering::Relaxed);
        }
    }
}

/// Sleeps until unparked. A deadline passes at once, which is the worst case for a protocol: loom
/// then tries every place where the others may run before the waiter leaves.
pub fn park_until(deadline: Option<Instant>) -> bool {
    if let Some(deadline) = deadline {
        super::clock::advance(deadline);
        return false;
    }
    let parking = PARKING.with(Arc::clone);
    if !parking.woken.swap(false, Ordering::Relaxed) {
        parking.parked.store(true, Ordering::Relaxed);
        loom::thread::park();
    } else {
        parking.order();
    }
    true
}

/// Lets another go on.
pub fn wait_a_little(_: usize) {
    loom::thread::yield_now();
}

/// Lets others have the core. Returns whether that was nothing but a short wait, as it is here.
pub fn give_way() -> bool {
    loom::thread::yield_now();
    true
}

/// No thread can be had: loom knows five at the most, so models bring the runners they want.
pub fn spawn(
    _: String,
    _: Option<NonZeroUsize>,
    _: impl FnOnce() + Send + 'static,
) -> io::Result<()> {
    Err(io::ErrorKind::WouldBlock.into())
}

/// No thread can be had.
pub fn elsewhere(_: String, _: Option<NonZeroUsize>, _: impl FnOnce() + Send) -> io::Result<()> {
    Err(io::ErrorKind::WouldBlock.into())
}

/// Whether so many bytes of a stack are too many.
pub fn is_used_up(used: usize, most: usize) -> bool {
    used > most
}

/// The number of cores of the machine that models stand for.
pub fn cores() -> usize {
    2
}

/// Few times: models look at what follows on each round, not at how many there are.
pub const fn times(n: usize) -> usize {
    if n < 2 { n } else { 2 }
}

/// Whether memory is used again without the allocator knowing: what looks for uses of freed memory would
/// see none.
pub const fn recycles() -> bool {
    false
}

/// Declares a function that is `const` towards `std`; loom's types are not.
#[doc(hidden)]
#[macro_export]
macro_rules! const_fn {
    ($(#[$attr:meta])* $vis:vis const fn $($rest:tt)*) => {
        $(#[$attr])* $vis fn $($rest)*
    };
}

/// Declares a thread's own value.
#[doc(hidden)]
#[macro_export]
macro_rules! thread_local {
    ($($(#[$attr:meta])* static $name:ident: $type:ty = const { $init:expr };)*) => {
        $crate::sync::loom::thread_local! { $($(#[$attr])* static $name: $type = $init;)* }
    };
}

/// Declares a global: one per execution of a model.
#[doc(hidden)]
#[macro_export]
macro_rules! global {
    ($(#[$attr:meta])* static $name:ident: $type:ty = $init:expr;) => {
        $crate::sync::loom::lazy_static! { $(#[$attr])* static ref $name: $type = $init; }
    };
}

/// Makes an array of what an expression makes so many times.
#[doc(hidden)]
#[macro_export]
macro_rules! array_of {
    ($init:expr; $length:expr) => {
        std::array::from_fn::<_, { $length }, _>(|_| $init)
    };
}
