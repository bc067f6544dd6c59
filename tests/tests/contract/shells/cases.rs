//! What has to be true in every shell.
//!
//! What a shell cannot have is left out for that shell alone, by name, with the reason.

use std::time::Duration;

use wg::{Cancel, Cause, Options, Policy, options};
use wg_tests::Dice;

use super::program::{End, Ending, Event, Program, Step, Trouble, Way, spawn};
use super::{Shell, random, shells};

/// How often a program is run in each shell: who is faster may change.
const ROUNDS: usize = 5;

/// A limit on time that is always over before anything else is.
const SHORT: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_secs(3600);

/// Runs a program in these shells, and checks how it ends.
fn run_in(
    shells: Vec<Box<dyn Shell>>,
    options: &Options,
    way: Way,
    program: impl Into<Program>,
    check: impl Fn(&Ending),
) {
    let program = program.into();
    for shell in shells {
        // Shown if it fails.
        println!("in {}", shell.name());
        for _ in 0..ROUNDS {
            let ending = shell.run(options, way, &program);
            ending.is_clean();
            check(&ending);
        }
    }
}

/// Every shell but that of the threads.
fn futures() -> Vec<Box<dyn Shell>> {
    shells().into_iter().filter(|shell| shell.name() != "threads").collect()
}

fn run(options: &Options, program: impl Into<Program>, check: impl Fn(&Ending)) {
    run_in(shells(), options, Way::Try, program, check);
}

fn collect(options: &Options, program: impl Into<Program>, check: impl Fn(&Ending)) {
    run_in(shells(), options, Way::Collect, program, check);
}

fn asked(reason: &'static str) -> Cause {
    Cause::Asked(reason.into())
}

fn stopped<T>(reason: &'static str) -> Result<T, Trouble> {
    Err(Trouble::Stopped(asked(reason)))
}

fn told(text: &'static str) -> End {
    End::Failed(Trouble::Told(text))
}

fn inner(options: Options, steps: impl Into<Program>) -> Step {
    Step::Inner(options, Way::Try, steps.into())
}

fn within(steps: impl Into<Program>) -> Step {
    Step::Within(options(), Way::Try, steps.into())
}

#[test]
fn rule_01_a_scope_is_left_when_tasks_of_tasks_have_ended() {
    let leaf = [Step::Yield, Step::Note("leaf")];
    let branch = [spawn("a", leaf.clone()), Step::Yield, spawn("b", leaf), Step::Value(1)];
    run(&options(), [spawn("a", branch.clone()), spawn("b", branch)], |ending| {
        assert_eq!(ending.end, End::Value(0));
        assert_eq!(ending.noted("leaf"), 4);
        assert_eq!(ending.done(), [0, 0, 0, 0, 0, 1, 1]);
    });
}

#[test]
fn rule_01_results_that_nobody_claims_are_dropped_with_their_scope() {
    let program = [spawn("a", [Step::Value(1)]), spawn("b", [Step::Value(2)]), Step::Leave("a")];
    run(&options(), program, |ending| assert_eq!(ending.done(), [0, 1, 2]));
}

#[test]
fn rule_02_the_error_of_the_body_stops_the_tasks_and_comes_back() {
    run(&options(), [spawn("sleeps", [Step::Sleep]), Step::Fail("body")], |ending| {
        assert_eq!(ending.end, told("body"));
    });
}

#[test]
fn rule_02_the_panic_of_the_body_stops_the_tasks_and_comes_back() {
    run(&options(), [spawn("sleeps", [Step::Sleep]), Step::Panic(2)], |ending| {
        assert_eq!(ending.end, End::Panicked(2));
    });
}

#[test]
fn rule_02_the_panic_of_the_body_of_a_collecting_scope_comes_back() {
    collect(&options(), [spawn("sleeps", [Step::Sleep]), Step::Panic(2)], |ending| {
        assert_eq!(ending.end, End::Panicked(2));
    });
}

#[test]
fn rule_03_a_normal_return_waits_and_running_tasks_may_still_spawn() {
    let spawns = [Step::Until("left"), spawn("late", [Step::Yield, Step::Note("late")])];
    let opens = [Step::Yield, Step::Yield, Step::Open("left")];
    run(&options(), [spawn("spawns", spawns), spawn("opens", opens)], |ending| {
        assert_eq!(ending.end, End::Value(0));
        assert_eq!(ending.noted("late"), 1);
    });
}

