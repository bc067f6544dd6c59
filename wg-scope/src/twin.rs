//! What a task and its handle share: which task it is, and its outcome, on the way from one to the other.
//!
//! There is one giver, the task, and one taker, its handle. The outcome is the giver's until that has
//! entered that it is there, and then the taker's: it goes over with one change of the state. The waker of
//! who awaits it goes the other way likewise. Whoever lets go last frees both.
#![allow(unsafe_code)]

use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::ptr::{self, NonNull};
use std::task::Waker;

use wg_core::sync::{AtomicU64, Ordering, UnsafeCell};

use crate::blocks::{self, Held};
use crate::ending::Laid;
use crate::outcome::Outcome;

/// The giver has laid the outcome down, and does not touch it any more.
const LAID: u64 = 1;
/// The taker has left a waker, for the giver that lays down, and does not touch it any more unless it takes
/// this back before.
const AWAITED: u64 = 2;
/// The taker does not want the outcome.
const UNWANTED: u64 = 4;
/// One of them has let go.
const HALVED: u64 = 8;

/// What both share. `C` is what both may look at.
pub(crate) struct Twin<T, C: ?Sized> {
    state: AtomicU64,
    waker: UnsafeCell<Option<Waker>>,
    /// With its place in the order of failures.
    outcome: UnsafeCell<Option<(Outcome<T>, usize)>>,
    common: C,
}

/// The task's part.
pub(crate) struct Giver<T, C>(NonNull<Twin<T, C>>);

/// The handle's part.
pub(crate) struct Taker<T, C: ?Sized>(NonNull<Twin<T, C>>);

// SAFETY: What is common is shared by two threads, and dropped by either. An outcome goes from one to the
// other; as one has it at a time, nobody shares it. So does a waker, which may.
unsafe impl<T: Send, C: Send + Sync> Send for Giver<T, C> {}
// SAFETY: As above. By reference it lends what is common.
unsafe impl<T: Send, C: Send + Sync> Sync for Giver<T, C> {}
// SAFETY: As above.
unsafe impl<T: Send, C: Send + Sync + ?Sized> Send for Taker<T, C> {}
// SAFETY: As above.
unsafe impl<T: Send, C: Send + Sync + ?Sized> Sync for Taker<T, C> {}

/// Makes both parts, of which the taker's forgets all of the type but a trait: `unsize` returns what it
/// gets, as that.
///
/// # Panics
///
/// If it returns something else.
#[inline]
pub(crate) fn twins<T, C, D: ?Sized>(
    common: impl FnOnce() -> C,
    unsize: impl for<'a> FnOnce(&'a mut Twin<T, C>) -> &'a mut Twin<T, D>,
) -> (Giver<T, C>, Taker<T, D>) {
    let mut place = blocks::put_made(|| Twin {
        state: AtomicU64::new(0),
        waker: UnsafeCell::new(None),
        outcome: UnsafeCell::new(None),
        common: common(),
    });
    // SAFETY: It was made just now, and is nobody else's yet.
    let other = NonNull::from(unsize(unsafe { place.as_mut() }));
    // Nothing else of such a type can lie there: they are made here, and nowhere inside of each other.
    assert!(ptr::addr_eq(place.as_ptr(), other.as_ptr()), "it is the same one");
    // Both by the same pointer: what one writes by an older one would take its right from the other.
    (Giver(other.cast()), Taker(other))
}

impl<T, C: ?Sized> Twin<T, C> {
    /// Whether one of both has let go. Then what that did is over.
    #[inline]
    fn is_halved(&self) -> bool {
        // ORDERING: Acquire pairs with the Release of the one who lets go.
        self.state.load(Ordering::Acquire) & HALVED != 0
    }

    /// Lets go of it.
    ///
    /// # Safety
    ///
    /// `twin` must be that of a giver or taker, which is not used any more.
    #[inline]
    unsafe fn let_go(twin: NonNull<Self>) {
        // SAFETY: This one has not let go yet, so it is there.
        let this = unsafe { twin.as_ref() };
        // ORDERING: Release hands what this one did to the other, who frees it, and Acquire has the last see
        // that.
        if this.is_halved() || this.state.fetch_or(HALVED, Ordering::AcqRel) & HALVED != 0 {
            // SAFETY: It was made by `put_made`, and the other one has let go.
            drop(unsafe { Held::of(twin) });
        }
    }
}

