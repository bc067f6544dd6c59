//! Results that nobody reads, or not all of them: who is not blocked, what is not run, and that
//! everything is dropped; and all of it at random.

use std::collections::BTreeSet;
use std::mem::forget;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicIsize, AtomicUsize};
use std::sync::mpsc::channel;
use std::time::Duration;

use wg::{Results, Scope, TryResults, TrySpawner};
use wg_tests::{Bang, Bomb, Boom, Counted, bang, caught, payload, until};

/// Spawns ten tasks of which none can begin before `leave` is through with their results. Returns
/// how many of them ran, how many of their captures and results were dropped, and how many tasks
/// were cancelled.
fn leaves_ten(leave: impl Fn(TryResults<'_, '_, Counted<'_>, ()>) + Sync) -> [usize; 4] {
    let [ran, captures, values] = [const { AtomicUsize::new(0) }; 3];
    let (other, errors) = wg::options().limit(1).collect_scope(|s| {
        let all = s.spawn(|| {
            let results = s.results();
            for _ in 0..10 {
                let capture = Counted(&captures);
                results.spawn(|| {
                    drop(capture);
                    ran.fetch_add(1, Relaxed);
                    Ok(Counted(&values))
                });
            }
            leave(results);
            Ok(())
        });
        drop(all);
        s.spawn(|| Ok(7)).join_timeout(Duration::MAX).ok()
    });
    assert_eq!(other, Some(Ok(7)), "others of the scope go on");
    assert!(errors.is_empty());
    let counts = [ran, captures, values].map(AtomicUsize::into_inner);
    [counts[0], counts[1], counts[2], errors.cancelled()]
}

#[test]
fn rule_16_when_the_receiver_goes_what_has_not_begun_is_cancelled() {
    assert_eq!(leaves_ten(|results| drop(results)), [0, 10, 0, 10]);
}

#[test]
fn rule_16_if_asked_the_rest_runs_and_is_discarded() {
    assert_eq!(leaves_ten(|results| results.discard_rest()), [10, 10, 10, 0]);
}

#[test]
fn rule_16_a_receiver_that_goes_midway_lets_run_what_runs() {
    let (send, receive) = channel::<()>();
    let (values, late) = (AtomicUsize::new(0), AtomicUsize::new(0));
    wg::scope(|s| {
        let results = s.results();
        for _ in 0..5 {
            results.spawn(|| Counted(&values));
        }
        let (late, values) = (&late, &values);
        let (begin, begun) = channel::<()>();
        results.spawn(move || {
            drop(begin);
            let _ = receive.recv();
            late.fetch_add(1, Relaxed);
            Counted(values)
        });
        assert_eq!(results.as_completed().take(3).count(), 3);
        begun.into_iter().count();
        until(|| results.outstanding() == 1);
        let more = results.spawner();
        assert!(!more.is_closed());
        drop(results);
        assert_eq!(values.load(Relaxed), 5);
        assert!(more.is_closed());
        more.spawn(|| unreachable!("nobody wants it"));
        drop(send);
    });
    assert_eq!((values.into_inner(), late.into_inner()), (6, 1));
}

#[test]
fn rule_16_a_receiver_that_goes_lets_those_go_on_who_wait_at_a_bound() {
    let values = AtomicUsize::new(0);
    wg::scope(|s| {
        let results = s.results_bounded(1);
        for _ in 0..5 {
            results.spawn(|| Counted(&values));
        }
        until(|| results.outstanding() == 0);
        drop(results);
        until(|| s.counts().running == 0);
        assert_eq!(values.load(Relaxed), 5);
    });
}

#[test]
fn rule_16_results_that_are_forgotten_block_nobody() {
    wg::scope(|s| {
        let results = s.results();
        for n in 0..100_usize {
            results.spawn(move || n);
        }
        forget(results);
    });
}

#[test]
fn rule_01_what_waits_when_the_body_unwinds_is_dropped_before_the_scope_returns() {
    let values = AtomicUsize::new(0);
    let bang = caught::<Bang, _>(|| {
        wg::scope(|s| {
            let results = s.results();
            for _ in 0..10 {
                results.spawn(|| Counted(&values));
            }
            until(|| results.outstanding() == 0);
            assert!(results.in_order().nth(2).is_some());
            bang(60)
        })
    });
    assert_eq!((bang, values.into_inner()), (Bang(60), 10));
}

/// Opens a scope in which results of `body` are dropped whose drop panics.
fn goes_off<'env>(body: impl for<'scope> FnOnce(&'scope Scope<'scope, 'env>)) {
    let boom = caught::<Boom, _>(|| wg::scope(body));
    assert_eq!(boom, Boom);
}

#[test]
fn rule_01_bombs_that_wait_when_the_receiver_goes_are_panics_of_their_tasks() {
    let after = AtomicUsize::new(0);
    goes_off(|s| {
        let results = s.results();
        for number in 0..10 {
            results.task("bomb").spawn(move || Bomb::new(number));
        }
        until(|| results.outstanding() == 0);
        let _held_back = results.in_order().next().map(forget);
        drop(results);
        // It was the tasks that panicked and not the body, which goes on.
        let wg::Cause::Panicked(task, _) = s.cancelled_by().unwrap() else { panic!("no panic") };
        assert_eq!((task.name(), task.index()), (Some("bomb"), 1));
        after.store(1, Relaxed);
    });
    assert_eq!(after.into_inner(), 1);
}

#[test]
fn rule_01_bombs_that_come_when_the_receiver_is_gone_are_panics_of_their_tasks() {
    goes_off(|s| {
        let results = s.results();
        let (send, receive) = channel::<()>();
        let (begin, begun) = channel::<()>();
        results.spawn(move || {
            drop(begin);
            let _ = receive.recv();
            Bomb::new(0)
        });
        begun.into_iter().count();
        drop(results);
        drop(send);
    });
}

#[test]
fn rule_01_bombs_that_are_discarded_are_panics_of_their_tasks() {
    goes_off(|s| {
        let results = s.results();
        for number in 0..10 {
            results.spawn(move || Bomb::new(number));
        }
        results.discard_rest();
    });
}

#[test]
fn rule_01_bombs_in_closures_that_nobody_wants_are_panics_of_their_tasks() {
    goes_off(|s| {
        let results = s.results();
        let more = results.spawner();
        drop(results);
        for number in 0..10 {
            let bomb = Bomb::new(number);
            more.spawn(move || forget(bomb));
        }
    });
}

#[test]
fn rule_01_bombs_that_go_off_while_the_body_unwinds_abort_nothing() {
    let first = payload(|| {
        wg::scope(|s| {
            let results = s.results_bounded(2);
            for number in 0..5 {
                results.spawn(move || Bomb::new(number));
            }
            until(|| results.outstanding() == 0);
            bang(61)
        })
    });
    assert!(first.is::<Bang>());
}

#[test]
fn rule_01_where_panics_are_failures_those_of_bombs_are_too() {
    let ((), errors) = wg::options().catch_panics().collect_scope::<_, _, ()>(|s| {
        let results = s.results();
        let more = results.spawner();
        for number in 0..3 {
            results.spawn(move || Ok(Bomb::new(number)));
        }
        until(|| results.outstanding() == 0);
        drop(results);
        let bomb = Bomb::new(3);
        more.spawn(move || Ok(bomb));
    });
    assert_eq!(errors.len(), 4);
}

/// Something whose number at any time is known, and the most there were.
struct Live<'a>(&'a Census);