#[test]
fn rule_03_a_cancelled_scope_starts_nothing_new() {
    let program = [
        Step::Cancel("enough"),
        spawn("late", [Step::Note("ran")]),
        Step::Look("late"),
        Step::Value(3),
    ];
    run(&options(), program, |ending| {
        assert_eq!(ending.end, End::Value(3));
        assert_eq!(ending.noted("ran"), 0);
        assert_eq!(ending.joined("late"), &stopped("enough"));
    });
}

#[test]
fn rule_05_the_panic_of_a_task_stops_the_others_and_is_resumed() {
    let program = [spawn("sleeps", [Step::Sleep]), spawn("panics", [Step::Panic(3)]), Step::Sleep];
    run(&options(), program.clone(), |ending| assert_eq!(ending.end, End::Panicked(3)));
    collect(&options(), program, |ending| assert_eq!(ending.end, End::Panicked(3)));
}

#[test]
fn rule_05_a_panic_is_resumed_also_if_its_task_was_joined() {
    let program = [spawn("panics", [Step::Yield, Step::Panic(4)]), Step::Look("panics")];
    run(&options(), program, |ending| {
        assert_eq!(ending.end, End::Panicked(4));
        let Err(Trouble::Stopped(Cause::Panicked(task, _))) = ending.joined("panics") else {
            panic!("{ending:?}");
        };
        assert_eq!((task.name(), task.index()), (Some("panics"), 0));
    });
}

#[test]
fn rule_05_a_panic_passes_through_the_scopes_outside() {
    let deep = within([spawn("panics", [Step::Yield, Step::Panic(5)]), Step::Sleep]);
    run(&options(), [spawn("outer", [within([spawn("inner", [deep])])]), Step::Sleep], |ending| {
        assert_eq!(ending.end, End::Panicked(5));
    });
}

#[test]
fn rule_05_panics_that_are_caught_are_failures() {
    let program = [
        spawn("fine", [Step::Yield, Step::Value(1)]),
        spawn("panics", [Step::Panic(6)]),
        spawn("fails", [Step::Fail("error")]),
        Step::Value(7),
    ];
    collect(&options().catch_panics(), program, |ending| {
        assert_eq!(ending.end, End::Value(7));
        assert_eq!(ending.done(), [1, 7]);
        let collected = ending.events.iter().find_map(|event| match event {
            Event::Collected { errors, tasks, cancelled, .. } => Some((errors, tasks, cancelled)),
            _ => None,
        });
        let errors = vec![Err(6), Ok(Trouble::Told("error"))];
        assert_eq!(collected, Some((&errors, &3, &0)));
    });
}

#[test]
fn rule_06_the_first_error_stops_the_others_and_comes_back() {
    let program = [
        spawn("sleeps", [Step::Sleep]),
        spawn("fails", [Step::Yield, Step::Fail("first")]),
        Step::Sleep,
    ];
    run(&options(), program, |ending| assert_eq!(ending.end, told("first")));
}

#[test]
fn rule_06_an_error_goes_to_whoever_joins_and_is_handed_on() {
    let fails = [spawn("fails", [Step::Fail("deep")]), Step::Join("fails")];
    run(&options(), [spawn("hands on", fails), Step::AwaitAll], |ending| {
        assert_eq!(ending.end, told("deep"));
    });
}

#[test]
fn rule_06_with_the_lowest_index_the_choice_does_not_depend_on_who_is_faster() {
    let program = [
        spawn("slow", [Step::Until("failed"), Step::Yield, Step::Fail("lowest")]),
        spawn("fast", [Step::Open("failed"), Step::Fail("fast")]),
    ];
    let options = options().policy(Policy::fail_fast().lowest_index());
    run(&options, program, |ending| assert_eq!(ending.end, told("lowest")));
}

#[test]
fn rule_06_with_the_lowest_index_nothing_above_it_begins() {
    let program = [
        spawn("slow", [Step::Until("failed"), Step::Fail("lowest")]),
        spawn("fast", [Step::Until("spawned"), Step::Open("failed"), Step::Fail("fast")]),
        spawn("above", [Step::Note("began")]),
        Step::Open("spawned"),
    ];
    let options = options().limit(2).policy(Policy::fail_fast().lowest_index());
    run(&options, program, |ending| {
        assert_eq!(ending.end, told("lowest"));
        assert_eq!(ending.noted("began"), 0);
    });
}

