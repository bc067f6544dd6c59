//! Where tasks lie in memory, closures and futures: blocks that are used again.
//!
//! A task is mostly freed on another thread than the one that allocated it, and the general allocator
//! then has both threads meet at its lists, for each task: of scopes with small tasks that was more than
//! half of the time. So each thread keeps some blocks of each size, and gives and takes others in
//! bundles. What is kept is bounded: by 128 blocks of each size in a thread, and 4,096 that are there for
//! all. Blocks of a usual task, of 56 bytes, are 7 KiB in a thread then and 224 KiB for all; if tasks of
//! all sizes were ever queued by thousands, it is 256 KiB and 8 MiB.
//!
//! The idea is that of the magazines in J. Bonwick and J. Adams, "Magazines and Vmem", 2001.
#![allow(unsafe_code)]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::RefCell;
use std::future::Future;
use std::mem::{self, ManuallyDrop};
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::ptr::{self, NonNull};

use wg_core::sync::{self, AtomicU64, Mutex, Ordering};

use crate::process::{GENERATIONS, generation};

/// How blocks are aligned, in bytes; and by how much each size is more than the one before.
const STEP: usize = 16;

/// The smallest size. A general allocator mostly adds a word to what it is asked for, and keeps the
/// same alignment: so many bytes less than a multiple of the step leave nothing unused.
const SMALLEST: usize = 8;

/// How many sizes there are. What is larger is allocated as usual.
const SIZES: usize = 16;

/// How many blocks go from a thread to the others at once. It keeps twice as many of each size.
const BUNDLE: usize = 64;

/// How many of each size are there for all threads, at most.
const MOST: usize = 64 * BUNDLE;

/// Memory of one size, that nobody uses. A copy stands for the same memory: whoever hands one on keeps none.
#[derive(Clone, Copy)]
struct Block(NonNull<u8>);

// SAFETY: It is memory that nobody uses, which any thread may use or free.
unsafe impl Send for Block {}

/// One of the sizes: `n` stands for blocks of `SMALLEST + n * STEP` bytes.
#[derive(Clone, Copy)]
struct Size(usize);

impl Size {
    /// The size of the blocks for this layout, if it is one that is kept.
    #[inline]
    const fn of(layout: Layout) -> Option<Self> {
        let n = layout.size().saturating_sub(SMALLEST).div_ceil(STEP);
        let fits = layout.size() > 0 && n < SIZES && layout.align() <= STEP;
        if fits { Some(Size(n)) } else { None }
    }

    fn layout(self) -> Layout {
        Layout::from_size_align(SMALLEST + self.0 * STEP, STEP).expect("it is small")
    }
}

/// What one thread keeps.
struct Own([Vec<Block>; SIZES]);

sync::thread_local! {
    static OWN: RefCell<Own> = const { RefCell::new(Own([const { Vec::new() }; SIZES])) };
}

/// The blocks of one size that are there for all threads.
struct Common {
    blocks: Mutex<Vec<Block>>,
    /// How many there are, about: whoever finds none does not take the lock.
    about: AtomicU64,
}

impl Common {
    sync::const_fn! {
        const fn new() -> Self {
            Common { blocks: Mutex::new(Vec::new()), about: AtomicU64::new(0) }
        }
    }

    /// Takes a bundle, if there is one.
    fn take(&self, own: &mut Vec<Block>) {
        // ORDERING: Relaxed. It says only whether to look.
        if self.about.load(Ordering::Relaxed) > 0 {
            let mut blocks = self.blocks.lock();
            let left = blocks.len().saturating_sub(BUNDLE);
            own.extend(blocks.drain(left..));
            self.about.store(left as u64, Ordering::Relaxed);
        }
    }

    /// Lays a bundle down. Returns whether there was room.
    fn give(&self, own: &mut Vec<Block>) -> bool {
        let mut blocks = self.blocks.lock();
        let has_room = blocks.len() + BUNDLE <= MOST;
        if has_room {
            blocks.extend(own.drain(own.len() - BUNDLE..));
            self.about.store(blocks.len() as u64, Ordering::Relaxed);
        }
        has_room
    }
}

sync::global! {
    /// A child process has its own: a lock may have been held when it was forked.
    static COMMON: [[Common; SIZES]; GENERATIONS] =
        sync::array_of!(sync::array_of!(Common::new(); SIZES); GENERATIONS);
}

impl Own {
    fn fetch(&mut self, size: Size) -> Option<Block> {
        let own = &mut self.0[size.0];
        COMMON[generation()][size.0].take(own);
        own.pop()
    }

