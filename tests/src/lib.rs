//! What the tests share: panics that are on purpose, values that count or fail when they are
//! dropped, and waiting without sleeping.
#![forbid(unsafe_code)]

#[cfg(doctest)]
mod book;

use std::any::{Any, type_name};
use std::mem::forget;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, set_hook, take_hook};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, Once};
use std::thread;

/// What [`bang`] panics with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bang(pub u32);

/// Panics on purpose, and without a line on standard error.
pub fn bang(number: u32) -> ! {
    hush();
    panic_any(Bang(number))
}

/// What a [`Bomb`] panics with. It has no size, so that leaking it leaks no memory: that is what
/// becomes of a panic that is thrown while a payload is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Boom;

/// A value whose drop panics with [`Boom`].
#[derive(Debug, PartialEq, Eq)]
pub struct Bomb(pub u32);

impl Bomb {
    /// Makes a bomb; the number is for telling it from others.
    #[must_use]
    pub fn new(number: u32) -> Self {
        hush();
        Bomb(number)
    }

    /// Drops the bomb, and says whether it went off.
    #[must_use]
    pub fn defuse(self) -> bool {
        caught::<Boom, _>(|| drop(self)) == Boom
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        panic_any(Boom)
    }
}

/// A value that counts its drop in something that is borrowed.
#[derive(Debug)]
pub struct Counted<'a>(pub &'a AtomicUsize);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// The bangs that the panic hook was told of.
static HOOKED: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// How often the panic hook has been called for a bang of this number.
pub fn hook_calls(number: u32) -> usize {
    HOOKED.lock().unwrap().iter().filter(|&&other| other == number).count()
}

/// Keeps the panic hook from printing panics that are on purpose.
fn hush() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = take_hook();
        set_hook(Box::new(move |info| {
            let payload = info.payload();
            if let Some(Bang(number)) = payload.downcast_ref() {
                HOOKED.lock().unwrap().push(*number);
            } else if !payload.is::<Boom>() && !payload.is::<Bomb>() {
                print(info);
            }
        }));
    });
}

/// Runs what must panic, and returns the payload.
pub fn payload<R>(run: impl FnOnce() -> R) -> Box<dyn Any + Send> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(value) => {
            // It may be one that cannot be dropped in peace.
            forget(value);
            panic!("this returned and should have panicked")
        }
        Err(payload) => payload,
    }
}

/// Runs what must panic with a `P`, and returns that.
pub fn caught<P: 'static, R>(run: impl FnOnce() -> R) -> P {
    match payload(run).downcast() {
        Ok(payload) => *payload,
        Err(other) => {
            forget(other);
            panic!("the payload is of another type than {}", type_name::<P>())
        }
    }
}

/// Gives way to other threads until the condition holds.
pub fn until(mut condition: impl FnMut() -> bool) {
    while !condition() {
        thread::yield_now();
    }
}

/// How many are at work at once, and how many that were at most. A task that waits is not at work.
#[derive(Debug, Default)]
pub struct Gauge {
    now: AtomicUsize,
    most: AtomicUsize,
    /// How often somebody was at work.
    pub worked: AtomicUsize,
}

impl Gauge {
    /// Works for a moment. Now and then that is one in which others get the core: not always, as they may
    /// keep it for milliseconds where it is busy.
    pub fn work(&self) {
        self.most.fetch_max(self.now.fetch_add(1, SeqCst) + 1, SeqCst);
        if self.worked.fetch_add(1, SeqCst) % 8 == 0 {
            std::thread::yield_now();
        } else {
            (0..100).for_each(|_| std::hint::spin_loop());
        }
        self.now.fetch_sub(1, SeqCst);
    }

    /// Fails if more than `limit` have worked at once.
    #[track_caller]
    pub fn was_never_above(&self, limit: usize) {
        let most = self.most.load(SeqCst);
        assert!(most <= limit, "{most} worked at once at a limit of {limit}");
    }
}

/// A generator of numbers that are always the same.
#[derive(Debug)]
pub struct Dice(pub u64);

impl Dice {
    /// Throws one number below `sides`.
    pub fn throw(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }
}

/// Calls with more of the stack in use than wg lets tasks in place have.
pub fn deep_in_the_stack<R>(call: impl FnOnce() -> R) -> R {
    let used = [0_u8; 600 << 10];
    std::hint::black_box(&used);
    let result = call();
    std::hint::black_box(&used);
    result
}

/// An iterator that says there are so many items, which need not be so.
#[derive(Debug)]
pub struct Says<I>(pub usize, pub I);

impl<I: Iterator> Iterator for Says<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        self.1.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0, Some(self.0))
    }
}
