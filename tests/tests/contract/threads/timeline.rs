//! What a timeline tells of tasks on threads.

use std::collections::BTreeSet;
use std::io;
use std::sync::mpsc::channel;
use std::thread;

use wg::{OutcomeKind, Policy, Span, Timeline};
use wg_tests::{bang, until};

fn of<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let mut found = spans.iter().filter(|span| span.task().name() == Some(name));
    let span = found.next().unwrap_or_else(|| panic!("no {name} in {spans:?}"));
    assert!(found.next().is_none(), "{name} is there once");
    span
}

fn indices(spans: &[Span]) -> BTreeSet<usize> {
    spans.iter().map(|span| span.task().index()).collect()
}

#[test]
fn a_span_says_which_task_ran_when_and_where() {
    let timeline = Timeline::new();
    let (begin, begun) = channel();
    let mut id = None;
    let line = line!() + 2;
    wg::options().name("index").timeline(&timeline).scope(|s| {
        let first = s.spawn(move || {
            begin.send(()).unwrap();
            thread::current().id()
        });
        begun.recv().unwrap();
        s.task("second").spawn(|| ()).join();
        id = Some(first.join());
    });
    let spans = timeline.spans();
    let [first, second] = &spans[..] else { panic!("{spans:?}") };
    assert_eq!((first.task().index(), first.task().name()), (0, None));
    assert_eq!((first.task().site().file(), first.task().site().line()), (file!(), line));
    assert_eq!((second.task().index(), second.task().name()), (1, Some("second")));
    for span in &spans {
        assert_eq!((span.scope(), span.scope_number()), (Some("index"), 0));
        assert_eq!((span.outcome(), span.is_future()), (OutcomeKind::Value, false));
        assert!(span.spawned() <= span.began() && span.began() <= span.ended());
    }
    // The second was spawned when the first had begun.
    assert!(first.began() <= second.spawned());
    assert_ne!(id, Some(thread::current().id()), "the body did not run it");
    let text = second.to_string();
    assert!(text.starts_with("second#1 spawned at ") && text.ends_with(": value"), "{text}");
}

#[test]
fn spans_of_a_thread_follow_each_other_and_none_begins_before_its_task_is_spawned() {
    let timeline = Timeline::new();
    wg::options().timeline(&timeline).scope(|s| {
        for n in 0..500 {
            s.spawn(move || std::hint::black_box(n));
            s.task("named").spawn(move || std::hint::black_box(n));
        }
    });
    let mut spans = timeline.spans();
    for span in &spans {
        assert!(span.spawned() <= span.began() && span.began() <= span.ended());
        let name = (span.task().index() % 2 == 1).then_some("named");
        assert_eq!(span.task().name(), name);
    }
    for thread in spans.iter().map(Span::thread_number).collect::<BTreeSet<_>>() {
        let mut of_it: Vec<_> = spans.iter().filter(|it| it.thread_number() == thread).collect();
        of_it.sort_by_key(|span| (span.began(), span.ended()));
        assert!(of_it.windows(2).all(|two| two[0].ended() <= two[1].began()), "{of_it:?}");
    }
    // What was spawned before begins to wait before: no stamp is later than its beginning.
    spans.sort_by_key(|span| span.task().index());
    assert!(spans.windows(2).all(|two| two[0].spawned() <= two[1].spawned()), "{spans:?}");
    assert_eq!(spans.len(), 1_000);
}

#[test]
fn a_span_is_there_when_the_task_can_be_known_to_have_ended() {
    let timeline = Timeline::new();
    wg::options().timeline(&timeline).scope(|s| {
        for before in 0..100 {
            s.spawn(|| ()).join();
            assert_eq!(timeline.spans().len(), before + 1);
        }
        let last = s.spawn(|| ());
        until(|| last.is_finished());
        assert_eq!(timeline.spans().len(), 101);
    });
    wg::options().timeline(&timeline).scope(|s| {
        for _ in 0..1_000 {
            s.spawn(|| ());
        }
    });
    assert_eq!(timeline.spans().len(), 1_101, "all when the scope has returned");
    assert_eq!(timeline.missed(), 0);
}

