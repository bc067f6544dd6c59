//! Storms on scopes of futures, in the current task and on tokio: panics and drops wherever there can be
//! one, cancels while tasks are spawned, deadlines while they end. The numbers are those of the checks
//! that this project has set itself.
//!
//! `WG_STRESS_ROUNDS` says how many rounds; the default is for `cargo test`.
#![forbid(unsafe_code)]

use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::executor::block_on;
use futures::future::BoxFuture;
use wg::{Cause, Policy, Stopped};
use wg_tests::{Bang, Bomb, Boom, Counted, Dice, bang, payload};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn rounds(default: usize) -> usize {
    let rounds = std::env::var("WG_STRESS_ROUNDS");
    rounds.map_or(default, |rounds| {
        rounds.parse::<usize>().expect("a number").div_ceil(1000).max(100)
    })
}

/// A runtime of each kind.
fn runtimes() -> [tokio::runtime::Runtime; 2] {
    let one = tokio::runtime::Builder::new_current_thread().build();
    let two = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build();
    [one.unwrap(), two.unwrap()]
}

/// Lets others have their turn.
async fn turn() {
    let mut first = true;
    poll_fn(|context| {
        context.waker().wake_by_ref();
        if std::mem::take(&mut first) { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
}

/// Somebody who is woken, and who counts the wakers that are left.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// What a task of the storm does.
fn drift(s: wg::local::Scope<'static>, mut dice: Dice, deep: u32) -> BoxFuture<'static, u64> {
    Box::pin(async move {
        let mut sum = 1;
        for _ in 0..dice.throw(4) {
            match dice.throw(7) {
                0 => turn().await,
                1 => _ = s.ready().await,
                2 => _ = s.unless_cancelled(turn()).await,
                3 if deep > 0 => {
                    let inner = drift(s.clone(), Dice(dice.throw(u64::MAX) | 1), deep - 1);
                    sum += s.spawn(inner).await.unwrap_or_default();
                }
                4 if deep > 0 => {
                    let inner = drift(s.clone(), Dice(dice.throw(u64::MAX) | 1), deep - 1);
                    let mut task = s.spawn(inner);
                    // Awaited for a while, and given up.
                    let mut patience = dice.throw(3);
                    poll_fn(|context| match Pin::new(&mut task).poll(context) {
                        Poll::Pending if patience > 0 => {
                            patience -= 1;
                            context.waker().wake_by_ref();
                            Poll::Pending
                        }
                        _ => Poll::Ready(()),
                    })
                    .await;
                }
                5 => {
                    let mut results = s.results();
                    for n in 0..dice.throw(3) {
                        results.spawn(async move { n });
                    }
                    sum += results.try_recv().map_or(0, |(_, n)| n);
                }
                6 if dice.throw(20) == 0 => _ = s.cancel("the storm"),
                _ => {}
            }
        }
        sum
    })
}

#[test]
fn check_18_a_storm_of_waits_and_drops_leaves_no_waker_behind() {
    let rounds = rounds(20_000);
    let mut ended = 0;
    for seed in 1..=rounds as u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let woken = Arc::<Woken>::default();
        let waker = Waker::from(Arc::clone(&woken));
        {
            let mut options = wg::options();
            if dice.throw(2) == 0 {
                options = options.limit(1 + dice.throw(3) as usize);
            }
            let polls = dice.throw(12);
            let its = Dice(dice.throw(u64::MAX) | 1);
            let mut scope = Box::pin(
                options.local().scope(async |s: wg::local::Scope<'static>| drift(s, its, 3).await),
            );
            for _ in 0..polls {
                if scope.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                    ended += 1;
                    break;
                }
            }
        }
        drop(waker);
        assert_eq!(Arc::strong_count(&woken), 1, "wakers are left, with seed {seed}");
    }
    assert!(ended > rounds / 10 && ended < rounds, "{ended} of {rounds}");
}

/// Panics with a payload whose drop panics.
fn throw_bomb(number: u32) -> ! {
    panic_any(Bomb::new(number))
}

/// What a scope resumes whose tasks throw bombs; it goes off here.
fn is_bomb(run: impl FnOnce()) {
    let bomb = payload(run).downcast::<Bomb>().expect("the payload is unchanged");
    assert!(bomb.defuse());
}

#[test]
fn check_26_payloads_that_explode_cost_no_task() {
    wg_tests::caught::<Bang, ()>(|| bang(0)); // the hook is silent from here on
    for bombs in [1, 2, 8] {
        for unread in [false, true] {
            let dropped = AtomicUsize::new(0);
            is_bomb(|| {
                block_on(wg::local::scope(async |s| {
                    let results = s.results();
                    for n in 0..8 {
                        let held = Counted(&dropped);
                        let task = async move {
                            let _held = held;
                            turn().await;
                            if n < bombs { throw_bomb(n) } else { n }
                        };
                        if unread { _ = results.spawn(task) } else { drop(s.spawn(task)) }
                    }
                    if unread {
                        pending::<()>().await;
                    }
                }));
            });
            assert_eq!(dropped.into_inner(), 8);
            for runtime in runtimes() {
                let dropped: &'static AtomicUsize = counter();
                is_bomb(|| {
                    runtime.block_on(wg::tokio::scope(async move |s| {
                        let results = s.results();
                        for n in 0..8 {
                            let held = Counted(dropped);
                            let task = async move {
                                let _held = held;
                                turn().await;
                                if n < bombs { throw_bomb(n) } else { n }
                            };
                            if unread { _ = results.spawn(task) } else { drop(s.spawn(task)) }
                        }
                        if unread {
                            pending::<()>().await;
                        }
                    }));
                });
                assert_eq!(dropped.load(SeqCst), 8);
            }
        }
    }
}

/// A counter for what must be `'static`: each is used once, and none is freed.
fn counter() -> &'static AtomicUsize {
    const COUNTERS: usize = 256;
    static ALL: [AtomicUsize; COUNTERS] = [const { AtomicUsize::new(0) }; COUNTERS];
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    &ALL[NEXT.fetch_add(1, SeqCst)]
}

/// Panics when it is dropped, once.
struct DropsBadly;

impl Drop for DropsBadly {
    fn drop(&mut self) {
        panic_any(Boom);
    }
}

/// Wakes badly.
struct WakesBadly;

impl Wake for WakesBadly {
    fn wake(self: Arc<Self>) {
        bang(27);
    }
}

/// Panics where a task should return.
fn bad() -> Result<(), Stopped> {
    bang(27)
}

type Scope<'env> = wg::local::TryScope<'env, Stopped>;

/// Starts tasks that count their drops: what happens elsewhere is none of their business.
fn beside<'env>(s: &Scope<'env>, dropped: &'env AtomicUsize) {
    for _ in 0..3 {
        let held = Counted(dropped);
        drop(s.spawn(async move {
            let _held = held;
            turn().await;
            Ok(())
        }));
    }
}

/// Runs a scope with others beside what the body does.
fn with<'env, Fut>(dropped: &'env AtomicUsize, body: impl FnOnce(Scope<'env>) -> Fut)
where
    Fut: Future<Output = ()>,
{
    let options = wg::options().limit(2);
    let (_, errors) = block_on(options.local().collect_scope(|s: Scope<'env>| {
        beside(&s, dropped);
        body(s)
    }));
    drop(errors);
}

/// Runs a scope in which something panics, beside tasks that count their drops.
type Point = fn(&AtomicUsize);

/// All that calls something of the user's, with a panic there.
fn points() -> Vec<(&'static str, Point)> {
    vec![
        ("the body is made", |n| {
            with(n, |_| -> std::future::Ready<()> { bang(27) });
        }),
        ("the body is polled", |n| with(n, async |_| bang(27))),
        ("the body is polled again", |n| {
            with(n, async |_| {
                turn().await;
                bang(27)
            });
        }),
        ("the body is dropped", |n| {
            let held = DropsBadly;
            with(n, async move |_| {
                let _held = held;
            });
        }),
        ("a task is polled", |n| with(n, async |s| drop(s.spawn(async { bad() })))),
        ("a task is polled again", |n| {
            with(n, async |s| {
                drop(s.spawn(async {
                    turn().await;
                    bad()
                }));
            });
        }),
        ("a task is dropped at its end", |n| {
            let held = DropsBadly;
            with(n, async move |s| {
                drop(s.spawn(async move {
                    let _held = held;
                    Ok(())
                }));
            });
        }),
        ("a task is dropped by a cancel", |n| {
            let held = DropsBadly;
            with(n, async move |s| {
                drop(s.spawn(async move {
                    let _held = held;
                    pending::<Result<(), Stopped>>().await
                }));
                turn().await;
                s.cancel("enough");
            });
        }),
        ("a task that waits is dropped by a cancel", |n| {
            with(n, async |s| {
                for _ in 0..4 {
                    let held = DropsBadly;
                    drop(s.spawn(async move {
                        let _held = held;
                        pending::<Result<(), Stopped>>().await
                    }));
                }
                s.cancel("enough");
            });
        }),
        ("a value is dropped", |n| with(n, async |s| drop(s.spawn(async { Ok(DropsBadly) })))),
        ("a value is dropped by its joiner", |n| {
            with(n, async |s| drop(s.spawn(async { Ok(DropsBadly) }).join().await.ok()));
        }),
        ("a result is dropped unread", |n| {
            with(n, async |s| {
                let results = s.results();
                results.spawn(async { DropsBadly });
                turn().await;
            });
        }),
        ("a result is dropped by its reader", |n| {
            with(n, async |s| {
                let mut results = s.results();
                results.spawn(async { DropsBadly });
                drop(results.recv().await);
            });
        }),
        ("a result comes when nobody reads", |n| {
            with(n, async |s| {
                let results = s.results();
                results.spawn(async {
                    turn().await;
                    DropsBadly
                });
                results.discard_rest();
            });
        }),
        ("a task is polled by its joiner", |n| {
            with(n, async |s| {
                let inner = s.clone();
                drop(s.spawn(async move {
                    let guest = inner.spawn(async { bad() });
                    guest.await
                }));
            });
        }),
        ("a task is dropped by its joiner", |n| {
            let held = DropsBadly;
            with(n, async move |s| {
                let inner = s.clone();
                drop(s.spawn(async move {
                    let guest = inner.spawn(async move {
                        let _held = held;
                        turn().await;
                        Ok(())
                    });
                    guest.await
                }));
            });
        }),
        ("an iterator is pulled", |n| {
            with(n, async |s| {
                let items = (0..10).inspect(|&n| {
                    if n == 5 {
                        bang(27);
                    }
                });
                drop(s.fan_out(items).collect_all(async |n| Ok::<_, ()>(n)).await);
            });
        }),
        ("an iterator is dropped", |n| {
            let held = DropsBadly;
            with(n, async move |s| {
                let items = (0..10).inspect(move |_| _ = &held);
                drop(s.fan_out(items).collect_all(async |n| Ok::<_, ()>(n)).await);
            });
        }),
        ("an item's future is made", |n| {
            with(n, async |s| {
                let make = |n: u32| {
                    if n == 5 {
                        bang(27);
                    }
                    std::future::ready(Ok::<_, ()>(n))
                };
                drop(s.fan_out(0..10).collect_all(make).await);
            });
        }),
        ("an item is polled", |n| {
            with(n, async |s| {
                let handle = async |n: u32| {
                    turn().await;
                    if n == 5 { bang(27) } else { Ok::<_, ()>(n) }
                };
                drop(s.fan_out(0..10).collect_all(handle).await);
            });
        }),
        ("an item is dropped", |n| {
            with(n, async |s| {
                let items = (0..10).map(|_| DropsBadly);
                drop(s.fan_out(items).collect_all(async |_| Ok::<_, ()>(())).await);
            });
        }),
        ("a fan-out's result is dropped", |n| {
            with(n, async |s| {
                let mut stream = s.fan_out(0..10).as_completed(async |_| DropsBadly);
                drop(stream.next().await);
            });
        }),
        ("a stream of a fan-out is dropped", |n| {
            with(n, async |s| drop(s.fan_out(0..10).in_order(async |_| DropsBadly)));
        }),
        ("a job is handled", |n| {
            with(n, async |s| {
                let pool = s.workers(2, async |_: u32| -> Result<(), Stopped> { bang(27) });
                for job in 0..4 {
                    drop(pool.send(job).await);
                }
            });
        }),
        ("a job is dropped", |n| {
            with(n, async |s| {
                let pool = s.workers(2, async |_: DropsBadly| Ok::<(), Stopped>(()));
                for _ in 0..4 {
                    if let Err(refused) = pool.send(DropsBadly).await {
                        std::mem::forget(refused.into_job());
                    }
                }
            });
        }),
        ("a handler is dropped", |n| {
            let held = DropsBadly;
            with(n, async move |s| {
                let pool = s.workers(2, move |_: u32| {
                    let _held = &held;
                    std::future::ready(Ok::<(), Stopped>(()))
                });
                drop(pool.send(1).await);
            });
        }),
        ("what a job has come to is dropped", |n| {
            with(n, async |s| {
                let pool = s.workers(2, async |_: u32| Ok::<_, Stopped>(DropsBadly));
                for job in 0..4 {
                    drop(pool.send(job).await);
                }
            });
        }),
        ("the one who waits for a task is woken", |n| {
            with(n, async |s| {
                let mut task = s.spawn(async {
                    turn().await;
                    Ok(())
                });
                let waker = Waker::from(Arc::new(WakesBadly));
                let mut badly = Context::from_waker(&waker);
                assert!(Pin::new(&mut task).poll(&mut badly).is_pending());
                turn().await;
                turn().await;
                drop(task);
            });
        }),
        ("the one who waits for a cancel is woken", |n| {
            with(n, async |s| {
                let waker = Waker::from(Arc::new(WakesBadly));
                let mut cancelled = pin!(s.cancelled());
                assert!(cancelled.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
                s.cancel("enough");
            });
        }),
        ("the one who waits for room is woken", |n| {
            with(n, async |s| {
                let waker = Waker::from(Arc::new(WakesBadly));
                let mut ready = pin!(s.ready());
                assert!(ready.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
                turn().await;
                turn().await;
            });
        }),
        ("the one who waits for a result is woken", |n| {
            with(n, async |s| {
                let waker = Waker::from(Arc::new(WakesBadly));
                let mut results = s.results();
                results.spawn(async { turn().await });
                let mut recv = pin!(results.recv());
                assert!(recv.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
                turn().await;
                turn().await;
            });
        }),
        ("a policy is asked", |n| {
            let policy = Policy::until(|_| bang(27));
            let options = wg::options().limit(2).policy(policy);
            let ended = block_on(options.local().collect_scope(async |s: Scope<'_>| beside(&s, n)));
            drop(ended);
        }),
        ("an inner scope's task is polled", |n| {
            with(n, async |s| {
                drop(s.spawn(async {
                    wg::local::scope(async |s| drop(s.spawn(async { bad() }))).await;
                    Ok(())
                }));
            });
        }),
        ("the one who polls the scope is woken", |n| {
            let mut scope = Box::pin(wg::local::collect_scope(async |s: Scope<'_>| {
                beside(&s, n);
                turn().await;
            }));
            let waker = Waker::from(Arc::new(WakesBadly));
            while !catch_unwind(AssertUnwindSafe(|| {
                scope.as_mut().poll(&mut Context::from_waker(&waker)).is_ready()
            }))
            .unwrap_or_default()
            {}
        }),
    ]
}

#[test]
fn check_27_wherever_something_panics_no_task_is_lost() {
    for (what, point) in points() {
        let dropped = AtomicUsize::new(0);
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| point(&dropped))) {
            assert!(payload.is::<Bang>() || payload.is::<Boom>(), "{what}: another panic");
        }
        assert_eq!(dropped.into_inner(), 3, "{what}: not every task was dropped once");
        // Nothing of it is left on this thread.
        assert_eq!(block_on(wg::local::scope(async |s| s.spawn(async { 7 }).join().await)), 7);
    }
    assert!(points().len() >= 30);
}

#[test]
fn check_38_a_cancel_among_spawns_reaches_every_sleeper() {
    let [one, two] = runtimes();
    for before in 0..16 {
        for after in 0..16 {
            let dropped = AtomicUsize::new(0);
            block_on(wg::local::scope(async |s| {
                for n in 0..before + after {
                    if n == before {
                        s.cancel("enough");
                    }
                    let (held, inner) = (Counted(&dropped), s.clone());
                    drop(s.spawn(async move {
                        let _held = held;
                        _ = inner.sleep(DAY).await;
                    }));
                }
                s.cancel("enough");
            }));
            assert_eq!(dropped.into_inner(), before + after);

            for runtime in [&one, &two] {
                let dropped = Arc::new(());
                let its = Arc::clone(&dropped);
                let cause = runtime.block_on(wg::tokio::scope(async move |s| {
                    let cancel = s.canceller();
                    let mut other = None;
                    for n in 0..before + after {
                        if n == before {
                            let cancel = cancel.clone();
                            other = Some(std::thread::spawn(move || cancel.cancel("enough")));
                        }
                        let (held, inner) = (Arc::clone(&its), s.clone());
                        drop(s.spawn(async move {
                            let _held = held;
                            _ = inner.sleep(DAY).await;
                        }));
                    }
                    if let Some(other) = other {
                        assert!(other.join().unwrap());
                    }
                    s.cancel("enough");
                    s.cancelled_by()
                }));
                assert_eq!(cause, Some(Cause::Asked("enough".into())));
                assert_eq!(Arc::strong_count(&dropped), 1);
            }
        }
    }
}

/// One case of results at random: what tasks do, and what their reader does.
async fn read_at_random<'env>(s: Scope<'env>, mut dice: Dice, values: &'env [AtomicUsize; 2]) {
    let [made, dropped] = values;
    let tasks = dice.throw(6);
    let mut results = s.results();
    let (mut read, mut wanted, mut never) = (0, 0, false);
    for n in 0..tasks {
        match dice.throw(8) {
            0 => _ = results.spawn(async { bang(39) }),
            1 if dice.throw(3) == 0 => {
                never = true;
                results.spawn(async { pending().await });
            }
            _ => {
                wanted += 1;
                let turns = dice.throw(3);
                results.spawn(async move {
                    for _ in 0..turns {
                        turn().await;
                    }
                    made.fetch_add(1, SeqCst);
                    (n, Counted(dropped))
                });
            }
        }
    }
    let most = if dice.throw(3) == 0 { dice.throw(4) } else { u64::MAX };
    if never {
        // It would wait for ever: the end is a cancel.
        let cancel = s.canceller();
        drop(s.spawn(async move {
            for _ in 0..4 {
                turn().await;
            }
            cancel.cancel("enough");
            Ok(())
        }));
    }
    while read < most {
        let Some((index, (n, _counted))) = results.next().await else {
            if !never {
                assert_eq!(read, wanted, "it ended too early");
                assert_eq!(results.outstanding(), 0);
            }
            break;
        };
        assert_eq!(index as u64, n);
        read += 1;
    }
}

#[test]
fn check_39_results_end_when_the_last_task_has_and_every_value_is_dropped_once() {
    for seed in 1..=rounds(20_000) as u64 {
        let values = [const { AtomicUsize::new(0) }; 2];
        let (_, errors) =
            block_on(wg::options().catch_panics().local().collect_scope(async |s: Scope<'_>| {
                let dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
                read_at_random(s, dice, &values).await;
            }));
        let [made, dropped] = values.map(AtomicUsize::into_inner);
        assert_eq!(made, dropped, "with seed {seed}");
        assert!(made + errors.len() <= 6, "with seed {seed}");
    }
}

#[test]
fn check_40_a_deadline_at_the_last_end_is_one_of_two_outcomes() {
    let runtimes = runtimes();
    let (mut complete, mut late) = (0, 0);
    for round in 0..rounds(3_000) {
        let options =
            wg::options().deadline(Instant::now() + Duration::from_micros(round as u64 % 60));
        let outcome: Result<u32, Stopped> = match round % 3 {
            0 => block_on(options.local().try_scope(async |s| {
                let task = s.spawn(async {
                    turn().await;
                    Ok(7)
                });
                task.await
            })),
            kind => runtimes[kind - 1].block_on(options.tokio().try_scope(async |s| {
                let task = s.spawn(async {
                    tokio::task::yield_now().await;
                    Ok(7)
                });
                task.await
            })),
        };
        match outcome {
            Ok(value) => {
                assert_eq!(value, 7);
                complete += 1;
            }
            Err(stopped) => {
                assert_eq!(stopped.cause(), &Cause::Deadline);
                late += 1;
            }
        }
    }
    assert_eq!(complete + late, rounds(3_000));
}
