//! Runs the five exercises.

use std::process::Command;

fn exercise(arguments: &[&str]) -> (String, String, Option<i32>) {
    let end = Command::new(env!("CARGO_BIN_EXE_exercises")).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(end.stdout), text(end.stderr), end.status.code())
}

/// What it prints if all is well.
fn exercise_alone(number: &str) -> String {
    let (out, err, code) = exercise(&[number]);
    assert_eq!((err.as_str(), code), ("", Some(0)), "{out}");
    out
}

#[test]
fn exercise_1_of_a_thousand_items_all_complete() {
    let told = "1. of 1000 items 1000 completed, and of 1000 tasks 1000\n";
    assert_eq!(exercise_alone("1"), told);
}

#[test]
fn exercise_2_done_once_too_often_is_an_error_and_the_counter_is_as_before() {
    let told = "2. done once too often: negative WaitGroup counter; \
                then WaitGroup { count: 0, waiters: 0 }\n";
    assert_eq!(exercise_alone("2"), told);
}

#[test]
fn exercise_3_by_reference_and_with_a_token_by_value_nobody_is_left() {
    let told = "3. by reference WaitGroup { count: 0, waiters: 0 }, \
                and with a token by value 0 are left\n";
    assert_eq!(exercise_alone("3"), told);
}

#[test]
fn exercise_4_a_leak_is_told_by_name_and_by_the_line_that_spawned_it() {
    let told = exercise_alone("4");
    let start = "4. the group waits for 0; 3 tasks alive in `orders`: order#";
    assert!(told.starts_with(start), "{told}");
    let source = include_str!("../src/bin/exercises/leak.rs");
    let line = source.lines().position(|line| line.contains(".spawn(")).unwrap() + 1;
    let site = format!(" spawned at examples/src/bin/exercises/leak.rs:{line}");
    assert_eq!(told.matches(&site).count(), 3, "{told}");
    assert!(told.ends_with("; without the receiver nobody\n"), "{told}");
}

#[test]
fn exercise_5_of_ten_thousand_items_never_more_than_a_hundred_are_at_work() {
    let told = exercise_alone("5");
    let most: Vec<usize> = told
        .split("10000 items, at most ")
        .skip(1)
        .map(|rest| rest.split(' ').next().unwrap().parse().unwrap())
        .collect();
    assert_eq!(most.len(), 2, "{told}");
    assert!(most.iter().all(|most| (1..=100).contains(most)), "{told}");
}

#[test]
fn without_a_number_all_are_done_and_what_is_none_is_refused() {
    let (out, err, code) = exercise(&[]);
    assert_eq!((err.as_str(), code), ("", Some(0)), "{out}");
    let numbers: Vec<_> = out.lines().map(|line| line.split(". ").next().unwrap()).collect();
    assert_eq!(numbers, ["1", "2", "3", "4", "5"]);
    for wrong in ["0", "6", "one"] {
        let (out, err, code) = exercise(&[wrong]);
        assert_eq!((out.as_str(), code), ("", Some(1)));
        assert_eq!(err, "usage: exercises [1|2|3|4|5]\n");
    }
}
