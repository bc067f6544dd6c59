//! Rule 22: who is still running.

use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use wg::Scope;
use wg_tests::until;

const SOON: Duration = Duration::from_millis(2);

/// Starts tasks that run until the sender is dropped, from the line of the caller.
#[track_caller]
fn hold<'s>(s: &'s Scope<'s, '_>, name: &str, tasks: usize) -> Vec<Sender<()>> {
    let mut held = Vec::new();
    for _ in 0..tasks {
        let (go, gone) = channel::<()>();
        let (begin, begun) = channel();
        s.task(name).spawn(move || {
            begin.send(()).unwrap();
            gone.recv().unwrap_err()
        });
        begun.recv().unwrap();
        held.push(go);
    }
    held
}

#[test]
fn rule_22_a_wait_that_times_out_says_who_runs_where_and_for_how_long() {
    wg::options().name("crawl").scope(|s| {
        let (go, gone) = channel::<()>();
        s.task("fetch").spawn(move || gone.recv().unwrap_err());
        let line = line!() - 1;
        let late = loop {
            let late = s.wait_timeout(SOON).unwrap_err();
            if late.tasks()[0].age().is_some() {
                break late;
            }
        };
        let text = late.to_string();
        let start =
            format!("1 task alive in `crawl`: fetch#0 spawned at {}:{line}, running ", file!());
        assert!(text.starts_with(&start), "{text}");
        assert!(text.ends_with(" ms") || text.ends_with(" s"), "{text}");
        assert_eq!((late.count(), late.tasks()[0].task().name()), (1, Some("fetch")));
        drop(go);
        assert_eq!(s.wait_timeout(Duration::MAX), Ok(()));
    });
}

#[test]
fn rule_22_an_age_grows_and_is_counted_without_a_report() {
    wg::scope(|s| {
        let held = hold(s, "slow", 1);
        let first = s.wait_timeout(SOON).unwrap_err().tasks()[0].age().unwrap();
        let second = s.wait_timeout(SOON).unwrap_err().tasks()[0].age().unwrap();
        assert!(second >= first + SOON);
        drop(held);
    });
}

#[test]
fn rule_22_of_many_the_first_sixteen_are_named_and_all_are_counted() {
    wg::scope(|s| {
        let held = hold(s, "many", 20);
        let late = s.wait_timeout(SOON).unwrap_err();
        assert_eq!((late.count(), late.tasks().len()), (20, 16));
        let text = late.to_string();
        assert!(text.starts_with("20 tasks alive: many#") && text.ends_with("; …"), "{text}");
        drop(held);
    });
}

#[test]
fn rule_22_each_is_told_by_its_own_name_however_many_there_are_and_from_how_many_lines() {
    let long = "a name that is too long to lie in its task";
    wg::options().limit(12).scope(|s| {
        // A scope keeps some names, and others lie in their tasks.
        let held = [
            hold(s, "a", 1),
            hold(s, "b", 2),
            hold(s, long, 1),
            hold(s, "a", 1),
            hold(s, "e", 1),
            hold(s, "f", 1),
            ["g", "h", "g", "i", long].map(|name| hold(s, name, 1)).into_iter().flatten().collect(),
        ];
        let waiting = ["a", "j", long].map(|name| s.task(name).spawn(|| ()));
        let mut alive: Vec<_> = s.alive().tasks().iter().map(|it| it.task().clone()).collect();
        alive.sort_by_key(wg::TaskInfo::index);
        let names: Vec<_> = alive.iter().map(|task| task.name().unwrap()).collect();
        let running = ["a", "b", "b", long, "a", "e", "f", "g", "h", "g", "i", long];
        assert_eq!(names, [running.as_slice(), &["a", "j", long]].concat());
        assert!(
            waiting.iter().zip(["a", "j", long]).all(|(it, name)| it.info().name() == Some(name))
        );
        let lines: Vec<_> = alive.iter().map(|task| task.site().line()).collect();
        assert!(lines[..4].windows(2).all(|two| two[0] <= two[1]) && lines[0] < lines[6]);
        drop(held);
    });
}

#[test]
fn rule_22_those_that_wait_come_after_those_that_run() {
    wg::options().limit(1).scope(|s| {
        let (go, gone) = channel::<()>();
        s.task("runs").spawn(move || gone.recv().unwrap_err());
        until(|| s.counts().running == 1);
        s.task("waits").spawn(|| ());
        let late = s.wait_timeout(SOON).unwrap_err();
        let [runs, waits] = late.tasks() else { panic!("{late}") };
        assert_eq!((runs.task().name(), waits.task().name()), (Some("runs"), Some("waits")));
        assert!(runs.age().is_some() && waits.age().is_none());
        assert!(late.to_string().ends_with(", not begun"));
        drop(go);
    });
}

#[test]
fn rule_22_a_task_that_was_joined_in_place_is_not_alive() {
    for _ in 0..200 {
        wg::options().limit(2).scope(|s| {
            s.spawn(|| ()).join();
            let task = s.spawn(|| ());
            s.spawn(move || {
                task.join();
                // One that ran elsewhere is told to have ended a moment before its slot is given back.
                until(|| s.alive().tasks().iter().all(|alive| alive.task().index() == 2));
                let counts = s.counts();
                assert_eq!((counts.spawned, counts.waiting), (3, 0));
            })
            .join();
            until(|| s.counts().ended == 3);
            assert_eq!(s.alive().count(), 0);
        });
    }
}

#[test]
fn rule_22_a_wait_ends_when_the_last_task_does() {
    wg::scope(|s| {
        for _ in 0..100 {
            s.spawn(|| s.spawn(|| ()));
        }
        assert_eq!(s.wait_timeout(Duration::MAX), Ok(()));
        assert_eq!(s.wait_timeout(Duration::ZERO), Ok(()));
        let counts = s.counts();
        assert_eq!(counts.spawned, 200);
        // And the scope may go on.
        assert_eq!(s.spawn(|| 1).join(), 1);
    });
}

#[test]
fn rule_22_a_wait_after_a_cancel_waits_for_those_that_run() {
    wg::scope(|s| {
        let held = hold(s, "stubborn", 3);
        s.cancel("shutdown");
        let late = s.wait_timeout(SOON).unwrap_err();
        assert_eq!(late.count(), 3);
        drop(held);
        assert_eq!(s.wait_timeout(Duration::MAX), Ok(()));
    });
}

#[test]
fn rule_22_a_join_that_times_out_gives_the_handle_back() {
    wg::options().limit(1).scope(|s| {
        let (go, gone) = channel::<()>();
        let task = s.spawn(move || gone.recv().is_err());
        until(|| s.counts().running == 1);
        let waits = s.spawn(|| 2);
        let waits = waits.join_timeout(SOON).unwrap_err();
        let waits = waits.join_timeout(Duration::ZERO).unwrap_err();
        let task = task.join_timeout(SOON).unwrap_err();
        drop(go);
        assert!(task.join());
        assert_eq!(waits.join_timeout(Duration::MAX).unwrap(), Ok(2));
    });
}
