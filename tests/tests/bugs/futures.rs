//! The same classes for futures, in the current task and on tokio: a scope of futures answers them
//! as one of threads does, and each test asks both.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::task::Poll;

use futures::channel::mpsc::channel;
use futures::executor::block_on;
use futures::{FutureExt, SinkExt, StreamExt, poll};
use tokio::runtime::{Builder, Runtime};
use wg::{Cause, WaitGroup};

use crate::{FOR_EVER, SOON, ends};

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Runs a body in a scope of either place.
macro_rules! in_both_places {
    ($body:expr) => {
        ends(|| {
            block_on(wg::local::scope($body));
            runtime().block_on(wg::tokio::scope($body));
        })
    };
}

/// Counts its drop.
struct Held(Arc<AtomicUsize>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

#[test]
fn rule_03_add_inside_the_goroutine_cannot_be_said_for_a_future_counts_before_its_first_poll() {
    in_both_places!(async |s| {
        let begun = Arc::new(AtomicBool::new(false));
        let tell = Arc::clone(&begun);
        let (mut go, mut wait) = channel::<()>(0);
        drop(s.spawn(async move {
            let _ = wait.next().await;
            tell.store(true, SeqCst);
        }));
        assert_eq!(s.counts().spawned, 1);
        assert_eq!(s.wait_timeout(SOON).await.unwrap_err().count(), 1);
        assert!(!begun.load(SeqCst));
        go.close_channel();
        s.wait_timeout(FOR_EVER).await.unwrap();
        assert!(begun.load(SeqCst));
    });
}

/// A future has one way more to end than a thread: it is dropped where it waits.
#[test]
fn rule_01_forgotten_done_cannot_be_said_for_a_future_that_is_dropped_is_counted_out() {
    in_both_places!(async |s| {
        let dropped = Arc::new(AtomicUsize::new(0));
        for _ in 0..10 {
            let held = Held(Arc::clone(&dropped));
            drop(s.spawn(async move {
                let _held = held;
                pending::<()>().await
            }));
        }
        s.cancel("enough");
        s.wait_timeout(FOR_EVER).await.unwrap();
        assert_eq!((dropped.load(SeqCst), s.counts().ended), (10, 10));
    });
}

#[test]
fn rule_16_unread_channel_blocks_no_future_though_all_end_before_the_first_read() {
    in_both_places!(async |s| {
        let results = s.results();
        for order in 0..200_usize {
            results.spawn(async move { order });
        }
        s.wait_timeout(FOR_EVER).await.unwrap();
        assert_eq!(s.counts().ended, 200);
        let mut read: Vec<_> = results.map(|(_, order)| order).collect().await;
        read.sort_unstable();
        assert_eq!(read, Vec::from_iter(0..200));
    });
}

#[test]
fn rule_22_unread_channel_of_ones_own_a_timed_wait_names_the_futures_that_are_blocked() {
    in_both_places!(async |s| {
        let (send, receive) = channel(0);
        let mut line = 0;
        for order in 0..3 {
            let mut send = send.clone();
            line = line!() + 1;
            drop(s.task("order").spawn(async move {
                // The first is taken by the channel, the second by nobody.
                let _ = send.send(order).await;
                let _ = send.send(order).await;
            }));
        }
        let told = s.wait_timeout(SOON).await.unwrap_err().to_string();
        assert!(told.starts_with("3 tasks alive: order#"), "{told}");
        let site = format!("spawned at {}:{line}", file!());
        assert_eq!(told.matches(&site).count(), 3, "{told}");
        drop(receive);
    });
}

#[test]
fn rule_16_early_return_of_the_reader_strands_no_future() {
    in_both_places!(async |s| {
        let mut results = s.results();
        for order in 0..100 {
            results.spawn(async move { order });
        }
        let first = results.next().await;
        assert!(first.is_some());
        // Here the results go, with most of them unread, and the scope ends.
    });
}

#[test]
fn rule_16_never_closed_range_cannot_be_said_for_a_stream_of_futures_ends_with_the_last() {
    in_both_places!(async |s| {
        let results = s.results();
        let more = results.spawner();
        for n in 0..10 {
            let more = more.clone();
            results.spawn(async move {
                more.spawn(async move { n });
                n
            });
        }
        assert_eq!(results.count().await, 20, "`more` is still here");
        drop(more);
    });
}

#[test]
fn rule_01_done_is_not_exit_but_a_scope_waits_until_what_a_future_held_is_dropped() {
    ends(|| {
        let dropped = Arc::new(AtomicUsize::new(0));
        let body = |dropped: &Arc<AtomicUsize>| {
            let (held, unclaimed) = (Held(Arc::clone(dropped)), Held(Arc::clone(dropped)));
            async move {
                let _held = held;
                unclaimed
            }
        };
        block_on(wg::local::scope(async |s| drop(s.spawn(body(&dropped)))));
        assert_eq!(dropped.load(SeqCst), 2);
        let held = body(&dropped);
        runtime().block_on(wg::tokio::scope(async |s| drop(s.spawn(held))));
        assert_eq!(dropped.load(SeqCst), 4);
    });
}

#[test]
fn rule_25_several_waits_of_futures_all_return_and_one_that_leaves_disturbs_nobody() {
    in_both_places!(async |s| {
        let group = Arc::new(WaitGroup::new());
        let token = group.owned_token();
        for _ in 0..10 {
            let group = Arc::clone(&group);
            drop(s.spawn(async move { group.wait_async().await }));
        }
        let mut leaves = group.wait_async();
        assert_eq!(poll!(&mut leaves), Poll::Pending);
        drop(leaves);
        drop(token);
        group.wait_async().await;
        s.wait_timeout(FOR_EVER).await.unwrap();
        assert_eq!((group.waiters(), group.wait_async().now_or_never()), (0, Some(())));
    });
}

#[test]
fn rule_19_no_cancel_of_a_wait_every_wait_of_a_future_ends_with_its_cause() {
    in_both_places!(async |s| {
        let waits = s.spawn({
            let s = s.clone();
            async move { s.unless_cancelled(pending::<()>()).await }
        });
        s.cancel("closing time");
        let asked = Cause::Asked("closing time".into());
        // It is dropped where it waits, or has been told before that.
        let stopped = waits.await.and_then(|told| told).unwrap_err();
        assert_eq!(stopped.cause(), &asked);
        assert_eq!(s.sleep(FOR_EVER).await.unwrap_err().cause(), &asked);
    });
}

#[test]
fn rule_06_no_errors_the_first_of_a_future_comes_back_and_the_rest_is_dropped() {
    ends(|| {
        let dropped = Arc::new(AtomicUsize::new(0));
        let waits = |dropped: &Arc<AtomicUsize>| {
            let held = Held(Arc::clone(dropped));
            async move {
                let _held = held;
                pending::<Result<(), &str>>().await
            }
        };
        let failed = block_on(wg::local::try_scope(async |s| {
            drop(s.spawn(waits(&dropped)));
            drop(s.spawn(async { Err::<(), _>("disk full") }));
            Ok(())
        }));
        assert_eq!((failed, dropped.load(SeqCst)), (Err("disk full"), 1));

        let waits = waits(&dropped);
        let failed = runtime().block_on(wg::tokio::try_scope(async |s| {
            drop(s.spawn(waits));
            drop(s.spawn(async { Err::<(), _>("disk full") }));
            Ok(())
        }));
        assert_eq!((failed, dropped.load(SeqCst)), (Err("disk full"), 2));
    });
}

/// Items that are ready at once are handled by few strands, several at a time. Then as many as the
/// limit allows meet: none of them may lie in the hands of one that waits.
#[test]
fn rule_16_no_stranded_items_those_behind_one_that_waits_are_handled_by_others() {
    const BRIEF: usize = 2_000;
    const LIMIT: usize = 40;
    async fn handle(n: usize, meeting: Arc<tokio::sync::Barrier>) -> usize {
        if n >= BRIEF {
            meeting.wait().await;
        }
        n
    }
    ends(|| {
        let meeting = || Arc::new(tokio::sync::Barrier::new(LIMIT));
        let (here, there) = (meeting(), meeting());
        let all = 0..BRIEF + LIMIT;
        let local = wg::local::fan_out(all.clone()).limit(LIMIT);
        let results = block_on(local.map(|n| handle(n, Arc::clone(&here))));
        assert!(results.into_iter().eq(all.clone()));
        let results = runtime().block_on(async {
            let parallel = wg::tokio::fan_out(all.clone()).limit(LIMIT);
            parallel.map(move |n| handle(n, Arc::clone(&there))).await
        });
        assert!(results.into_iter().eq(all));
    });
}