impl<T, C> Giver<T, C> {
    fn twin(&self) -> &Twin<T, C> {
        // SAFETY: It is there until this one lets go, and only lent for reading.
        unsafe { self.0.as_ref() }
    }

    /// Lays the outcome down, or gives it back if nobody wants it. What is returned may be the user's.
    ///
    /// # Panics
    ///
    /// If that was done before.
    #[inline]
    pub(crate) fn give(&mut self, outcome: Outcome<T>, order: usize) -> Laid<T> {
        let twin = self.twin();
        // ORDERING: Relaxed. Only this one lays down; and whether it is wanted is asked again below.
        let before = twin.state.load(Ordering::Relaxed);
        assert!(before & LAID == 0, "a task ends once");
        if before & UNWANTED != 0 {
            return Laid::Unclaimed(outcome, order);
        }
        // SAFETY: There is one giver, which is borrowed, and the taker does not look before it is laid down.
        twin.outcome.with_mut(|place| unsafe { *place = Some((outcome, order)) });
        // ORDERING: Release lays it down for the taker, and Acquire pairs with the entry of the waker.
        let before = twin.state.fetch_or(LAID, Ordering::AcqRel);
        if before & (UNWANTED | AWAITED) == 0 {
            return Laid::Claimed(None);
        }
        if before & UNWANTED == 0 {
            // SAFETY: The taker has left it before, and sees from now on that it is not its own any more.
            let waker = twin.waker.with_mut(|place| unsafe { (*place).take() });
            return Laid::Claimed(waker);
        }
        // SAFETY: The taker has given it up before, without looking, and is used up.
        let back = twin.outcome.with_mut(|place| unsafe { (*place).take() });
        let (outcome, order) = back.expect("it was laid down just now");
        Laid::Unclaimed(outcome, order)
    }

    /// Whether there is no taker any more.
    pub(crate) fn is_only(&self) -> bool {
        self.twin().is_halved()
    }

    /// Takes out what both could look at, if there is no taker any more.
    pub(crate) fn try_unwrap(self) -> Result<C, Self> {
        if !self.is_only() {
            return Err(self);
        }
        // SAFETY: It was made by `put_made`, and the taker has let go. It is not used any more below.
        let held = unsafe { Held::of(ManuallyDrop::new(self).0) };
        Ok(held.into_inner().common)
    }
}

impl<T, C> Deref for Giver<T, C> {
    type Target = C;

    #[inline]
    fn deref(&self) -> &C {
        &self.twin().common
    }
}

impl<T, C> Drop for Giver<T, C> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: It is the giver's, which goes.
        unsafe { Twin::let_go(self.0) };
    }
}

impl<T, C: ?Sized> Taker<T, C> {
    fn twin(&self) -> &Twin<T, C> {
        // SAFETY: It is there until this one lets go, and only lent for reading.
        unsafe { self.0.as_ref() }
    }

    /// Whether the outcome is there, or was.
    #[inline]
    pub(crate) fn is_laid(&self) -> bool {
        // ORDERING: Acquire pairs with the giver's laying down.
        self.twin().state.load(Ordering::Acquire) & LAID != 0
    }