#[test]
fn a_span_says_how_its_task_ended() {
    let timeline = Timeline::new();
    let options = wg::options().policy(Policy::collect_all()).catch_panics().timeline(&timeline);
    let _ = options.try_scope(|s| {
        s.task("value").spawn(|| Ok(()));
        s.task("error").spawn(|| Err::<(), _>(io::Error::other("on purpose")));
        s.task("panic").spawn(|| -> io::Result<()> { bang(1) });
        Ok(())
    });
    let stopped = wg::options().timeline(&timeline).try_scope(|s| {
        let (go, gone) = channel::<()>();
        let told = s.task("told").spawn(move || -> io::Result<()> {
            gone.recv().unwrap_err();
            let late = s.spawn(|| Ok(()));
            late.join()
        });
        s.cancel("enough");
        s.task("unbegun").spawn(|| Ok(()));
        drop(go);
        told.join()
    });
    assert!(stopped.is_err());
    let spans = timeline.spans();
    let how = |name| of(&spans, name).outcome();
    assert_eq!(how("value"), OutcomeKind::Value);
    assert_eq!(how("error"), OutcomeKind::Error);
    assert_eq!(how("panic"), OutcomeKind::Panic);
    assert_eq!(how("unbegun"), OutcomeKind::Cancelled);
    // It may have begun before the cancel, and then returned what it was told as an error.
    assert!(matches!(how("told"), OutcomeKind::Error | OutcomeKind::Cancelled));
}

#[test]
fn a_task_that_unwinds_because_it_is_told_to_stop_is_cancelled() {
    let timeline = Timeline::new();
    wg::options().timeline(&timeline).scope(|s| {
        let (begin, begun) = channel();
        let (go, gone) = channel::<()>();
        s.task("joins").spawn(move || {
            begin.send(()).unwrap();
            gone.recv().unwrap_err();
            s.spawn(|| ()).join();
        });
        begun.recv().unwrap();
        s.cancel("enough");
        drop(go);
    });
    assert_eq!(of(&timeline.spans(), "joins").outcome(), OutcomeKind::Cancelled);
}

#[test]
fn scopes_inside_are_recorded_too_and_told_apart() {
    let timeline = Timeline::new();
    let other = Timeline::new();
    wg::options().name("outer").timeline(&timeline).scope(|s| {
        s.task("a").spawn(|| {
            wg::options().name("inner").shield().scope(|s| {
                s.task("b").spawn(|| wg::scope(|s| s.task("c").spawn(|| ()).join())).join();
            });
            wg::options().timeline(&other).scope(|s| s.task("elsewhere").spawn(|| ()).join());
        });
    });
    wg::scope(|s| s.task("outside").spawn(|| ()).join());
    let spans = timeline.spans();
    let place = |name| (of(&spans, name).scope(), of(&spans, name).scope_number());
    assert_eq!(place("a"), (Some("outer"), 0));
    assert_eq!(place("b"), (Some("inner"), 1));
    assert_eq!(place("c"), (None, 2));
    assert_eq!(spans.len(), 3);
    let a = of(&spans, "a");
    assert!(spans.iter().all(|it| a.began() <= it.began() && it.ended() <= a.ended()));
    assert_eq!((other.spans().len(), of(&other.spans(), "elsewhere").scope_number()), (1, 0));
}

#[test]
fn a_task_that_is_joined_in_place_lies_inside_the_one_that_joins_it() {
    let timeline = Timeline::new();
    wg::options().limit(1).timeline(&timeline).scope(|s| {
        s.task("outer").spawn(|| s.task("inner").spawn(|| ()).join()).join();
    });
    let spans = timeline.spans();
    let (outer, inner) = (of(&spans, "outer"), of(&spans, "inner"));
    assert_eq!(inner.thread_number(), outer.thread_number());
    assert_eq!(inner.thread(), outer.thread());
    assert!(outer.began() <= inner.spawned() && inner.ended() <= outer.ended());
}

#[test]
fn every_item_of_a_fan_out_has_a_span() {
    let timeline = Timeline::new();
    let fan_out = || wg::fan_out(0..1_000).name("squares").limit(4).timeline(&timeline);
    assert_eq!(fan_out().map(|n| n * n).len(), 1_000);
    let spans = timeline.spans();
    assert_eq!((spans.len(), indices(&spans).len()), (1_000, 1_000));
    for span in &spans {
        assert_eq!((span.task().name(), span.scope()), (Some("squares"), Some("squares")));
        assert_eq!(span.outcome(), OutcomeKind::Value);
        assert_eq!(span.spawned(), span.began());
    }

    let timeline = Timeline::new();
    let fan_out = wg::fan_out(0..3).catch_panics().timeline(&timeline);
    let (values, errors) = fan_out.collect_all(|n| match n {
        0 => Ok(n),
        1 => Err("odd"),
        _ => bang(2),
    });
    assert_eq!((values.len(), errors.len()), (1, 2));
    let mut ends: Vec<_> =
        timeline.spans().iter().map(|it| (it.task().index(), it.outcome())).collect();
    ends.sort_by_key(|&(index, _)| index);
    let expected = [OutcomeKind::Value, OutcomeKind::Error, OutcomeKind::Panic];
    assert_eq!(ends, expected.into_iter().enumerate().collect::<Vec<_>>());
}

