//! On a `fn`.

use std::io;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::thread::ThreadId;
use std::time::Instant;

use wg::{Cancel, Cause, Policy};
use wg_tests::{Bang, Bomb, Counted, Gauge, bang, caught, until};

#[wg::fan_out]
fn double(number: u32) -> u32 {
    number * 2
}

#[wg::fan_out(limit = 2)]
fn work(number: usize, gauge: &Gauge) -> usize {
    gauge.work();
    number
}

#[wg::fan_out]
fn parse(text: &str) -> Result<u8, String> {
    text.parse().map_err(|_| format!("{text} is no number"))
}

#[wg::fan_out]
fn open(path: &str, missing: &str) -> io::Result<usize> {
    if path == missing { Err(io::Error::other(path)) } else { Ok(path.len()) }
}

#[wg::fan_out]
fn note(number: u32, into: &Mutex<Vec<u32>>) {
    into.lock().unwrap().push(number);
}

#[wg::fan_out]
fn fail(number: u32) -> u32 {
    if number == 3 { bang(3) } else { number }
}

#[wg::fan_out]
fn fail_or_not(number: u32) -> Result<u32, String> {
    Ok(fail(number))
}

#[wg::fan_out]
fn meet(_: usize, present: &AtomicUsize, #[fan_out(copy)] all: usize) -> ThreadId {
    present.fetch_add(1, SeqCst);
    until(|| present.load(SeqCst) == all);
    std::thread::current().id()
}

#[test]
fn the_function_stays_and_results_come_in_the_order_of_the_items() {
    assert_eq!(double(4), 8);
    assert_eq!(double_all([1, 2, 3]).run(), [2, 4, 6]);
    assert_eq!(double_all(vec![5; 2]).run(), [10, 10]);
    assert_eq!(double_all(0..1000).run(), (0..1000).map(double).collect::<Vec<_>>());
    assert_eq!(double_all((1..).take(2)).run(), [2, 4]);
    assert_eq!(double_all([]).run(), []);
}

#[test]
fn the_limit_is_that_of_the_attribute_and_the_builder_may_change_it() {
    let gauge = Gauge::default();
    assert_eq!(work_all(0..50, &gauge).run().len(), 50);
    gauge.was_never_above(2);
    let gauge = Gauge::default();
    assert_eq!(work_all(0..50, &gauge).limit(1).run().len(), 50);
    gauge.was_never_above(1);
}

#[test]
fn rule_09_a_limit_of_0_is_refused_where_it_is_given() {
    let message: String = *wg_tests::payload(|| _ = double_all([1]).limit(0)).downcast().unwrap();
    assert!(message.contains("at least 1"), "{message}");
}

#[test]
fn items_run_on_threads_at_the_same_time() {
    let present = AtomicUsize::new(0);
    let threads = meet_all(0..5, &present, 5).limit(5).run();
    let mut different = threads.clone();
    different.dedup();
    assert_eq!((threads.len(), different.len()), (5, 5));
}

#[test]
fn a_function_without_a_result_is_run_for_each_item() {
    let into = Mutex::new(Vec::new());
    assert_eq!(note_all(0..9, &into).run(), [(); 9]);
    let mut all = into.into_inner().unwrap();
    all.sort_unstable();
    assert_eq!(all, (0..9).collect::<Vec<_>>());
}

#[test]
fn rule_06_the_first_error_comes_back_from_try_run() {
    assert_eq!(parse_all(["1", "2"]).try_run(), Ok(vec![1, 2]));
    assert_eq!(parse_all(["1", "x"]).try_run(), Err(String::from("x is no number")));
    let policy = Policy::fail_fast().lowest_index();
    let error = parse_all(["a", "1", "b"]).policy(policy).try_run();
    assert_eq!(error.unwrap_err(), "a is no number");
}

#[test]
fn an_alias_of_result_is_a_result() {
    assert_eq!(open_all(["a", "bb"], "c").try_run().unwrap(), [1, 2]);
    assert_eq!(open_all(["a", "bb"], "a").try_run().unwrap_err().to_string(), "a");
}

#[test]
fn rule_07_every_error_comes_back_from_collect_all() {
    let (numbers, errors) = parse_all(["1", "x", "3", "y"]).name("parse").collect_all();
    assert_eq!(numbers, [1, 3]);
    assert_eq!(
        errors.iter().map(|failure| failure.index()).collect::<Vec<_>>(),
        [Some(1), Some(3)]
    );
    assert_eq!(errors.first().unwrap().task().unwrap().name(), Some("parse"));
}

#[test]
fn a_task_is_called_as_its_function_unless_it_is_told_otherwise() {
    let (_, errors) = parse_all(["x"]).collect_all();
    assert_eq!(errors.first().unwrap().task().unwrap().name(), Some("parse"));
    let (_, errors) = parse_all(["x"]).name("other").collect_all();
    let task = errors.first().unwrap().task().unwrap();
    assert_eq!(task.name(), Some("other"));
    assert!(task.site().file().ends_with("threads.rs"), "{task:?}");
}