    fn keep(&mut self, size: Size, block: Block) {
        let own = &mut self.0[size.0];
        if own.len() == 2 * BUNDLE && !COMMON[generation()][size.0].give(own) {
            own.drain(BUNDLE..).for_each(|block| free(block, size.layout()));
        }
        own.push(block);
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        for (n, blocks) in self.0.iter_mut().enumerate() {
            mem::take(blocks).into_iter().for_each(|block| free(block, Size(n).layout()));
        }
    }
}

fn allocate(layout: Layout) -> Block {
    // SAFETY: The layout's size is not zero: `put` allocates nothing for what takes no room.
    let block = unsafe { alloc(layout) };
    Block(NonNull::new(block).unwrap_or_else(|| handle_alloc_error(layout)))
}

/// `layout` must be the one with which it was allocated.
fn free(Block(block): Block, layout: Layout) {
    // SAFETY: A block is memory of the general allocator's that nobody uses. Its layout follows from its
    // size wherever it is kept, and from the value's where it is not.
    unsafe { dealloc(block.as_ptr(), layout) };
}

/// Inlined, as the size of a block follows from its type.
#[inline]
fn take(layout: Layout) -> Block {
    match Size::of(layout).filter(|_| sync::recycles()) {
        Some(size) => take_one(size),
        None => allocate(layout),
    }
}

/// The usual way is short, and calls nobody: it saves no registers.
fn take_one(size: Size) -> Block {
    let own = OWN.try_with(|own| own.try_borrow_mut().ok()?.0[size.0].pop());
    if let Ok(Some(block)) = own { block } else { fetch_one(size) }
}

#[cold]
#[inline(never)]
fn fetch_one(size: Size) -> Block {
    let own = OWN.try_with(|own| own.try_borrow_mut().ok()?.fetch(size));
    // In a thread whose locals are gone already, nothing is kept.
    own.ok().flatten().unwrap_or_else(|| allocate(size.layout()))
}

#[inline]
fn give(block: Block, layout: Layout) {
    match Size::of(layout).filter(|_| sync::recycles()) {
        Some(size) => give_one(block, size),
        None => free(block, layout),
    }
}

fn give_one(block: Block, size: Size) {
    let push = |own: &RefCell<Own>| {
        let mut own = own.try_borrow_mut().ok()?;
        let own = &mut own.0[size.0];
        // Where the list is to grow as well, others see to it.
        let has_room = own.len() < own.capacity().min(2 * BUNDLE);
        has_room.then(|| own.push(block))
    };
    if !matches!(OWN.try_with(push), Ok(Some(()))) {
        keep_one(block, size);
    }
}

#[cold]
#[inline(never)]
fn keep_one(block: Block, size: Size) {
    let keep = |own: &RefCell<Own>| own.try_borrow_mut().map(|mut own| own.keep(size, block));
    if !matches!(OWN.try_with(keep), Ok(Ok(()))) {
        free(block, size.layout());
    }
}

/// Puts a value into a block, which [`Held::of`] gives back.
pub(crate) fn put<T>(value: T) -> NonNull<T> {
    put_made(|| value)
}

/// As [`put`], a value that is put together when there is a block for it, and so in its place: who puts it
/// together before has it copied, and a copy waits for all that was written a moment ago. Where that panics,
/// the block is lost.
#[inline]
pub(crate) fn put_made<T>(make: impl FnOnce() -> T) -> NonNull<T> {
    let layout = Layout::new::<T>();
    let place = if layout.size() == 0 { NonNull::dangling() } else { take(layout).0.cast() };
    // SAFETY: The block is as large as the value and aligned for it, and nobody else's; if the value takes
    // no room, any place that is aligned will do.
    unsafe { place.write(make()) };
    place
}

/// A value in a block, as a `Box` would hold it.
pub(crate) struct Held<T: ?Sized>(NonNull<T>);

// SAFETY: It owns the value, as a `Box` would.
unsafe impl<T: ?Sized + Send> Send for Held<T> {}
// SAFETY: As above.
unsafe impl<T: ?Sized + Sync> Sync for Held<T> {}

impl<T> Held<T> {
    pub(crate) fn new(value: T) -> Self {
        Held(put(value))
    }

    /// Takes the value out, and gives the block back.
    #[cfg(feature = "local")]
    pub(crate) fn into_inner(self) -> T {
        let this = ManuallyDrop::new(self);
        // SAFETY: The value is there, this is its owner, and nobody looks at it there any more.
        let value = unsafe { this.0.read() };
        let layout = Layout::new::<T>();
        if layout.size() > 0 {
            give(Block(this.0.cast()), layout);
        }
        value
    }
}

impl<T: ?Sized> Held<T> {
    /// Takes over what [`put`] or [`put_made`] returned.
    ///
    /// # Safety
    ///
    /// The pointer must come from one of them, also if the value's type is not told by it any more, and nobody
    /// may use it any more.
    pub(crate) unsafe fn of(value: NonNull<T>) -> Self {
        Held(value)
    }
}

