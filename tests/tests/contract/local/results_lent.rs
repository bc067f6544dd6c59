//! Tasks that read results in a slot of a scope with a limit, which those they read of may need.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::task::Poll;

use futures::channel::oneshot;
use futures::executor::block_on;
use futures::{FutureExt, StreamExt, poll};
use wg::local::Scope;
use wg::{Cause, NoResult};
use wg_tests::{Bang, Counted, bang, caught};

/// Waits for so many further polls.
async fn give_way(times: usize) {
    for _ in 0..times {
        let mut first = true;
        std::future::poll_fn(|context| {
            if std::mem::replace(&mut first, false) {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Poll::Ready(())
        })
        .await;
    }
}

#[test]
fn rule_11_a_task_that_spawns_and_reads_completes_at_any_limit() {
    for limit in [1, 2, 3, 7] {
        for readers in [1, 2, 5] {
            let sums = block_on(wg::options().limit(limit).local().scope(async |s| {
                let tasks = s.spawn_all((0..readers).map(|_| {
                    let inner = s.clone();
                    async move {
                        let results = inner.results();
                        for n in 0..100 {
                            results.spawn(async move {
                                give_way(n % 3).await;
                                n
                            });
                        }
                        results.fold(0, |sum, (_, n)| async move { sum + n }).await
                    }
                }));
                let mut sums = Vec::new();
                for task in tasks {
                    sums.push(task.join().await);
                }
                sums
            }));
            assert_eq!(sums, vec![4_950; readers], "limit {limit}");
        }
    }
}

/// Counts the nodes of a binary tree, each of which reads of its branches.
fn count<'env>(s: &Scope<'env>, depth: usize) -> Pin<Box<dyn Future<Output = u64> + Send + 'env>> {
    let s = s.clone();
    async move {
        if depth == 0 {
            return 1;
        }
        let results = s.results();
        for _ in 0..2 {
            let branch = count(&s, depth - 1);
            results.spawn(branch);
        }
        1 + results.fold(0, |sum, (_, n)| async move { sum + n }).await
    }
    .boxed()
}

#[test]
fn rule_11_readers_within_readers_complete_at_limit_1() {
    for limit in [1, 2] {
        let nodes = block_on(wg::options().limit(limit).local().scope(async |s| {
            let root = count(&s, 10);
            s.spawn(root).join().await
        }));
        assert_eq!(nodes, 2_047);
    }
}

/// A chain of readers, each of one task.
fn chain<'env>(s: &Scope<'env>, left: usize) -> Pin<Box<dyn Future<Output = usize> + Send + 'env>> {
    let s = s.clone();
    async move {
        if left == 0 {
            return 0;
        }
        let mut results = s.results();
        results.spawn(chain(&s, left - 1));
        1 + results.recv().await.unwrap().1
    }
    .boxed()
}

#[test]
fn rule_11_a_chain_of_readers_may_be_longer_than_the_stack() {
    let long = block_on(wg::options().limit(1).local().scope(async |s| {
        let first = chain(&s, 5_000);
        s.spawn(first).join().await
    }));
    assert_eq!(long, 5_000);
}

#[test]
fn rule_09_a_reader_that_lends_its_slot_takes_no_other() {
    for limit in [1, 2, 3] {
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        block_on(wg::options().limit(limit).local().scope(async |s| {
            let (now, most) = (&now, &most);
            for _ in 0..4 {
                let inner = s.clone();
                drop(s.spawn(async move {
                    let results = inner.results();
                    for n in 0..20 {
                        results.spawn(async move {
                            most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
                            give_way(n % 4).await;
                            now.fetch_sub(1, SeqCst);
                        });
                    }
                    assert_eq!(results.count().await, 20);
                }));
            }
        }));
        assert_eq!((most.into_inner(), now.into_inner()), (limit, 0));
    }
}

#[test]
fn rule_11_a_task_that_was_begun_in_a_lent_slot_goes_on_when_that_is_taken_back() {
    for ends_early in [false, true] {
        let (began, through) = (AtomicUsize::new(0), AtomicUsize::new(0));
        block_on(wg::options().limit(1).local().scope(async |s| {
            let (send, receive) = oneshot::channel::<()>();
            let (inner, began, through) = (s.clone(), &began, &through);
            drop(s.spawn(async move {
                let mut results = inner.results();
                results.spawn(async move {
                    began.fetch_add(1, SeqCst);
                    receive.await.unwrap();
                    through.fetch_add(1, SeqCst);
                });
                // The task waits for what comes below, in this slot.
                assert_eq!(poll!(pin!(results.recv())), Poll::Pending);
                assert_eq!(began.load(SeqCst), 1);
                assert_eq!((inner.counts().waiting, inner.counts().running), (1, 1));
                assert_eq!(poll!(results.next()), Poll::Pending);
                assert_eq!((inner.counts().waiting, inner.counts().running), (0, 2));
                send.send(()).unwrap();
                if !ends_early {
                    assert_eq!(results.recv().await, Ok((0, ())));
                    assert_eq!(results.recv().await, Err(NoResult::Ended));
                }
            }));
        }));
        assert_eq!((began.into_inner(), through.into_inner()), (1, 1));
    }
}

