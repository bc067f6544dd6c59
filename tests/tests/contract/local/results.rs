//! Results of futures in the current task: what comes out, and when it ends.

use std::collections::BTreeSet;
use std::future::pending;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::task::Poll;

use futures::channel::oneshot;
use futures::executor::block_on;
use futures::{StreamExt, poll};
use wg::{Cause, NoResult, Policy, local};
use wg_tests::{Bang, Bomb, Boom, Counted, bang, caught};

#[test]
fn rule_16_it_ends_when_the_last_task_has_ended_and_no_earlier() {
    block_on(local::scope(async |s| {
        let (send, receive) = oneshot::channel();
        let mut results = s.results();
        results.spawn(async { "first" });
        results.spawn(async { receive.await.unwrap() });
        assert_eq!(results.try_recv(), Err(NoResult::NotYet));
        assert_eq!(results.next().await, Some((0, "first")));
        assert_eq!(poll!(results.next()), Poll::Pending);
        assert_eq!(results.outstanding(), 1);
        send.send("second").unwrap();
        assert_eq!(results.next().await, Some((1, "second")));
        assert_eq!(results.next().await, None);
        assert_eq!(results.recv().await, Err(NoResult::Ended));
        assert_eq!(results.try_recv(), Err(NoResult::Ended));
    }));
}

#[test]
fn rule_16_without_a_task_it_has_ended_and_may_be_used_again() {
    block_on(local::scope(async |s| {
        let mut results = s.results();
        let _more = results.spawner();
        assert_eq!(results.next().await, None);
        for round in 0..100 {
            assert_eq!(results.spawn(async move { round }), round);
            assert_eq!(results.next().await, Some((round, round)));
            assert_eq!(results.next().await, None);
        }
    }));
}

#[test]
fn rule_16_whoever_spawns_and_reads_in_one_place_does_not_lock_itself_up() {
    for limit in [1, 2, 3] {
        let read = block_on(wg::options().limit(limit).local().scope(async |s| {
            let results = s.results();
            for n in 0..500 {
                results.spawn(async move { n });
            }
            results.collect::<BTreeSet<(usize, usize)>>().await
        }));
        assert!(read.into_iter().eq((0..500).map(|n| (n, n))));
    }
}

#[test]
fn rule_16_tasks_that_spawn_before_they_end_leave_no_gap() {
    block_on(local::scope(async |s| {
        let mut results = s.results();
        let more = results.spawner();
        results.spawn(async move {
            more.spawn(async { 2 });
            more.task("third").spawn(async { 3 });
            1
        });
        let mut read = Vec::new();
        while let Some((_, n)) = results.next().await {
            read.push(n);
        }
        assert_eq!(read, [1, 2, 3]);
    }));
}

#[test]
fn rule_16_tasks_that_yield_nothing_do_not_keep_it_open() {
    let read = wg::options().catch_panics().local().collect_scope(async |s| {
        let results = s.try_results();
        results.spawn(async { bang(1) });
        results.spawn(async { Err("error") });
        results.spawn(async { Ok(7) });
        results.collect::<Vec<(usize, i32)>>().await
    });
    let (read, errors) = block_on(read);
    assert_eq!((read, errors.len()), (vec![(2, 7)], 2));
}

#[test]
fn rule_16_it_ends_where_the_scope_fails() {
    let mut read = None;
    let bang: Bang = caught(|| {
        block_on(local::scope(async |s| {
            let mut results = s.results();
            results.spawn(pending::<()>());
            results.spawn(async { bang(5) });
            read = Some(results.next().await);
        }));
    });
    assert_eq!((bang.0, read), (5, Some(None)));
}

#[test]
fn rule_16_without_a_receiver_what_has_not_begun_is_dropped_and_what_has_goes_on() {
    let (begun, ended, dropped) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    block_on(wg::options().limit(1).local().scope(async |s| {
        let (send, receive) = oneshot::channel::<()>();
        let (tell, told) = oneshot::channel::<()>();
        let mut results = s.results();
        results.spawn(async { Counted(&dropped) });
        let (begun, ended, counted) = (&begun, &ended, &dropped);
        results.spawn(async move {
            begun.fetch_add(1, SeqCst);
            tell.send(()).unwrap();
            receive.await.unwrap();
            ended.fetch_add(1, SeqCst);
            Counted(counted)
        });
        for _ in 0..10 {
            results.spawn(async move {
                begun.fetch_add(1, SeqCst);
                Counted(counted)
            });
        }
        drop(results.next().await);
        told.await.unwrap();
        let more = results.spawner();
        drop(results);
        assert!(more.is_closed());
        more.spawn(async move { unreachable!("nobody wants it") });
        let other = s.spawn(async { "not touched" });
        send.send(()).unwrap();
        assert_eq!(other.join().await, "not touched");
        assert_eq!(s.cancelled_by(), None);
    }));
    assert_eq!((begun.into_inner(), ended.into_inner(), dropped.into_inner()), (1, 1, 2));
}

#[test]
fn rule_16_whoever_discards_the_rest_lets_it_run() {
    let ran = AtomicUsize::new(0);
    block_on(local::scope(async |s| {
        let results = s.results();
        for _ in 0..10 {
            results.spawn(async { ran.fetch_add(1, SeqCst) });
        }
        results.discard_rest();
    }));
    assert_eq!(ran.into_inner(), 10);
}