impl<T: ?Sized> Deref for Held<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: The value is there, and this is its owner.
        unsafe { self.0.as_ref() }
    }
}

impl<T: ?Sized> DerefMut for Held<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: The value is there, and this is its owner.
        unsafe { self.0.as_mut() }
    }
}

impl<T: ?Sized> Drop for Held<T> {
    fn drop(&mut self) {
        /// Gives the block back, also where the value's drop panics.
        struct Back(Block, Layout);

        impl Drop for Back {
            #[inline]
            fn drop(&mut self) {
                // What takes no room lies nowhere.
                if self.1.size() > 0 {
                    give(self.0, self.1);
                }
            }
        }

        let _back = Back(Block(self.0.cast()), Layout::for_value(&**self));
        // SAFETY: This is its owner, and goes.
        unsafe { self.0.drop_in_place() };
    }
}

/// A future in a block, where it can be polled.
#[cfg(feature = "local")]
pub(crate) type Pinned<'a, T> = Pin<Held<dyn Future<Output = T> + 'a>>;

/// A future that may go to other threads, in a block.
pub(crate) type PinnedSend<'a, T> = Pin<Held<dyn Future<Output = T> + Send + 'a>>;

/// Puts a future that may go to other threads into a block.
pub(crate) fn pin<'a, F: Future + Send + 'a>(future: F) -> PinnedSend<'a, F::Output> {
    let future: NonNull<dyn Future<Output = F::Output> + Send + 'a> = put(future);
    // SAFETY: It lies in its block until it is dropped there, and is lent for change by the `Pin` only.
    unsafe { Pin::new_unchecked(Held(future)) }
}

/// Puts a future into a block.
#[cfg(feature = "local")]
pub(crate) fn pin_here<'a, F: Future + 'a>(future: F) -> Pinned<'a, F::Output> {
    let future: NonNull<dyn Future<Output = F::Output> + 'a> = put(future);
    // SAFETY: As in `pin`.
    unsafe { Pin::new_unchecked(Held(future)) }
}

/// A value in a block that several hold, as they would by an `Arc`.
pub(crate) struct Counted<T: ?Sized>(NonNull<Several<T>>);

/// What several hold, and how many.
pub(crate) struct Several<T: ?Sized> {
    holders: AtomicU64,
    value: T,
}

// SAFETY: It lends the value to several threads, and the last one drops it, as with an `Arc`.
unsafe impl<T: ?Sized + Send + Sync> Send for Counted<T> {}
// SAFETY: As above.
unsafe impl<T: ?Sized + Send + Sync> Sync for Counted<T> {}

impl<T> Counted<T> {
    pub(crate) fn new(value: T) -> Self {
        Counted(put(Several { holders: AtomicU64::new(1), value }))
    }

    /// Makes two of a value at once, of which the second forgets all of the type but a trait: `unsize` returns what it
    /// gets, as that.
    ///
    /// # Panics
    ///
    /// If it returns something else.
    pub(crate) fn two_as<U: ?Sized>(
        value: impl FnOnce() -> T,
        unsize: impl for<'a> FnOnce(&'a mut Several<T>) -> &'a mut Several<U>,
    ) -> (Self, Counted<U>) {
        let mut place = put_made(|| Several { holders: AtomicU64::new(2), value: value() });
        // SAFETY: It was made just now, and is nobody else's yet.
        let other = NonNull::from(unsize(unsafe { place.as_mut() }));
        // Nothing else of such a type can lie there: they are made here, and nowhere inside of each other.
        assert!(ptr::addr_eq(place.as_ptr(), other.as_ptr()), "it is the same one");
        (Counted(other.cast()), Counted(other))
    }

    /// Forgets all of the type but a trait.
    ///
    /// # Safety
    ///
    /// `unsize` must return what it gets.
    pub(crate) unsafe fn unsize<U: ?Sized>(
        self,
        unsize: impl FnOnce(NonNull<Several<T>>) -> NonNull<Several<U>>,
    ) -> Counted<U> {
        Counted(unsize(ManuallyDrop::new(self).0))
    }
}

impl<T: ?Sized> Deref for Counted<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: The value is there as long as this one holds it, and is only lent for reading.
        &unsafe { self.0.as_ref() }.value
    }
}

impl<T: ?Sized> Clone for Counted<T> {
    fn clone(&self) -> Self {
        // SAFETY: As in `deref`.
        let several = unsafe { self.0.as_ref() };
        // ORDERING: Relaxed. Whoever clones holds one, so it does not go meanwhile.
        several.holders.fetch_add(1, Ordering::Relaxed);
        Counted(self.0)
    }
}

