//! What a timeline tells of futures, on tokio and in the current task.

use std::collections::BTreeMap;
use std::future::pending;

use futures::StreamExt;
use futures::executor::block_on;
use tokio::runtime::Builder;
use wg::{Timeline, local};
use wg_tests::bang;

/// How many spans ended in which way, of tasks that waited and ran in an order that can be.
fn ends(timeline: &Timeline) -> BTreeMap<String, usize> {
    let mut ends = BTreeMap::new();
    for span in timeline.spans() {
        assert!(span.is_future());
        assert!(span.spawned() <= span.began() && span.began() <= span.ended());
        *ends.entry(span.outcome().to_string()).or_default() += 1;
    }
    ends
}

fn are<const N: usize>(ends: [(&str, usize); N]) -> BTreeMap<String, usize> {
    ends.into_iter().map(|(outcome, times)| (outcome.to_owned(), times)).collect()
}

#[test]
fn futures_in_the_current_task_have_spans() {
    for limit in [1, 2, 100] {
        let timeline = Timeline::new();
        let options = wg::options().name("pages").limit(limit).timeline(&timeline);
        block_on(options.local().scope(async |s| {
            let (send, receive) = futures::channel::oneshot::channel::<()>();
            let waits = s.task("waits").spawn(async { send.send(()).unwrap() });
            s.spawn(async { receive.await.unwrap() }).join().await;
            waits.join().await;
            drop(s.spawn(pending::<()>()));
            s.cancel("enough");
            drop(s.spawn(async {}));
        }));
        assert_eq!(ends(&timeline), are([("value", 2), ("cancelled", 2)]));
        for span in timeline.spans() {
            assert_eq!((span.scope(), span.scope_number()), (Some("pages"), 0));
        }
    }
}

#[test]
fn errors_and_panics_of_futures_are_told() {
    let timeline = Timeline::new();
    let options = wg::options().catch_panics().timeline(&timeline);
    let options = options.policy(wg::Policy::collect_all());
    let _ = block_on(options.local().try_scope(async |s| {
        drop(s.spawn(async { Ok(()) }));
        drop(s.spawn(async { Err::<(), _>(std::io::Error::other("on purpose")) }));
        drop(s.spawn(async {
            bang(7);
            #[expect(unreachable_code, reason = "it says of which type it would be")]
            Ok(())
        }));
        Ok::<_, std::io::Error>(())
    }));
    assert_eq!(ends(&timeline), are([("value", 1), ("error", 1), ("panic", 1)]));
}

#[test]
fn futures_on_a_runtime_have_spans() {
    let one = Builder::new_current_thread().build().unwrap();
    let many = Builder::new_multi_thread().worker_threads(2).build().unwrap();
    for runtime in [one, many] {
        for limit in [1, 100] {
            let timeline = Timeline::new();
            let options = wg::options().limit(limit).timeline(&timeline);
            runtime.block_on(options.tokio().scope(async |s| {
                let tasks: Vec<_> = (0..20).map(|_| s.spawn(tokio::task::yield_now())).collect();
                for task in tasks {
                    task.join().await;
                }
                s.spawn_blocking(|| ()).join().await;
                drop(s.spawn(pending::<()>()));
                s.cancel("enough");
            }));
            assert_eq!(ends(&timeline), are([("value", 21), ("cancelled", 1)]));
        }
    }
}

#[test]
fn a_scope_whose_future_is_dropped_has_spans_of_what_was_dropped_with_it() {
    let timeline = Timeline::new();
    let mut scope = Box::pin(wg::options().timeline(&timeline).local().scope(async |s| {
        drop(s.spawn(pending::<()>()));
        drop(s.spawn(async {}));
        pending::<()>().await;
    }));
    assert!(block_on(async { futures::poll!(&mut scope) }).is_pending());
    assert_eq!(ends(&timeline), are([("value", 1)]));
    drop(scope);
    assert_eq!(ends(&timeline), are([("value", 1), ("cancelled", 1)]));
}

#[test]
fn items_and_jobs_of_futures_have_spans() {
    let timeline = Timeline::new();
    let odd = async |n: u32| match n {
        4 => bang(8),
        n if n % 2 == 1 => Err("odd"),
        n => Ok(n),
    };
    let fan_out = local::fan_out(0..5).limit(2).name("evens").catch_panics().timeline(&timeline);
    let (values, errors) = block_on(fan_out.collect_all(odd));
    assert_eq!((values.len(), errors.len()), (2, 3));
    assert_eq!(ends(&timeline), are([("value", 2), ("error", 2), ("panic", 1)]));
    for span in timeline.spans() {
        assert_eq!((span.scope(), span.task().name()), (Some("evens"), Some("evens")));
    }

    let timeline = Timeline::new();
    block_on(wg::options().timeline(&timeline).local().scope(async |s| {
        assert_eq!(s.fan_out(0..5).limit(2).as_completed(async |n| n).count().await, 5);
        let mut pool = s.workers(2, async |n: u32| n);
        for n in 0..5 {
            pool.send(n).await.unwrap();
        }
        assert_eq!(pool.by_ref().count().await, 5);
        let (begin, begun) = futures::channel::oneshot::channel();
        let begin = std::sync::Mutex::new(Some(begin));
        let waits = s.workers(1, move |()| {
            begin.lock().unwrap().take().unwrap().send(()).unwrap();
            pending::<()>()
        });
        waits.send(()).await.unwrap();
        begun.await.unwrap();
        s.cancel("enough");
    }));
    assert_eq!(ends(&timeline), are([("value", 10), ("cancelled", 1)]));
}