#[test]
fn rule_06_a_quorum_stops_the_others_and_its_lack_is_a_failure() {
    let fails = || spawn("fails", [Step::Fail("no")]);
    let options = options().policy(Policy::quorum(2));
    let enough = [fails(), spawn("a", []), spawn("sleeps", [Step::Sleep]), spawn("b", [])];
    run(&options, enough, |ending| assert_eq!(ending.end, End::Value(0)));
    run(&options, [fails(), spawn("a", [])], |ending| assert_eq!(ending.end, told("no")));
}

#[test]
fn rule_07_all_errors_come_back_in_the_order_of_their_indices() {
    let program = [
        spawn("a", [Step::Until("c failed"), Step::Fail("a")]),
        spawn("b", [Step::Value(1)]),
        spawn("c", [Step::Open("c failed"), Step::Fail("c")]),
        spawn("d", [Step::Value(2)]),
        Step::Value(3),
    ];
    collect(&options(), program, |ending| {
        assert_eq!(ending.end, End::Value(3));
        assert_eq!(ending.done(), [1, 2, 3]);
        let Some(Event::Collected { errors, tasks, cancelled, text }) = ending.events.last() else {
            panic!("{ending:?}");
        };
        assert_eq!(errors, &[Ok(Trouble::Told("a")), Ok(Trouble::Told("c"))]);
        assert_eq!((*tasks, *cancelled), (4, 0));
        assert!(text.starts_with("2 of 4 tasks failed; first: a#0"), "{text}");
    });
}

#[test]
fn rule_08_a_cancelled_task_is_counted_and_not_listed() {
    let program = [
        spawn("cancels", [Step::Until("spawned"), Step::Cancel("enough")]),
        spawn("waits", [Step::Note("began")]),
        Step::Open("spawned"),
        Step::Value(8),
    ];
    collect(&options().limit(1), program, |ending| {
        assert_eq!(ending.end, End::Value(8));
        assert_eq!(ending.noted("began"), 0);
        let Some(Event::Collected { errors, tasks, cancelled, .. }) = ending.events.last() else {
            panic!("{ending:?}");
        };
        assert_eq!((errors.len(), *tasks, *cancelled), (0, 2, 1));
    });
}

#[test]
fn rule_08_tasks_that_were_stopped_by_hand_fail_nobody() {
    // Not on threads: there a task is not dropped where it waits, and hands `Stopped` on as an error
    // that is its own. Whether the scope returns it depends on whether its joiner saw it first.
    let program = [
        spawn("sleeps", [Step::Sleep]),
        spawn("cancels", [Step::Yield, Step::Cancel("enough")]),
        Step::Doze,
        Step::Look("sleeps"),
        Step::Value(1),
    ];
    run_in(futures(), &options(), Way::Try, program, |ending| {
        assert_eq!(ending.end, End::Value(1));
    });
}

#[test]
fn rule_09_never_more_than_the_limit_are_at_work() {
    let leaf = [Step::Work, Step::Yield, Step::Work, Step::Value(1)];
    let branch = [
        spawn("a", leaf.clone()),
        spawn("b", leaf.clone()),
        Step::Work,
        Step::Join("b"),
        Step::Work,
        Step::AwaitAll,
    ];
    for limit in 1..=3 {
        let mut program = vec![spawn("first", leaf.clone())];
        program.extend((0..6).map(|_| spawn("branch", branch.clone())));
        program.push(Step::AwaitAll);
        run(&options().limit(limit), program, |ending| {
            assert_eq!(ending.end, End::Value(13));
            assert!(ending.most <= limit, "{} at a limit of {limit}", ending.most);
        });
    }
}

#[test]
fn rule_09_as_many_as_the_limit_run_at_once() {
    let meets = |mine, other| [Step::Open(mine), Step::Until(other)];
    let program = [spawn("a", meets("a", "b")), spawn("b", meets("b", "c"))];
    let program: Vec<_> = program.into_iter().chain([spawn("c", meets("c", "a"))]).collect();
    run(&options().limit(3), program, |ending| assert_eq!(ending.end, End::Value(0)));
}

/// Spawns many that cannot end before all are spawned.
fn many() -> Vec<Step> {
    let mut program: Vec<_> = (0..50).map(|_| spawn("many", [Step::Until("counted")])).collect();
    program.extend([Step::Count, Step::Open("counted"), Step::AwaitAll]);
    program
}

