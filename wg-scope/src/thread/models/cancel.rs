//! The tree of cancels: whoever is in it hears of a cancel, and of its cause, once.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use loom::thread::spawn;

use super::kit::{Count, Dropped, exhaust, explore, join, lend};
use crate::cancel::{Node, Relation};
use crate::cause::Cause;
use crate::options::options;

fn inside(outer: &Arc<Node>) -> Arc<Node> {
    Node::new(&[(outer, Relation::Inside)], None)
}

fn asked(reason: &'static str) -> Cause {
    Cause::Asked(reason.into())
}

/// Each believes to be the first. One is, and it is its cause that stays.
#[test]
fn rule_18_of_two_cancels_one_is_the_first_and_its_cause_stays() {
    exhaust(|| {
        let outer = Node::new(&[], None);
        let inner = inside(&outer);
        let other = spawn({
            let outer = Arc::clone(&outer);
            move || outer.cancel(asked("a"))
        });
        let mine = outer.cancel(asked("b"));
        // Whoever has heard of the cancel hears of its cause.
        assert!(outer.is_cancelled() && outer.cause().is_some());
        let its = other.join().unwrap();
        assert!(mine ^ its);
        let cause = asked(if mine { "b" } else { "a" });
        assert_eq!(inner.cause(), Some(cause.inward()));
        assert_eq!(outer.cause(), Some(cause));
    });
}

/// The child is entered before or after. One that looks first and enters itself later is cancelled
/// by nobody.
#[test]
fn rule_18_a_cancel_reaches_a_child_that_is_born_meanwhile() {
    exhaust(|| {
        let outer = Node::new(&[], None);
        let canceller = spawn({
            let outer = Arc::clone(&outer);
            move || assert!(outer.cancel(asked("a")))
        });
        let inner = inside(&outer);
        join([canceller]);
        assert!(inner.is_cancelled());
        assert_eq!(inner.cause(), Some(asked("a").inward()));
    });
}

/// Children go away, and new ones take their places, while the tree is cancelled from the top.
#[test]
fn rule_18_a_cancel_reaches_those_who_stay_while_others_go() {
    explore(|| {
        let outer = Node::new(&[], None);
        let (stays, goes) = (inside(&outer), inside(&outer));
        let leaf = inside(&goes);
        let canceller = spawn({
            let outer = Arc::clone(&outer);
            move || assert!(outer.cancel(asked("a")))
        });
        drop(goes);
        let comes = inside(&outer);
        join([canceller]);
        // A node lives as long as one inside it, so all of them have heard.
        assert!(stays.is_cancelled() && comes.is_cancelled() && leaf.is_cancelled());
        drop((stays, comes, leaf));
        assert_eq!(Arc::strong_count(&outer), 1);
    });
}

/// A sleeper enters its waker before or after the cancel, and takes it back while it is used.
#[test]
fn rule_19_a_waker_that_is_entered_is_woken_or_refused() {
    exhaust(|| {
        struct Bell(Count);
        impl std::task::Wake for Bell {
            fn wake(self: Arc<Self>) {
                self.0.up();
            }
        }
        let node = Node::new(&[], None);
        let canceller = spawn({
            let node = Arc::clone(&node);
            move || assert!(node.cancel(asked("a")))
        });
        let (left, stayed) = (Arc::new(Bell(Count::default())), Arc::new(Bell(Count::default())));
        let first = node.listen(Waker::from(Arc::clone(&left)));
        let second = node.listen(Waker::from(Arc::clone(&stayed)));
        if let Some(key) = first {
            node.unlisten(key);
        }
        join([canceller]);
        assert_eq!(stayed.0.get(), usize::from(second.is_some()));
        assert!(left.0.get() <= usize::from(first.is_some()));
        assert_eq!(Arc::strong_count(&left), 1, "a waker is left");
    });
}

/// The cancel comes before the wait listens, between that and its look, and while it sleeps.
#[test]
fn rule_19_a_cancel_ends_a_wait_of_the_body() {
    explore(|| {
        let canceller = options().scope(|s| {
            let handle = s.canceller();
            let canceller = spawn(move || assert!(handle.cancel("a")));
            assert_eq!(*s.sleep(Duration::MAX).unwrap_err().cause(), asked("a"));
            canceller
        });
        join([canceller]);
    });
}

/// The wait of a task in an inner scope listens to both.
#[test]
fn rule_18_an_outer_cancel_ends_a_wait_in_an_inner_scope() {
    explore(|| {
        let canceller = options().scope(|outer| {
            let handle = outer.canceller();
            let canceller = spawn(move || assert!(handle.cancel("a")));
            options().scope(|inner| {
                let stopped = inner.sleep(Duration::MAX).unwrap_err();
                assert_eq!(*stopped.cause(), asked("a").inward());
            });
            canceller
        });
        join([canceller]);
    });
}

/// The task is begun or dropped, and its joiner is told the one or the other, never nothing.
#[test]
fn rule_03_a_cancel_while_a_task_is_spawned_and_begins_drops_it_or_lets_it_run() {
    explore(|| {
        let (ran, dropped) = (Arc::new(Count::default()), Arc::new(Count::default()));
        let (runner, joined) = options().limit(1).scope(|s| {
            let handle = s.canceller();
            let scope = Arc::clone(s.shared());
            let runner = lend(&scope);
            let (its_ran, capture) = (Arc::clone(&ran), Dropped(Arc::clone(&dropped)));
            let task = s.spawn(move || {
                let _capture = capture;
                its_ran.up();
            });
            handle.cancel("a");
            (runner, task.try_join().is_ok())
        });
        assert_eq!(dropped.get(), 1);
        assert!(ran.get() == 1 || !joined);
        runner.join();
    });
}

/// The timer would say so, but there is none: the wait watches the deadline itself, while another
/// cancels by hand.
#[test]
fn rule_21_a_deadline_and_a_cancel_by_hand_are_one_cause() {
    explore(|| {
        let canceller = options().timeout(Duration::from_secs(1)).scope(|s| {
            let handle = s.canceller();
            let canceller = spawn(move || {
                handle.cancel("a");
            });
            let first = s.sleep(Duration::MAX).unwrap_err().cause().clone();
            assert!([asked("a"), Cause::Deadline].contains(&first));
            assert_eq!(s.cancelled_by(), Some(first));
            canceller
        });
        join([canceller]);
    });
}
