//! Worker pools: where jobs and results wait, and who is told of them.

use std::collections::VecDeque;
use std::sync::Arc;

use wg_core::sync::park_until;

use super::kit::{Count, Deed, Dropped, exhaust, join};
use crate::thread::sleep::waker;
use crate::thread::workers::post::{Found, Next, Patience, Post};

/// A pool of one worker, which is on the way, with so many jobs in it.
fn pool<R>(jobs: usize) -> Arc<Post<usize, R>> {
    let post = Post::new(1);
    for job in 0..jobs {
        let wanted = post.offer(job, Patience::None, || false);
        assert_eq!(wanted, Ok(usize::from(job == 0)), "one worker is posted, once");
    }
    Arc::new(post)
}

/// Handles jobs until there is none, or no room.
fn work<R>(post: &Post<usize, R>, handler: impl Fn(usize) -> R) -> Vec<R> {
    let (mut desk, mut unread) = (None, Vec::new());
    while let Next::Job(claimed) = post.claim_or_leave(&mut desk) {
        let (_, job) = claimed.job.expect("it was claimed");
        let (left, wanted) = post.end(Some(handler(job)));
        assert_eq!(wanted, 0, "the only worker is at work");
        unread.extend(left.into_iter().flatten());
    }
    unread
}

/// Waits for a result; none if there will be none.
fn read<R>(post: &Post<usize, R>, ready: &mut VecDeque<R>) -> Option<R> {
    let waker = waker();
    loop {
        match post.take_or_await(ready, &waker) {
            Found::Results => return ready.pop_front(),
            Found::End => return None,
            Found::Nothing => {
                park_until(None);
            }
        }
    }
}

/// A job ends before, while and after the reader looks and falls asleep.
#[test]
fn rule_16_a_reader_that_waits_hears_of_each_result_and_of_the_end() {
    exhaust(|| {
        let (post, deed) = (pool(1), Arc::new(Deed::default()));
        let worker = loom::thread::spawn({
            let (post, deed) = (Arc::clone(&post), Arc::clone(&deed));
            move || {
                let unread = work(&post, |job| {
                    deed.act();
                    job
                });
                assert!(unread.is_empty());
            }
        });
        let mut ready = VecDeque::new();
        assert_eq!(read(&post, &mut ready), Some(0));
        assert_eq!(read(&post, &mut ready), None);
        deed.assert_seen();
        join([worker]);
    });
}

/// A worker finds no room for a second result, and goes away, as the reader hands the first one out.
#[test]
fn rule_16_who_hands_a_result_out_posts_a_worker_if_jobs_wait_for_the_place() {
    exhaust(|| {
        let post = pool(2);
        assert_eq!(post.set_most_results(1), 0, "a worker is on the way already");
        let worker = loom::thread::spawn({
            let post = Arc::clone(&post);
            move || assert!(work(&post, |job| job).is_empty())
        });
        let mut ready = VecDeque::new();
        assert_eq!(read(&post, &mut ready), Some(0));
        if post.give_back(1) > 0 {
            assert!(work(&post, |job| job).is_empty());
        }
        assert_eq!(read(&post, &mut ready), Some(1));
        join([worker]);
    });
}

/// The reader goes away as a job ends: one of the two gets the result, to drop it.
#[test]
fn rule_01_a_result_that_nobody_takes_is_dropped_by_one_who_is_there() {
    exhaust(|| {
        let (post, dropped) = (pool(1), Arc::new(Count::default()));
        let worker = loom::thread::spawn({
            let (post, dropped) = (Arc::clone(&post), Arc::clone(&dropped));
            move || drop(work(&post, |_| Dropped(Arc::clone(&dropped))))
        });
        drop(post.leave());
        join([worker]);
        assert_eq!(dropped.get(), 1);
        drop(post);
    });
}