#[test]
fn streams_results_workers_and_what_grows_are_recorded() {
    let timeline = Timeline::new();
    let options = wg::options().timeline(&timeline);
    let spans = |before: &[Span]| timeline.spans().len() - before.len();
    options.scope(|s| assert_eq!(s.fan_out(0..10).as_completed(|n| n).count(), 10));
    let before = timeline.spans();
    assert_eq!(before.len(), 10);
    assert_eq!(options.fan_out(0..10).budget(3, |_| 1).map(|n| n).len(), 10);
    assert_eq!(spans(&before), 10);
    let before = timeline.spans();
    options.scope(|s| {
        let results = s.results();
        let _: Vec<_> = (0..10).map(|n| results.spawn(move || n)).collect();
        assert_eq!(results.as_completed().count(), 10);
    });
    assert_eq!(spans(&before), 10);
    let before = timeline.spans();
    options.scope(|s| {
        let mut pool = s.workers(2, |n: u32| n);
        (0..10).for_each(|n| pool.send(n).unwrap());
        assert_eq!(pool.results().count(), 10);
    });
    assert_eq!(spans(&before), 10);
    let before = timeline.spans();
    let grown = options.fan_out([0]).grow(|n, more| (n < 9).then(|| more.push(n + 1)));
    assert_eq!((grown.len(), spans(&before)), (10, 10));
}

#[test]
fn a_future_has_one_span_from_its_first_poll_to_its_end() {
    let timeline = Timeline::new();
    let (send, receive) = futures::channel::oneshot::channel::<()>();
    wg::options().timeline(&timeline).scope(|s| {
        let receives = s.spawn_future(async { receive.await.unwrap() });
        let other = s.task("sends").spawn(|| send.send(()).unwrap());
        other.join();
        receives.join();
        s.spawn_future(std::future::pending::<()>());
        s.cancel("enough");
    });
    let spans = timeline.spans();
    let futures: Vec<_> = spans.iter().filter(|span| span.is_future()).collect();
    let mut outcomes: Vec<_> = futures.iter().map(|it| (it.task().index(), it.outcome())).collect();
    outcomes.sort_by_key(|&(index, _)| index);
    assert_eq!(outcomes, [(0, OutcomeKind::Value), (2, OutcomeKind::Cancelled)]);
    let sends = of(&spans, "sends");
    assert!(futures.iter().all(|it| it.spawned() <= it.began() && it.began() <= it.ended()));
    assert!(futures.iter().all(|it| it.ended() >= sends.began()));
}

#[test]
fn beyond_its_capacity_a_timeline_counts() {
    for capacity in [0, 1, 3, 1_000] {
        let timeline = Timeline::with_capacity(capacity);
        wg::options().timeline(&timeline).scope(|s| {
            for _ in 0..500 {
                s.spawn(|| ());
            }
        });
        let kept = timeline.spans().len();
        assert!(kept <= capacity, "{kept} of at most {capacity}");
        assert_eq!(kept as u64 + timeline.missed(), 500);
        assert!(capacity < 500 || timeline.missed() == 0);
        assert!(capacity == 0 || kept > 0);
    }
}

#[test]
fn timelines_that_come_and_go_on_the_same_threads_do_not_mix() {
    let lasting = Timeline::new();
    wg::options().timeline(&lasting).scope(|s| {
        for round in 0..50 {
            let timeline = Timeline::new();
            wg::options().timeline(&timeline).scope(|inner| {
                (0..round).for_each(|_| drop(inner.spawn(|| ())));
            });
            assert_eq!(timeline.spans().len(), round);
            s.spawn(|| ()).join();
        }
    });
    assert_eq!(lasting.spans().len(), 50);
}

#[test]
fn a_timeline_is_read_while_it_is_recorded() {
    let timeline = Timeline::new();
    wg::options().timeline(&timeline).scope(|s| {
        let writer = s.spawn(|| wg::fan_out(0..5_000).limit(2).for_each(drop));
        let mut last = 0;
        until(|| {
            let ended = writer.is_finished();
            let spans = timeline.spans().len();
            assert!(spans >= last);
            last = spans;
            ended
        });
    });
    assert_eq!(timeline.spans().len(), 5_001);
}