#[test]
fn rule_01_what_was_not_taken_is_dropped_before_the_scope_is_ready() {
    let dropped = AtomicUsize::new(0);
    block_on(local::scope(async |s| {
        let mut results = s.results();
        for _ in 0..10 {
            results.spawn(async { Counted(&dropped) });
        }
        drop(results.next().await);
        assert_eq!(dropped.load(SeqCst), 1);
        s.wait_timeout(std::time::Duration::from_secs(3600)).await.unwrap();
        assert_eq!(dropped.load(SeqCst), 1, "they wait to be taken");
    }));
    assert_eq!(dropped.into_inner(), 10);
}

#[test]
fn rule_01_a_panic_in_the_drop_of_what_was_not_taken_is_the_tasks() {
    let scope = || {
        local::scope(async |s| {
            let mut results = s.results();
            results.spawn(async { None });
            results.spawn(async { Some(Bomb::new(1)) });
            assert_eq!(results.next().await, Some((0, None)));
            s.wait_timeout(std::time::Duration::from_secs(3600)).await.unwrap();
        })
    };
    let _: Boom = caught(|| block_on(scope()));
    let caught = wg::options().catch_panics().local().collect_scope(async |s| {
        let results = s.try_results();
        results.task("bomb").spawn(async { Ok::<_, ()>(Bomb::new(2)) });
        s.wait_timeout(std::time::Duration::from_secs(3600)).await.unwrap();
    });
    let ((), errors) = block_on(caught);
    assert_eq!(errors.first().unwrap().task().unwrap().name(), Some("bomb"));
}

#[test]
fn rule_06_an_error_goes_to_the_scope_and_the_values_before_it_come_out() {
    let mut read = Vec::new();
    let error = block_on(local::try_scope(async |s| {
        let mut results = s.try_results();
        let more = results.spawner();
        results.spawn(async { Ok(1) });
        more.task("bad").spawn(async { Err(String::from("bad")) });
        results.spawn(pending());
        while let Some((_, n)) = results.next().await {
            read.push(n);
        }
        Ok(())
    }));
    assert_eq!((error, read), (Err(String::from("bad")), vec![1]));
}

#[test]
fn rule_18_and_19_a_cancel_ends_the_reading_after_what_is_there_and_tells_why() {
    block_on(local::scope(async |s| {
        let (send, receive) = oneshot::channel::<()>();
        let mut results = s.results();
        results.spawn(async {
            send.send(()).unwrap();
            1
        });
        results.spawn(pending());
        receive.await.unwrap();
        s.cancel("enough");
        assert_eq!(results.recv().await, Ok((0, 1)));
        let Err(NoResult::Stopped(stopped)) = results.recv().await else { panic!("it is over") };
        assert_eq!(stopped.cause(), &Cause::Asked("enough".into()));
    }));
}

#[test]
fn rule_19_a_reader_that_waits_is_woken_by_a_cancel() {
    let read = block_on(local::scope(async |s| {
        let mut results = s.results::<u8>();
        results.spawn(pending());
        let canceller = s.canceller();
        drop(s.spawn(async move { canceller.cancel("enough") }));
        results.next().await
    }));
    assert_eq!(read, None);
}

#[test]
fn rule_25_a_read_that_is_dropped_loses_nothing() {
    block_on(local::scope(async |s| {
        let (send, receive) = oneshot::channel();
        let mut results = s.results();
        results.spawn(async { receive.await.unwrap() });
        assert_eq!(poll!(results.recv()), Poll::Pending);
        send.send(1).unwrap();
        assert_eq!(results.recv().await, Ok((0, 1)));
    }));
}

#[test]
fn rule_24_a_scope_that_is_dropped_drops_what_was_not_taken() {
    let dropped = AtomicUsize::new(0);
    block_on(async {
        let mut scope = Box::pin(local::scope(async |s| {
            let results = s.results();
            results.spawn(async { Counted(&dropped) });
            pending::<()>().await;
        }));
        assert!(poll!(&mut scope).is_pending());
        assert_eq!(dropped.load(SeqCst), 0);
    });
    assert_eq!(dropped.into_inner(), 1);
}

#[test]
fn rule_06_the_first_success_ends_the_reading() {
    let first = wg::options().policy(Policy::first_success()).local();
    let read = block_on(first.try_scope(async |s| {
        let results = s.try_results();
        results.spawn(pending());
        results.spawn(async { Ok::<_, String>(2) });
        results.spawn(pending());
        Ok(results.collect::<Vec<_>>().await)
    }));
    assert_eq!(read, Ok(vec![(1, 2)]));
}

#[test]
fn the_future_of_a_scope_with_results_is_send() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let text = String::from("borrowed");
    let scope = is_send(local::scope(async |s| {
        let mut results = s.results();
        results.spawn(async { text.len() });
        let more = results.spawner();
        more.spawn(async { 1 });
        let mut sum = results.recv().await.unwrap().1;
        while let Some((_, n)) = results.next().await {
            sum += n;
        }
        sum
    }));
    assert_eq!(block_on(scope), 9);
}
