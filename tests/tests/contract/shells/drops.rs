//! The future of a scope is dropped wherever it may wait: nothing is left, nothing is dropped twice.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::task::{Context, Poll, Wake, Waker};

use futures::future::BoxFuture;
use wg::{Options, options};
use wg_tests::Dice;

use super::program::{Program, Run, Step, Way, spawn};
use super::{Passed, Room, random, yield_now};

/// How often a runtime is given its turn until everything that was aborted has to be gone.
const TURNS: usize = 1_000;

/// A waker that counts.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// Tasks that spawn tasks, some joined and some not, and scopes in scopes.
fn busy() -> Program {
    let inner = [
        spawn("x", [Step::Yield, Step::Work, Step::Value(1)]),
        spawn("y", [Step::Work, Step::Value(2)]),
        spawn("z", []),
        Step::Leave("z"),
        Step::AwaitAll,
    ];
    let inner = || Program::from(inner.clone());
    let spawning = [
        Step::Yield,
        spawn("first", [Step::Yield, Step::Value(4)]),
        spawn("second", [Step::Yield, Step::Yield, Step::Yield, Step::Value(8)]),
        spawn("third", [spawn("deep", [Step::Yield, Step::Value(16)]), Step::AwaitAll]),
        Step::Leave("first"),
        Step::Join("second"),
        Step::Yield,
        Step::AwaitAll,
    ];
    Program::from([
        spawn("spawning", spawning),
        spawn("inside", [Step::Within(options().limit(1), Way::Try, inner()), Step::Yield]),
        spawn("nobody's", [Step::Yield, Step::Work, spawn("late", [Step::Yield, Step::Work])]),
        spawn("waiting", [Step::Work, Step::Value(32)]),
        Step::Yield,
        Step::Leave("nobody's"),
        Step::Join("spawning"),
        Step::Within(options(), Way::Collect, inner()),
        Step::Yield,
        Step::AwaitAll,
    ])
}

/// What [`busy`] returns.
const SUM: u64 = 8 + 16 + 3 + 32 + 3;

fn poll_once(future: &mut BoxFuture<'static, Passed>, waker: &Waker) -> Poll<Passed> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

#[track_caller]
fn all_is_dropped_once(run: &Run, polls: usize) {
    let drops = run.register.drops();
    assert!(drops.iter().all(|&drops| drops == 1), "after {polls} polls: {drops:?}");
}

/// Polls a local scope so often, and drops it. Returns what it returned, if it was ready.
fn local_dropped_after(polls: usize, options: &Options, program: &Program) -> Option<u64> {
    let run = Arc::<Run>::default();
    let way = Way::Try;
    let mut scope = wg::local::TryScope::enter(options, way, Arc::clone(&run), Arc::clone(program));
    let woken = Arc::<Woken>::default();
    let waker = Waker::from(Arc::clone(&woken));
    let mut number = None;
    for poll in 1..=polls {
        let before = woken.0.load(SeqCst);
        if let Poll::Ready(passed) = poll_once(&mut scope, &waker) {
            number = Some(passed.unwrap().number);
            break;
        }
        // There is no timer, and no other thread: nobody else would wake it.
        assert!(woken.0.load(SeqCst) > before, "poll {poll} has left it asleep for ever");
    }
    drop(scope);
    all_is_dropped_once(&run, polls);
    number
}

/// As `local_dropped_after`, on a runtime, whose tasks have their turn between the polls.
async fn tokio_dropped_after(polls: usize, options: &Options, program: &Program) -> Option<u64> {
    let run = Arc::<Run>::default();
    let way = Way::Try;
    let mut scope = wg::tokio::TryScope::enter(options, way, Arc::clone(&run), Arc::clone(program));
    let mut number = None;
    for _ in 0..polls {
        if let Poll::Ready(passed) = poll_once(&mut scope, Waker::noop()) {
            number = Some(passed.unwrap().number);
            break;
        }
        yield_now().await;
    }
    drop(scope);
    for _ in 0..TURNS {
        if run.register.drops().iter().all(|&drops| drops > 0) {
            break;
        }
        yield_now().await;
    }
    all_is_dropped_once(&run, polls);
    number
}

#[test]
fn rule_24_a_local_scope_is_dropped_after_every_poll_and_drops_everything_once() {
    for options in [options().limit(1), options().limit(2), options()] {
        let program = busy();
        let mut polls = 0;
        let number = loop {
            if let Some(number) = local_dropped_after(polls, &options, &program) {
                break number;
            }
            polls += 1;
        };
        assert_eq!(number, SUM);
        assert!(polls > 3, "it was ready after {polls} polls");
    }
}

#[test]
fn rule_24_a_scope_on_tokio_is_dropped_after_every_poll_and_everything_is_dropped_once() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for options in [options().limit(1), options().limit(2), options()] {
        let program = busy();
        let mut polls = 0;
        let number = loop {
            let dropped = tokio_dropped_after(polls, &options, &program);
            if let Some(number) = runtime.block_on(dropped) {
                break number;
            }
            polls += 1;
        };
        assert_eq!(number, SUM);
        assert!(polls > 3, "it was ready after {polls} polls");
    }
}

#[test]
fn rule_24_random_scopes_are_dropped_after_every_poll() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for seed in 1..=40 {
        let program = random::peaceful(&mut Dice(seed * 0x9E37), 3);
        let options = options().limit(1 + seed as usize % 3);
        let mut polls = 0;
        let here = loop {
            if let Some(number) = local_dropped_after(polls, &options, &program) {
                break number;
            }
            polls += 1;
        };
        polls = 0;
        let there = loop {
            let dropped = tokio_dropped_after(polls, &options, &program);
            if let Some(number) = runtime.block_on(dropped) {
                break number;
            }
            polls += 1;
        };
        assert_eq!(here, there, "with seed {seed}");
    }
}

#[test]
fn rule_24_a_scope_that_is_never_polled_starts_nothing() {
    assert_eq!(local_dropped_after(0, &options(), &busy()), None);
    let run = Arc::<Run>::default();
    drop(wg::tokio::TryScope::enter(&options(), Way::Try, Arc::clone(&run), busy()));
    assert!(run.register.drops().is_empty());
}