#[test]
fn rule_11_a_reader_lends_its_slot_to_its_own_tasks_and_not_to_others() {
    let order = block_on(wg::options().limit(1).local().scope(async |s| {
        let (send, mut receive) = futures::channel::mpsc::unbounded();
        let inner = s.clone();
        let other = send.clone();
        let reader = s.spawn(async move {
            let results = inner.results();
            results.spawn(async move { send.unbounded_send("its own").unwrap() });
            assert_eq!(results.count().await, 1);
        });
        drop(s.spawn(async move { other.unbounded_send("another").unwrap() }));
        reader.join().await;
        [receive.next().await, receive.next().await]
    }));
    assert_eq!(order, [Some("its own"), Some("another")]);
}

#[test]
fn rule_18_a_cancel_drops_what_goes_on_in_a_lent_slot() {
    for by_hand in [true, false] {
        let dropped = AtomicUsize::new(0);
        let run = || {
            block_on(wg::options().limit(1).local().scope(async |s| {
                let inner = s.clone();
                let (value, more) = (Counted(&dropped), Counted(&dropped));
                drop(s.spawn(async move {
                    let results = inner.results();
                    let canceller = inner.clone();
                    results.spawn(async move {
                        let _value = value;
                        if by_hand {
                            canceller.cancel("enough");
                        } else {
                            bang(3);
                        }
                        std::future::pending::<()>().await;
                    });
                    results.spawn(async move { drop(more) });
                    assert_eq!(results.count().await, 0);
                }));
            }));
        };
        if by_hand {
            run();
        } else {
            assert_eq!(caught::<Bang, _>(run).0, 3);
        }
        assert_eq!(dropped.into_inner(), 2);
    }
}

#[test]
fn rule_18_a_deadline_drops_what_goes_on_in_a_lent_slot() {
    let dropped = AtomicUsize::new(0);
    let options = wg::options().limit(1).timeout(std::time::Duration::from_millis(20));
    block_on(options.local().scope(async |s| {
        let (inner, value) = (s.clone(), Counted(&dropped));
        drop(s.spawn(async move {
            let mut results = inner.results();
            results.spawn(async move {
                let _value = value;
                std::future::pending::<()>().await;
            });
            match results.recv().await {
                Err(NoResult::Stopped(stopped)) => assert_eq!(stopped.cause(), &Cause::Deadline),
                other => panic!("{other:?}"),
            }
        }));
    }));
    assert_eq!(dropped.into_inner(), 1);
}

#[test]
fn rule_11_a_reading_end_that_is_moved_to_the_body_takes_no_slot_along() {
    block_on(wg::options().limit(1).local().scope(async |s| {
        let (send, receive) = oneshot::channel();
        let (go, gone) = oneshot::channel::<()>();
        let inner = s.clone();
        drop(s.spawn(async move {
            let mut results = inner.results();
            results.spawn(async move {
                gone.await.unwrap();
                7
            });
            assert_eq!(poll!(results.next()), Poll::Pending);
            send.send(results).unwrap_or_else(|_| panic!("the body waits"));
        }));
        let mut results = receive.await.unwrap();
        assert_eq!(poll!(results.next()), Poll::Pending);
        go.send(()).unwrap();
        assert_eq!(results.next().await, Some((0, 7)));
    }));
}

#[test]
fn rule_01_a_scope_that_is_dropped_while_a_slot_is_lent_drops_each_value_once() {
    for polls in 0..40 {
        let (made, dropped) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let mut scope = Box::pin(wg::options().limit(1).local().scope(async |s| {
            let inner = s.clone();
            let (made, dropped) = (&made, &dropped);
            drop(s.spawn(async move {
                let results = inner.results();
                for _ in 0..5 {
                    made.fetch_add(1, SeqCst);
                    let value = Counted(dropped);
                    results.spawn(async move {
                        give_way(5).await;
                        value
                    });
                }
                assert_eq!(results.count().await, 5);
            }));
        }));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        for _ in 0..polls {
            if scope.as_mut().poll(&mut context).is_ready() {
                break;
            }
        }
        drop(scope);
        assert_eq!(made.into_inner(), dropped.into_inner(), "after {polls} polls");
    }
}