#[test]
fn rule_10_spawn_returns_at_once_in_a_body_of_futures() {
    // Not on threads: there the body of a limited scope is held back, so that what waits is bounded.
    run_in(futures(), &options().limit(2), Way::Try, many(), |ending| {
        assert!(ending.has(&Event::Count(50)), "{ending:?}");
    });
}

#[test]
fn rule_10_spawn_returns_at_once_in_a_task() {
    run(&options().limit(1), [spawn("spawns", many()), Step::AwaitAll], |ending| {
        assert!(ending.has(&Event::Count(51)), "{ending:?}");
    });
}

#[test]
fn rule_11_trees_of_tasks_join_each_other_at_any_limit() {
    for seed in 1..=6 {
        let tree = random::tree(&mut Dice(seed * 7919), 6);
        let sum = random::sum(&tree);
        for limit in 1..=3 {
            run_in(shells(), &options().limit(limit), Way::Try, tree.clone(), |ending| {
                assert_eq!(ending.end, End::Value(sum), "with seed {seed} at {limit}");
            });
        }
    }
}

#[test]
fn rule_11_a_task_that_runs_in_place_may_wait() {
    let joins = [spawn("waits", [Step::Yield, Step::Yield, Step::Value(1)]), Step::Join("waits")];
    run(&options().limit(1), [spawn("joins", joins), Step::AwaitAll], |ending| {
        assert_eq!(ending.end, End::Value(1));
    });
}

#[test]
fn rule_11_the_body_joins_in_any_order_at_a_limit_of_one() {
    let program = [
        spawn("a", [Step::Yield, Step::Value(1)]),
        spawn("b", [Step::Yield, Step::Value(2)]),
        Step::Join("b"),
        spawn("c", [spawn("d", [Step::Value(4)]), Step::Join("d")]),
        Step::Join("c"),
        Step::Join("a"),
    ];
    run(&options().limit(1), program, |ending| assert_eq!(ending.end, End::Value(7)));
}

#[test]
fn rule_18_an_outer_cancel_reaches_inner_scopes_with_its_reason() {
    let cancel = || {
        let cancel = Cancel::new();
        (options().cancel(&cancel), cancel)
    };
    for shell in shells() {
        println!("in {}", shell.name());
        let (options, cancel) = cancel();
        let pulls = [Step::Until("inside"), Step::Pull(cancel, "shutdown")];
        let deepest = [Step::Open("inside"), Step::Doze, Step::Cause, Step::Value(1)];
        let deep = inner(wg::options(), deepest);
        let program = [spawn("pulls", pulls), inner(wg::options(), [deep]), Step::Cause];
        let ending = shell.run(&options, Way::Try, &program.into());
        ending.is_clean();
        let outer = Cause::Outer(asked("shutdown").into());
        let slept = Err(Trouble::Stopped(outer.clone()));
        assert!(ending.has(&Event::Slept(slept)), "{ending:?}");
        assert!(ending.has(&Event::Cause(Some(outer))), "{ending:?}");
        assert_eq!(ending.inner(), &End::Value(1));
        assert_eq!(ending.end, End::Value(0));
    }
}

#[test]
fn rule_18_an_inner_scope_reaches_the_outer_only_by_failing() {
    let program = [
        inner(options(), [spawn("sleeps", [Step::Sleep]), Step::Cancel("inside"), Step::Value(1)]),
        Step::Check,
        inner(options(), [spawn("fails", [Step::Fail("inside")])]),
        Step::Cause,
        Step::Value(2),
    ];
    run(&options(), program, |ending| {
        assert!(ending.has(&Event::Inner(told("inside"))), "{ending:?}");
        assert!(ending.has(&Event::Cause(None)), "{ending:?}");
        assert_eq!(ending.end, End::Value(2));
    });
    let fails = [spawn("outer", [within([spawn("fails", [Step::Fail("inside")])])]), Step::Sleep];
    run(&options(), fails, |ending| assert_eq!(ending.end, told("inside")));
}

#[test]
fn rule_18_the_cause_names_the_task_that_failed() {
    let program = [spawn("culprit", [Step::Fail("guilty")]), Step::Doze, Step::Cause];
    run(&options(), program, |ending| {
        assert_eq!(ending.end, told("guilty"));
        let named = ending.events.iter().any(|event| match event {
            Event::Cause(Some(Cause::Failed(task))) => task.name() == Some("culprit"),
            _ => false,
        });
        assert!(named, "{ending:?}");
    });
}