    /// Takes the outcome if it is there.
    ///
    /// # Panics
    ///
    /// If it was taken before.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<Outcome<T>> {
        if !self.is_laid() {
            return None;
        }
        // SAFETY: The giver does not touch it any more, and there is one taker, which is borrowed.
        let laid = self.twin().outcome.with_mut(|place| unsafe { (*place).take() });
        Some(laid.expect("the outcome of a task is taken once").0)
    }

    /// Takes the outcome if it is there; otherwise `waker` is woken when it is.
    pub(crate) fn take_or_wait(&mut self, waker: &Waker) -> Option<Outcome<T>> {
        if let Some(outcome) = self.take() {
            return Some(outcome);
        }
        // A waker's methods are anybody's code. What is here of them goes when all else is done.
        let waker = waker.clone();
        let _before = self.recall();
        if self.is_laid() {
            return self.take();
        }
        // SAFETY: No waker is entered, so the giver does not look.
        self.twin().waker.with_mut(|place| unsafe { *place = Some(waker) });
        // ORDERING: Release hands the waker to the giver. Where that has laid down, this is looked at again.
        if self.twin().state.fetch_or(AWAITED, Ordering::Release) & LAID == 0 {
            return None;
        }
        // SAFETY: When the giver laid down no waker was entered, so it does not look.
        let _waker = self.twin().waker.with_mut(|place| unsafe { (*place).take() });
        self.take()
    }

    /// Takes back the waker that was left, if there is one that is not the giver's by now.
    fn recall(&mut self) -> Option<Waker> {
        let state = &self.twin().state;
        // ORDERING: Relaxed. Only the taker sets this, and takes it back.
        if state.load(Ordering::Relaxed) & AWAITED == 0 {
            return None;
        }
        // ORDERING: Relaxed. Nothing goes over by this: whether the giver looks depends on the order of these
        // changes alone, and where it has laid down that is looked at again.
        if state.fetch_and(!AWAITED, Ordering::Relaxed) & LAID != 0 {
            return None;
        }
        // SAFETY: It was taken back before the giver laid down, so that will not look.
        self.twin().waker.with_mut(|place| unsafe { (*place).take() })
    }

    /// Gives the outcome up. `forgo` gets it if it is there and was not taken; if it is still to come, it
    /// comes back to the giver.
    pub(crate) fn give_up(mut self, forgo: impl FnOnce(&C, Outcome<T>, usize)) {
        // Where it is laid the giver has looked for the waker.
        let _waker = if self.is_laid() { None } else { self.recall() };
        // ORDERING: Acquire as in `is_laid`. Nothing of this one's goes to the giver.
        if !self.is_laid() && self.twin().state.fetch_or(UNWANTED, Ordering::Acquire) & LAID == 0 {
            // From here on the place is the giver's for good.
            return;
        }
        // SAFETY: The giver does not touch it any more, and there is one taker, which is used up.
        let laid = self.twin().outcome.with_mut(|place| unsafe { (*place).take() });
        if let Some((outcome, order)) = laid {
            forgo(&self, outcome, order);
        }
    }
}

impl<T, C: ?Sized> Deref for Taker<T, C> {
    type Target = C;

    #[inline]
    fn deref(&self) -> &C {
        &self.twin().common
    }
}

impl<T, C: ?Sized> Drop for Taker<T, C> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: It is the taker's, which goes.
        unsafe { Twin::let_go(self.0) };
    }
}

#[cfg(all(test, not(wg_loom)))]
mod tests {
    use std::cell::Cell;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::task::Wake;

    use super::*;

    /// What is common: what is asked of it, and how often one was dropped.
    trait Named {
        fn name(&self) -> &str;
    }

    struct Common<'a>(&'a str, &'a Cell<usize>);