impl<T: ?Sized> Drop for Counted<T> {
    fn drop(&mut self) {
        // SAFETY: As in `deref`.
        let holders = &unsafe { self.0.as_ref() }.holders;
        // ORDERING: Release hands what this one did to the last, and Acquire has the last see it. Where
        // this one is the only one, nobody else can change the number.
        if holders.load(Ordering::Acquire) == 1 || holders.fetch_sub(1, Ordering::AcqRel) == 1 {
            // SAFETY: It comes from `put`, and nobody else holds it any more.
            drop(unsafe { Held::of(self.0) });
        }
    }
}

#[cfg(all(test, not(wg_loom)))]
mod tests {
    use super::*;

    fn addresses(n: usize) -> Vec<NonNull<[u64; 5]>> {
        (0..n).map(|n| put([n as u64; 5])).collect()
    }

    fn drop_all(places: Vec<NonNull<[u64; 5]>>) {
        for place in places {
            // SAFETY: They come from `put`, and nobody uses them.
            drop(unsafe { Held::of(place) });
        }
    }

    #[test]
    fn a_block_that_was_given_back_is_used_again() {
        let first = addresses(1);
        let address = first[0];
        drop_all(first);
        let second = addresses(1);
        assert!(second[0] == address || !sync::recycles());
        drop_all(second);
    }

    #[test]
    fn values_in_use_never_share_a_block_however_many_go_from_thread_to_thread() {
        let mut there = addresses(10_000);
        for _ in 0..3 {
            let places: Vec<usize> = there.iter().map(|place| place.addr().get()).collect();
            let unique: std::collections::HashSet<_> = places.iter().collect();
            assert_eq!(unique.len(), there.len());
            for (n, place) in there.iter().enumerate() {
                // SAFETY: It is there.
                assert_eq!(unsafe { place.as_ref() }, &[n as u64; 5]);
            }
            let theirs: Vec<_> = there.into_iter().map(|place| Block(place.cast())).collect();
            std::thread::spawn(move || {
                drop_all(theirs.into_iter().map(|block| block.0.cast()).collect());
            })
            .join()
            .unwrap();
            there = addresses(10_000);
        }
        drop_all(there);
    }

    #[test]
    fn what_is_large_or_strictly_aligned_is_allocated_as_usual() {
        #[repr(align(64))]
        struct Strict([u8; 64]);

        let strict = put(Strict([1; 64]));
        assert_eq!(strict.addr().get() % 64, 0);
        // SAFETY: It comes from `put`, and nobody uses it.
        let strict = unsafe { Held::of(strict) };
        assert_eq!((*strict).0[63], 1);
        let large = put([7_u8; 4096]);
        // SAFETY: As above.
        drop(unsafe { Held::of(large) });
    }

    #[test]
    fn a_value_whose_drop_panics_gives_its_block_back() {
        struct Bad(#[expect(dead_code, reason = "it gives the value a size")] u64);

        impl Drop for Bad {
            fn drop(&mut self) {
                panic!("dropped");
            }
        }

        let place = put(Bad(1));
        // SAFETY: It comes from `put`, and nobody uses it.
        let held = unsafe { Held::of(place) };
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(held))).is_err());
        let again = put(2_u64);
        assert!(again.addr() == place.addr() || !sync::recycles());
        // SAFETY: As above.
        drop(unsafe { Held::of(again) });
    }

    #[test]
    fn what_several_hold_is_dropped_by_the_last_as_what_it_was() {
        struct Tells<'a>(&'a RefCell<Vec<u8>>, u8);

        impl Drop for Tells<'_> {
            fn drop(&mut self) {
                self.0.borrow_mut().push(self.1);
            }
        }

        trait Number {
            fn number(&self) -> u8;
        }

        impl Number for Tells<'_> {
            fn number(&self) -> u8 {
                self.1
            }
        }

        let told = RefCell::new(Vec::new());
        let (one, other) = Counted::two_as::<dyn Number + '_>(|| Tells(&told, 1), |it| it);
        drop(one);
        let again = other.clone();
        drop(other);
        assert_eq!((again.number(), told.borrow().len()), (1, 0));
        drop(again);
        drop(Counted::new(Tells(&told, 2)));
        assert_eq!(*told.borrow(), [1, 2]);
    }

    #[test]
    fn a_future_lies_in_a_block_also_if_it_takes_no_room() {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let mut small = pin(std::future::pending::<u8>());
        assert!(small.as_mut().poll(&mut context).is_pending());
        let text = String::from("borrowed");
        let mut large = pin(async {
            let room = [1_u8; 4096];
            std::future::ready(()).await;
            text.len() + usize::from(room[4095])
        });
        assert_eq!(large.as_mut().poll(&mut context), std::task::Poll::Ready(9));
    }
}