#[test]
fn rule_19_every_wait_returns_early_when_its_scope_is_cancelled() {
    let program = [
        spawn("sleeps", [Step::Sleep]),
        spawn("cancels", [Step::Yield, Step::Cancel("enough")]),
        Step::Doze,
        Step::Look("sleeps"),
        Step::Value(1),
    ];
    run(&options(), program, |ending| {
        assert!(ending.has(&Event::Slept(stopped("enough"))), "{ending:?}");
        assert_eq!(ending.joined("sleeps"), &stopped("enough"));
    });
}

#[test]
fn rule_20_a_shield_hides_outer_cancels_and_not_its_own_deadline() {
    let works = || [spawn("works", [Step::Yield, Step::Value(5)]), Step::AwaitAll, Step::Cause];
    run(&options(), [Step::Cancel("outer"), inner(options().shield(), works())], |ending| {
        assert_eq!(ending.inner(), &End::Value(5));
        assert!(ending.has(&Event::Cause(None)), "{ending:?}");
    });
    run(&options(), [Step::Cancel("outer"), inner(options(), works())], |ending| {
        let outer = Cause::Outer(asked("outer").into());
        assert_eq!(ending.inner(), &End::Failed(Trouble::Stopped(outer)));
    });
    let late = inner(options().shield().timeout(SHORT), [Step::Doze]);
    run(&options(), [Step::Cancel("outer"), late], |ending| {
        let slept = Err(Trouble::Stopped(Cause::Deadline));
        assert!(ending.has(&Event::Slept(slept)), "{ending:?}");
    });
}

#[test]
fn rule_21_what_is_lost_to_a_deadline_is_an_outcome_of_its_own() {
    run(&options().timeout(SHORT), [spawn("sleeps", [Step::Sleep]), Step::Value(1)], |ending| {
        assert_eq!(ending.end, End::Failed(Trouble::Stopped(Cause::Deadline)));
    });
}

#[test]
fn rule_21_a_value_that_arrives_late_is_still_returned() {
    run(&options().timeout(SHORT), [Step::Doze, Step::Value(7)], |ending| {
        let slept = Err(Trouble::Stopped(Cause::Deadline));
        assert!(ending.has(&Event::Slept(slept)), "{ending:?}");
        assert_eq!(ending.end, End::Value(7));
    });
}

#[test]
fn rule_21_of_nested_deadlines_the_earlier_one_counts() {
    let patient = inner(options().timeout(LONG), [Step::Doze]);
    run(&options().timeout(SHORT), [patient], |ending| {
        let slept = ending.events.iter().any(|event| match event {
            Event::Slept(Err(Trouble::Stopped(cause))) => cause.is_deadline(),
            _ => false,
        });
        assert!(slept, "{ending:?}");
    });
    let hasty = inner(options().timeout(SHORT), [Step::Doze]);
    run(&options().timeout(LONG), [hasty, Step::Check, Step::Value(1)], |ending| {
        assert_eq!(ending.end, End::Value(1));
    });
}

#[test]
fn rule_22_a_wait_that_times_out_names_who_is_left() {
    let program = [spawn("slow", [Step::Until("seen")]), Step::Alive, Step::Open("seen")];
    run(&options(), program, |ending| {
        let Event::Alive(1, text) = &ending.events[0] else { panic!("{ending:?}") };
        assert!(text.starts_with("1 task alive: slow#0 spawned at "), "{text}");
    });
}

#[test]
fn rule_27_a_handle_that_is_given_up_does_not_stop_its_task() {
    let program = [spawn("goes on", [Step::Until("left"), Step::Note("went on")])];
    let program: Vec<_> =
        program.into_iter().chain([Step::Leave("goes on"), Step::Open("left")]).collect();
    run(&options(), program, |ending| assert_eq!(ending.noted("went on"), 1));
}

#[test]
fn random_programs_end_alike_in_every_shell() {
    let shells = shells();
    for seed in 1..=300 {
        let mut dice = Dice(seed * 0x9E37_79B9);
        let (way, program) = random::program(&mut dice);
        let limit = 1 + dice.throw(4) as usize;
        let options = options().limit(limit).catch_panics();
        let endings: Vec<_> = shells
            .iter()
            .map(|shell| {
                println!("seed {seed} in {}", shell.name());
                let ending = shell.run(&options, way, &program);
                ending.is_clean();
                ending.class()
            })
            .collect();
        for other in &endings[1..] {
            assert_eq!(&endings[0], other, "with seed {seed}: {program:#?}");
        }
    }
}
