//! How fan-outs over futures that are not `Send` end before their time.

use std::future::pending;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Duration;

use futures::FutureExt;
use futures::executor::block_on;
use futures::future::LocalBoxFuture;
use wg::Cause;
use wg::local::unsend;
use wg_tests::{Bang, Bomb, Boom, bang, caught};

use super::unsend_fan_out::{Bad, Count, Live, after, bad};

#[test]
fn rule_05_a_panic_drops_the_rest_and_is_resumed() {
    let (count, held) = (Count::default(), Rc::new(()));
    let items = (0..100).map(|n| (n, Rc::clone(&held)));
    let payload: Bang = caught(|| {
        block_on(unsend::fan_out(items).limit(5).map(async |(n, _held)| {
            let _live = count.one();
            if n == 3 { bang(71) } else { pending::<()>().await }
        }))
    });
    assert_eq!(payload, Bang(71));
    assert_eq!((count.live.get(), Rc::strong_count(&held)), (0, 1));
    assert!((4..=5).contains(&count.made.get()));

    // What a result holds whose drop panics takes nothing with it.
    let _: Boom = caught(|| {
        block_on(unsend::fan_out(0..5).limit(1).try_map(async |n| {
            let live = count.one();
            if n == 4 { bad(4) } else { Ok((Bomb::new(71), live)) }
        }))
        .map(drop)
    });
    assert_eq!(count.live.get(), 0);

    let caught = unsend::fan_out(0..6_usize).catch_panics().collect_all(async |n| match n {
        2 => bang(72),
        4 => bad(n),
        n => Ok(Rc::new(n)),
    });
    let (values, errors) = block_on(caught);
    assert_eq!(values, [0, 1, 3, 5].map(Rc::new));
    assert_eq!(errors.len(), 2);
}

#[test]
fn rule_18_a_cancel_comes_back_with_its_reason_and_rule_21_a_deadline_is_its_own_cause() {
    let (cancel, count) = (wg::Cancel::new(), Count::default());
    let fan_out = wg::options().cancel(&cancel).limit(3).unsend().fan_out(0..);
    let ended = block_on(fan_out.try_map(async |n: usize| {
        let live = count.one();
        after(n % 3).await;
        if n == 50 {
            cancel.cancel("enough");
        }
        Ok::<_, Bad>(live)
    }));
    assert_eq!(ended.err(), Some(Bad::Stopped(Cause::Asked("enough".into()))));
    assert_eq!(count.live.get(), 0);

    let late = unsend::fan_out(0..10).timeout(Duration::from_millis(2));
    let late = block_on(late.try_for_each(async |_| {
        let _live = count.one();
        pending::<Result<(), Bad>>().await
    }));
    assert_eq!(late, Err(Bad::Stopped(Cause::Deadline)));
    assert_eq!(count.live.get(), 0);
}

/// Every verb over items, futures and results that count themselves.
fn verbs<'a>(count: &'a Count) -> Vec<(&'static str, LocalBoxFuture<'a, ()>)> {
    let fan_out = || unsend::fan_out((0..7).map(|n| (n, count.one()))).limit(3);
    let work = move |(n, item): (usize, Live<'a>)| async move {
        let _held = (item, count.one());
        after(3 + n % 3).await;
        count.one()
    };
    let fails =
        move |(n, item)| work((n, item)).map(move |live| if n == 5 { bad(n) } else { Ok(live) });
    let seldom =
        move |(n, item)| work((n, item)).map(move |live| if n == 5 { Ok(live) } else { bad(n) });
    let more = move |(n, item), more: wg::AsyncMore<_>| {
        if n < 7 {
            more.push((n + 7, count.one()));
        }
        (n, item)
    };
    vec![
        ("map", fan_out().map(work).map(drop).boxed_local()),
        ("for_each", fan_out().for_each(move |it| work(it).map(drop)).boxed_local()),
        ("try_map", fan_out().try_map(fails).map(drop).boxed_local()),
        (
            "try_for_each",
            fan_out()
                .try_for_each(move |it| fails(it).map(|it| it.map(drop)))
                .map(drop)
                .boxed_local(),
        ),
        ("collect_all", fan_out().collect_all(fails).map(drop).boxed_local()),
        ("first_ok", fan_out().first_ok(seldom).map(drop).boxed_local()),
        ("quorum", fan_out().quorum(2, fails).map(drop).boxed_local()),
        ("grow", fan_out().grow(move |it, to| work(more(it, to))).map(drop).boxed_local()),
        ("try_grow", fan_out().try_grow(move |it, to| fails(more(it, to))).map(drop).boxed_local()),
        ("budget", fan_out().budget(2, |it| it.0 as u64).map(work).map(drop).boxed_local()),
    ]
}

#[test]
fn rule_24_they_are_dropped_after_any_number_of_polls_and_drop_everything_once() {
    for which in 0..verbs(&Count::default()).len() {
        let mut midway = 0;
        for polls in 0.. {
            let count = Count::default();
            let (name, mut verb) = verbs(&count).swap_remove(which);
            let mut context = Context::from_waker(Waker::noop());
            let ended = (0..polls).any(|_| verb.as_mut().poll(&mut context).is_ready());
            midway += usize::from(count.live.get() > 0);
            drop(verb);
            assert_eq!(count.live.get(), 0, "{name} after {polls} polls");
            if ended {
                assert!(midway >= 3, "{name} is ready after {polls} polls");
                break;
            }
        }
    }
}
