//! T17a, T17b: fork and join. A sum is taken by halves, one of which is a task.

use std::hint::black_box;
use std::sync::Arc;

use wg::Scope;

use crate::measure::nanos;
use crate::row::Contender;

const NUMBERS: usize = 1 << 20;

/// What is added up without a fork.
const LEAF: usize = 1 << 10;

const FORKS: usize = NUMBERS / LEAF - 1;

pub(super) fn nested_scopes() -> Vec<Contender> {
    contenders(sum_by_scopes)
}

pub(super) fn joins() -> Vec<Contender> {
    contenders(|numbers| wg::scope(|s| sum_by_joins(s, numbers)))
}

fn contenders(ours: fn(&[u64]) -> u64) -> Vec<Contender> {
    let numbers: Arc<[u64]> = (0..NUMBERS as u64).collect();
    let same = Arc::clone(&numbers);
    vec![
        Contender::ours(move |times| each(times, &numbers, ours)),
        // From outside of its pool, as ours. `join` goes in and stays there.
        Contender::new("rayon::join", move |times| each(times, &same, sum_by_rayon)),
    ]
}

/// Returns the nanoseconds of one fork, its share of the adding included.
fn each(times: u64, numbers: &[u64], sum: fn(&[u64]) -> u64) -> f64 {
    let right = numbers.iter().sum::<u64>();
    nanos(times, || assert_eq!(sum(black_box(numbers)), right)) / FORKS as f64
}

fn sum_by_scopes(numbers: &[u64]) -> u64 {
    if numbers.len() <= LEAF {
        return numbers.iter().sum();
    }
    let (left, right) = numbers.split_at(numbers.len() / 2);
    wg::scope(|s| {
        let left = s.spawn(|| sum_by_scopes(left));
        let right = sum_by_scopes(right);
        left.join() + right
    })
}

fn sum_by_joins<'scope>(s: &'scope Scope<'scope, '_>, numbers: &'scope [u64]) -> u64 {
    if numbers.len() <= LEAF {
        return numbers.iter().sum();
    }
    let (left, right) = numbers.split_at(numbers.len() / 2);
    let left = s.spawn(move || sum_by_joins(s, left));
    let right = sum_by_joins(s, right);
    left.join() + right
}

fn sum_by_rayon(numbers: &[u64]) -> u64 {
    if numbers.len() <= LEAF {
        return numbers.iter().sum();
    }
    let (left, right) = numbers.split_at(numbers.len() / 2);
    let (left, right) = rayon::join(|| sum_by_rayon(left), || sum_by_rayon(right));
    left + right
}