    impl Named for Common<'_> {
        fn name(&self) -> &str {
            self.0
        }
    }

    impl Drop for Common<'_> {
        fn drop(&mut self) {
            self.1.set(self.1.get() + 1);
        }
    }

    type Both<'a> = (Giver<String, Common<'a>>, Taker<String, dyn Named + 'a>);

    fn both<'a>(dropped: &'a Cell<usize>) -> Both<'a> {
        twins::<_, _, dyn Named + 'a>(|| Common("both", dropped), |it| it)
    }

    fn value() -> Outcome<String> {
        Outcome::Value("came".to_owned())
    }

    fn is_value(outcome: Option<Outcome<String>>) -> bool {
        matches!(outcome, Some(Outcome::Value(text)) if text == "came")
    }

    #[derive(Default)]
    struct Rings(AtomicUsize);

    impl Wake for Rings {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    #[test]
    fn an_outcome_is_taken_after_it_was_given_and_what_is_common_goes_with_the_last() {
        let dropped = Cell::new(0);
        for giver_is_last in [false, true] {
            let (mut giver, mut taker) = both(&dropped);
            assert!(taker.take().is_none() && !taker.is_laid());
            assert_eq!((giver.name(), taker.name()), ("both", "both"));
            assert!(matches!(giver.give(value(), 0), Laid::Claimed(None)));
            assert!(taker.is_laid() && is_value(taker.take()));
            let before = dropped.get();
            if giver_is_last {
                drop(taker);
                assert!(giver.is_only() && dropped.get() == before);
                drop(giver);
            } else {
                drop(giver);
                assert!(dropped.get() == before);
                drop(taker);
            }
            assert_eq!(dropped.get(), before + 1);
        }
    }

    #[test]
    fn the_waker_that_was_left_last_comes_back_and_is_the_only_one_that_is_kept() {
        let dropped = Cell::new(0);
        let (mut giver, mut taker) = both(&dropped);
        let (first, last) = (Arc::new(Rings::default()), Arc::new(Rings::default()));
        assert!(taker.take_or_wait(&Waker::from(Arc::clone(&first))).is_none());
        assert_eq!(Arc::strong_count(&first), 2);
        assert!(taker.take_or_wait(&Waker::from(Arc::clone(&last))).is_none());
        assert_eq!(Arc::strong_count(&first), 1);
        let Laid::Claimed(Some(waker)) = giver.give(value(), 0) else { panic!("it is awaited") };
        waker.wake();
        assert_eq!((first.0.load(Relaxed), last.0.load(Relaxed)), (0, 1));
        assert!(is_value(taker.take_or_wait(Waker::noop())));
    }

    #[test]
    fn an_outcome_that_was_given_up_goes_to_whoever_finds_it() {
        let dropped = Cell::new(0);
        let (mut giver, taker) = both(&dropped);
        assert!(matches!(giver.give(value(), 7), Laid::Claimed(None)));
        let found = Cell::new(false);
        taker.give_up(|common, outcome, order| {
            found.set(common.name() == "both" && is_value(Some(outcome)) && order == 7);
        });
        assert!(found.get());

        let (mut giver, mut taker) = both(&dropped);
        let rings = Arc::new(Rings::default());
        assert!(taker.take_or_wait(&Waker::from(Arc::clone(&rings))).is_none());
        taker.give_up(|_, _, _| panic!("there was nothing"));
        assert_eq!(Arc::strong_count(&rings), 1, "nobody is to be woken any more");
        let Laid::Unclaimed(back, 7) = giver.give(value(), 7) else { panic!("nobody wants it") };
        assert!(is_value(Some(back)));
    }

    #[test]
    fn what_is_common_comes_out_when_the_taker_has_gone() {
        let dropped = Cell::new(0);
        let (giver, taker) = both(&dropped);
        let giver = giver.try_unwrap().err().expect("there is a taker");
        taker.give_up(|_, _, _| ());
        let common = giver.try_unwrap().ok().expect("there is none");
        assert_eq!((common.name(), dropped.get()), ("both", 0));
        drop(common);
        assert_eq!(dropped.get(), 1);
    }

    #[test]
    fn a_second_outcome_and_a_second_taking_are_refused() {
        use std::panic::{AssertUnwindSafe, catch_unwind};

        let dropped = Cell::new(0);
        let (mut giver, mut taker) = both(&dropped);
        let _ = giver.give(value(), 0);
        assert!(catch_unwind(AssertUnwindSafe(|| giver.give(value(), 0))).is_err());
        assert!(is_value(taker.take()));
        assert!(catch_unwind(AssertUnwindSafe(|| taker.take())).is_err());
    }
}

/// The one who gives and the one who takes, in every order that the bound allows.
#[cfg(all(test, wg_loom))]
mod models {
    use std::future::poll_fn;
    use std::sync::Arc;
    use std::task::Poll;

    use loom::future::block_on;
    use loom::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use loom::thread::{spawn, yield_now};

    use super::*;

    fn explore(model: impl Fn() + Send + Sync + 'static) {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = builder.preemption_bound.or(Some(4));
        wg_core::sync::rely_on_unpark();
        builder.check(model);
    }

    /// Counts its drop where loom watches: what is not in order is found.
    struct Dropped(Arc<AtomicUsize>);

    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    /// Tells who drops it that both have done their part.
    #[derive(Default)]
    struct Parts(AtomicUsize, AtomicUsize);