#[derive(Default)]
struct Census {
    now: AtomicIsize,
    most: AtomicIsize,
}

impl Census {
    fn live(&self) -> Live<'_> {
        self.most.fetch_max(self.now.fetch_add(1, Relaxed) + 1, Relaxed);
        Live(self)
    }
}

impl Drop for Live<'_> {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Relaxed);
    }
}

#[test]
fn rule_16_a_million_results_pass_through_one_scope_in_constant_memory() {
    const WINDOW: usize = 64;
    let census = Census::default();
    wg::scope(|s| {
        let (census, results) = (&census, s.results());
        let mut received = 0;
        for spawned in 1..=1_000_000_usize {
            let capture = census.live();
            results.spawn(move || {
                let _capture = capture;
                census.live()
            });
            while spawned - received == WINDOW {
                drop(results.recv().unwrap());
                received += 1;
            }
        }
        assert_eq!(received + results.as_completed().count(), 1_000_000);
    });
    // Of each task its capture, its value, or both.
    let most = census.most.into_inner();
    assert!(most <= 2 * WINDOW as isize, "{most} at once");
    assert_eq!(census.now.into_inner(), 0);
}

/// Xorshift: dice that cost next to nothing.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }
}

/// What is counted in one case.
#[derive(Default)]
struct Counts {
    /// Closures made, and dropped or run to their end.
    tasks: AtomicUsize,
    over: AtomicUsize,
    sent: AtomicUsize,
    dropped: AtomicUsize,
}