#[test]
fn the_first_successes_are_enough() {
    assert_eq!(parse_all(["x", "2", "y"]).first_ok().unwrap(), 2);
    assert_eq!(parse_all(["x", "y"]).first_ok().unwrap_err().len(), 2);
    let two = parse_all(["1", "x", "3", "4"]).limit(1).quorum(2).unwrap();
    assert_eq!(two, [(0, 1), (2, 3)]);
}

#[test]
fn rule_17_results_come_as_they_are_ready_or_in_order() {
    let mut seen = double_all(0..20).limit(3).as_completed(|results| results.collect::<Vec<_>>());
    seen.sort_unstable();
    assert_eq!(seen, (0..20).map(|n| (n as usize, n * 2)).collect::<Vec<_>>());
    let seen = double_all(0..20).limit(3).in_order(|results| results.collect::<Vec<_>>());
    assert_eq!(seen, (0..20).map(double).collect::<Vec<_>>());
}

#[test]
fn a_stream_is_bounded_by_the_limit() {
    let gauge = Gauge::default();
    let count = work_all(0.., &gauge).as_completed(|results| results.take(30).count());
    assert_eq!(count, 30);
    gauge.was_never_above(2);
}

#[test]
fn rule_05_a_panic_is_resumed_unchanged_from_every_verb() {
    assert_eq!(caught::<Bang, _>(|| fail_all(0..9).run()).0, 3);
    assert_eq!(caught::<Bang, _>(|| fail_or_not_all(0..9).try_run()).0, 3);
    assert_eq!(caught::<Bang, _>(|| fail_or_not_all(0..9).collect_all()).0, 3);
    assert_eq!(caught::<Bang, _>(|| fail_all(0..9).in_order(|results| results.count())).0, 3);
    let (values, errors) = fail_or_not_all(0..5).catch_panics().collect_all();
    assert_eq!((values, errors.len()), (vec![0, 1, 2, 4], 1));
}

#[test]
fn rule_18_a_cancel_reaches_the_calls() {
    let cancel = Cancel::new();
    cancel.cancel("not today");
    let result = open_all(["a"], "b").cancel(&cancel).try_run();
    assert_eq!(result.unwrap_err().to_string(), "stopped: cancelled: not today");
    let count = double_all(0..9).cancel(&cancel).as_completed(|results| results.count());
    assert_eq!(count, 0);
}

#[test]
fn rule_21_a_deadline_reaches_the_calls() {
    let result = open_all(["a"], "b").deadline(Instant::now()).try_run();
    assert_eq!(result.unwrap_err().kind(), io::ErrorKind::TimedOut);
    let result = parse_all(["1"]).timeout(std::time::Duration::ZERO).try_run();
    assert_eq!(result.unwrap_err(), "stopped: the deadline passed");
}

#[test]
fn rule_20_a_shield_hides_the_cancel_of_an_outer_scope() {
    let doubled = wg::scope(|s| {
        s.cancel("enough");
        let inside = parse_all(["1"]).try_run();
        assert!(inside.unwrap_err().contains("enough"));
        double_all([1]).shield().run()
    });
    assert_eq!(doubled, [2]);
}

#[test]
fn a_builder_that_is_not_run_calls_nothing_and_drops_its_items_once() {
    #[wg::fan_out]
    fn never(_: Counted<'_>) {
        unreachable!("nobody runs it")
    }
    let drops = AtomicUsize::new(0);
    drop(never_all([Counted(&drops), Counted(&drops)]));
    assert_eq!(drops.into_inner(), 2);
}

#[test]
fn the_iterator_is_pulled_as_items_are_needed() {
    let pulled = AtomicUsize::new(0);
    let items = (0..).inspect(|_| _ = pulled.fetch_add(1, SeqCst));
    #[wg::fan_out(limit = 1)]
    fn stop_at(number: u32, #[fan_out(copy)] last: u32) -> Result<(), ()> {
        if number == last { Err(()) } else { Ok(()) }
    }
    assert_eq!(stop_at_all(items, 10).try_run(), Err(()));
    assert!(pulled.load(SeqCst) <= 12, "{pulled:?}");
}

#[test]
fn a_megabyte_goes_through_a_small_stack() {
    #[wg::fan_out]
    fn copy(_: u8) -> Box<[u8; 1 << 20]> {
        vec![7; 1 << 20].into_boxed_slice().try_into().unwrap()
    }
    let copies = copy_all(0..3).stack_size(64 << 10).run();
    assert!(copies.iter().all(|copy| copy[1 << 19] == 7));
}

#[test]
fn rule_01_a_result_whose_drop_panics_is_handed_over_whole() {
    #[wg::fan_out]
    fn arm(number: u32) -> Bomb {
        Bomb::new(number)
    }
    let bombs = arm_all(0..3).run();
    assert!(bombs.into_iter().all(Bomb::defuse));
}

#[test]
fn what_stopped_it_is_told() {
    #[derive(Debug)]
    struct Told(Cause);
    impl From<wg::Stopped> for Told {
        fn from(stopped: wg::Stopped) -> Self {
            Told(stopped.cause().clone())
        }
    }
    #[wg::fan_out]
    fn never(_: u32) -> Result<(), Told> {
        Ok(())
    }
    let Told(cause) = never_all([1]).deadline(Instant::now()).try_run().unwrap_err();
    assert!(cause.is_deadline());
}