    impl Drop for Parts {
        fn drop(&mut self) {
            assert_eq!((self.0.load(Relaxed), self.1.load(Relaxed)), (1, 1), "dropped too early");
        }
    }

    fn both() -> (Giver<Dropped, Parts>, Taker<Dropped, Parts>) {
        twins::<Dropped, Parts, Parts>(Parts::default, |it| it)
    }

    fn wait(taker: &mut Taker<Dropped, Parts>) -> Outcome<Dropped> {
        block_on(poll_fn(|context| match taker.take_or_wait(context.waker()) {
            Some(outcome) => Poll::Ready(outcome),
            None => Poll::Pending,
        }))
    }

    /// Gives one outcome, and does what follows. Returns whether it came back.
    fn give(mut giver: Giver<Dropped, Parts>, dropped: Arc<AtomicUsize>) -> bool {
        giver.twin().common.0.store(1, Relaxed);
        match giver.give(Outcome::Value(Dropped(dropped)), 0) {
            Laid::Claimed(waker) => {
                waker.into_iter().for_each(Waker::wake);
                false
            }
            Laid::Unclaimed(outcome, _) => {
                drop(outcome);
                true
            }
        }
    }

    #[test]
    fn rule_23_who_awaits_an_outcome_is_woken_and_sees_what_the_task_did() {
        explore(|| {
            let dropped = Arc::new(AtomicUsize::new(0));
            let (giver, mut taker) = both();
            let its = Arc::clone(&dropped);
            let other = spawn(move || give(giver, its));
            let outcome = wait(&mut taker);
            taker.twin().common.1.store(1, Relaxed);
            assert_eq!(taker.twin().common.0.load(Relaxed), 1, "it is seen what the task did");
            assert_eq!(dropped.load(Relaxed), 0);
            drop((outcome, taker));
            assert_eq!(dropped.load(Relaxed), 1);
            other.join().unwrap();
        });
    }

    #[test]
    fn rule_26_who_awaits_by_one_waker_and_then_by_another_is_woken_by_that() {
        explore(|| {
            let dropped = Arc::new(AtomicUsize::new(0));
            let (giver, mut taker) = both();
            let its = Arc::clone(&dropped);
            let other = spawn(move || give(giver, its));
            taker.twin().common.1.store(1, Relaxed);
            let outcome = taker.take_or_wait(Waker::noop()).unwrap_or_else(|| wait(&mut taker));
            drop((outcome, taker));
            assert_eq!(dropped.load(Relaxed), 1);
            other.join().unwrap();
        });
    }

    fn is_found_once(waits: bool) {
        explore(move || {
            let dropped = Arc::new(AtomicUsize::new(0));
            let (giver, mut taker) = both();
            let its = Arc::clone(&dropped);
            let other = spawn(move || give(giver, its));
            taker.twin().common.1.store(1, Relaxed);
            let waited = if waits { taker.take_or_wait(Waker::noop()) } else { None };
            let mut found = waited.is_some();
            match waited {
                Some(outcome) => drop(outcome),
                None => taker.give_up(|_, outcome, _| {
                    found = true;
                    drop(outcome);
                }),
            }
            assert!(other.join().unwrap() != found, "by one of them");
            assert_eq!(dropped.load(Relaxed), 1);
        });
    }

    #[test]
    fn rule_01_an_outcome_that_is_given_up_while_it_comes_is_found_once() {
        is_found_once(true);
    }

    #[test]
    fn rule_01_an_outcome_that_nobody_awaited_is_found_once() {
        is_found_once(false);
    }

    #[test]
    fn who_takes_out_what_was_common_sees_what_the_other_did() {
        explore(|| {
            let (giver, taker) = both();
            giver.twin().common.0.store(1, Relaxed);
            let other = spawn(move || {
                taker.twin().common.1.store(1, Relaxed);
                drop(taker);
            });
            // Where it only looked once, loom would have it look first, always.
            while !giver.is_only() {
                yield_now();
            }
            drop(giver.try_unwrap().ok().expect("nobody else holds it"));
            other.join().unwrap();
        });
    }
}
