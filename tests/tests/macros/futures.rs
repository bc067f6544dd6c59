//! On an `async fn`, in the task that awaits it.

use std::future::{Future, pending};
use std::io;
use std::pin::pin;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::task::{Context, Waker};

use futures::executor::block_on;
use futures::{FutureExt, StreamExt};
use wg::Cancel;
use wg_tests::{Bang, Counted, bang, caught};

#[wg::fan_out]
async fn length(page: &str) -> usize {
    page.len()
}

#[wg::fan_out(limit = 3)]
async fn visit(page: &String, seen: &Mutex<Vec<String>>) -> io::Result<usize> {
    seen.lock().unwrap().push(page.clone());
    futures::future::ready(()).await;
    if page == "broken" { Err(io::Error::other("broken")) } else { Ok(page.len()) }
}

#[wg::fan_out(limit = 2)]
async fn hang(number: u32, begun: &AtomicUsize, counted: &Counted<'_>) -> u32 {
    begun.fetch_add(1, SeqCst);
    let _kept = counted;
    pending::<()>().await;
    number
}

#[wg::fan_out]
async fn hang_with(_guard: Counted<'_>) {
    pending().await
}

#[wg::fan_out]
async fn fail(number: u32) -> u32 {
    if number == 3 { bang(3) } else { number }
}

#[wg::fan_out]
async fn check(number: u32) -> Result<u32, String> {
    if number % 2 == 1 { Err(number.to_string()) } else { Ok(number) }
}

#[test]
fn the_function_stays_and_results_come_in_the_order_of_the_items() {
    assert_eq!(block_on(length("one")), 3);
    let pages = [String::from("one"), String::from("three")];
    let lengths = length_all(pages.iter().map(String::as_str));
    assert_eq!(block_on(lengths.run()), [3, 5]);
}

#[test]
fn items_and_what_they_share_may_be_borrowed() {
    let pages = vec![String::from("one"), String::from("three")];
    let seen = Mutex::new(Vec::new());
    assert_eq!(block_on(visit_all(&pages, &seen).try_run()).unwrap(), [3, 5]);
    assert_eq!(seen.into_inner().unwrap(), pages);
}

#[test]
fn the_first_error_comes_back_from_try_run() {
    let pages = ["one", "broken"].map(String::from);
    let seen = Mutex::new(Vec::new());
    let error = block_on(visit_all(&pages, &seen).limit(1).try_run()).unwrap_err();
    assert_eq!(error.to_string(), "broken");
}

#[test]
fn rule_07_every_error_comes_back_from_collect_all() {
    let (numbers, errors) = block_on(check_all(0..4).collect_all());
    assert_eq!((numbers, errors.len()), (vec![0, 2], 2));
    assert_eq!(errors.first().unwrap().task().unwrap().name(), Some("check"));
}

#[test]
fn the_first_successes_are_enough() {
    assert_eq!(block_on(check_all([1, 2]).first_ok()).unwrap(), 2);
    assert_eq!(block_on(check_all([0, 1, 2]).limit(1).quorum(2)).unwrap(), [(0, 0), (2, 2)]);
}

#[test]
fn the_limit_is_that_of_the_attribute_and_a_future_that_is_dropped_drops_the_items() {
    /// As often as it may want to be, for others to have a turn.
    fn poll(mut future: impl Future + Unpin) {
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..20 {
            assert!(future.poll_unpin(&mut context).is_pending());
        }
    }
    let (begun, drops) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let counted = Counted(&drops);
    poll(pin!(hang_all(0..9, &begun, &counted).run()));
    assert_eq!(begun.load(SeqCst), 2);
    poll(pin!(hang_all(0..9, &begun, &counted).limit(4).run()));
    assert_eq!(begun.load(SeqCst), 2 + 4);
    {
        let mut all = pin!(hang_with_all([Counted(&drops), Counted(&drops)]).run());
        poll(&mut all);
        assert_eq!(drops.load(SeqCst), 0);
    }
    assert_eq!(drops.load(SeqCst), 2);
}

#[test]
fn rule_05_a_panic_is_resumed_unchanged() {
    assert_eq!(caught::<Bang, _>(|| block_on(fail_all(0..9).run())).0, 3);
}

#[test]
fn rule_18_a_cancel_reaches_the_calls() {
    let cancel = Cancel::new();
    cancel.cancel("not today");
    let result = block_on(check_all([0]).cancel(&cancel).try_run());
    assert_eq!(result.unwrap_err(), "stopped: cancelled: not today");
}

#[test]
fn the_futures_are_send_where_what_they_hold_is() {
    fn sent<T: Send>(value: T) -> T {
        value
    }
    let pages = [String::from("one")];
    let seen = Mutex::new(Vec::new());
    let all = sent(visit_all(&pages, &seen));
    assert_eq!(block_on(sent(all.try_run())).unwrap(), [3]);
    let all = async { length_all(["a"]).run().await };
    assert_eq!(block_on(sent(all)), [1]);
}

#[test]
fn results_come_as_a_stream_while_work_goes_on() {
    let pages = ["a", "bb", "ccc"].map(String::from);
    let seen = Mutex::new(Vec::new());
    let read = visit_all(&pages, &seen).as_completed(async |results| {
        let read = results.map(|(index, length)| (index, length.unwrap()));
        read.collect::<Vec<_>>().await
    });
    let mut read = block_on(read);
    read.sort_unstable();
    assert_eq!(read, [(0, 1), (1, 2), (2, 3)]);

    let lengths = length_all(["ccc", "a", "bb"]).limit(2).in_order(async |results| {
        let lengths = results.collect::<Vec<_>>();
        lengths.await
    });
    assert_eq!(block_on(lengths), [3, 1, 2]);
}

#[test]
fn a_body_that_drops_the_stream_stops_what_has_not_begun() {
    let begun = AtomicUsize::new(0);
    let dropped = AtomicUsize::new(0);
    let counted = Counted(&dropped);
    let calls = hang_all(0.., &begun, &counted);
    assert!(
        block_on(calls.as_completed(async |mut results| results.next().now_or_never())).is_none()
    );
    assert!(begun.into_inner() <= 2, "more than the limit");
}