/// What a task does besides returning a value.
#[derive(Clone, Copy)]
enum Deed {
    Nothing,
    Yield,
    Panic,
    Nest,
    Cancel,
}

/// A closure's capture: it counts the closure's end, however that comes about.
struct Over<'a>(&'a Counts);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.over.fetch_add(1, SeqCst);
    }
}

type More<'scope, 'env> = TrySpawner<'scope, 'env, Counted<'env>, ()>;

fn spawn<'scope, 'env: 'scope>(
    scope: &'scope Scope<'scope, 'env>,
    more: &More<'scope, 'env>,
    counts: &'env Counts,
    deed: Deed,
) {
    counts.tasks.fetch_add(1, SeqCst);
    let (over, below) = (Over(counts), more.clone());
    more.spawn(move || {
        let _over = over;
        match deed {
            Deed::Nothing => {}
            Deed::Yield => std::thread::yield_now(),
            Deed::Panic => bang(62),
            Deed::Nest => spawn(scope, &below, counts, Deed::Nothing),
            Deed::Cancel => _ = scope.cancel("at random"),
        }
        counts.sent.fetch_add(1, SeqCst);
        Ok(Counted(&counts.dropped))
    });
}

fn one_case(seed: u64) {
    let dice = &mut Dice(seed);
    let mut options = wg::options().catch_panics();
    let limit = dice.below(4);
    if limit > 0 {
        options = options.limit(limit as usize);
    }
    let deeds: Vec<_> = (0..dice.below(6))
        .map(|_| match dice.below(40) {
            0..=19 => Deed::Nothing,
            20..=27 => Deed::Yield,
            28..=31 => Deed::Panic,
            32..=38 => Deed::Nest,
            _ => Deed::Cancel,
        })
        .collect();
    let (bound, reading, in_a_task) = (dice.below(4), dice.below(10), dice.below(3) == 0);
    let counts = Counts::default();
    let ((), _) = options.collect_scope(|s| {
        let work = || {
            let results = match bound {
                0 => s.results(),
                bound => s.results_bounded(bound as usize),
            };
            for &deed in &deeds {
                // By the end of it that is at the reader.
                spawn(s, &results.task("random"), &counts, deed);
            }
            read(s, results, &counts, reading);
            Ok(())
        };
        if in_a_task {
            s.spawn(work);
        } else {
            work().unwrap_or_default();
        }
    });
    assert_eq!(counts.over.load(SeqCst), counts.tasks.load(SeqCst), "{seed}: closures");
    assert_eq!(counts.dropped.load(SeqCst), counts.sent.load(SeqCst), "{seed}: values");
}

fn read<'env>(
    s: &Scope<'_, 'env>,
    results: TryResults<'_, 'env, Counted<'env>, ()>,
    counts: &Counts,
    reading: u64,
) {
    let received = match reading {
        0 => return,
        1 => return results.discard_rest(),
        2 => return drop(results.as_completed().next()),
        3 => return drop(results.in_order().next()),
        4..7 => results.in_order().count(),
        _ => {
            let seen: Vec<_> = results.as_completed().map(|(number, _)| number).collect();
            let numbers = seen.iter().copied().collect::<BTreeSet<_>>();
            assert_eq!(numbers.len(), seen.len(), "each once");
            seen.len()
        }
    };
    if !s.is_cancelled() {
        assert_eq!(results.outstanding(), 0, "not early");
        assert_eq!(counts.over.load(SeqCst), counts.tasks.load(SeqCst), "not early");
        assert_eq!(counts.sent.load(SeqCst), received, "none missing");
    }
}

/// `WG_STRESS_ROUNDS` says how many, each of which is a hundred of others'; the default is for
/// `cargo test`.
#[test]
fn rule_16_at_random_nothing_ends_early_or_is_missing_or_left() {
    let rounds = std::env::var("WG_STRESS_ROUNDS");
    let rounds: u64 = rounds.map_or(1_000_000, |rounds| rounds.parse().expect("a number"));
    let rounds = rounds.div_ceil(100);
    for seed in 1..=rounds {
        one_case(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    }
}

#[test]
fn rule_04_the_reading_end_may_be_moved_to_another_thread_and_not_be_shared() {
    fn is_send<T: Send>(_: &T) {}
    wg::scope(|s| {
        let results: Results<'_, '_, u32> = s.results();
        is_send(&results);
        is_send(&results.spawner());
    });
}
