//! The desks of a crew: an item is taken by its own share, without a lock, or by another, and by one of
//! them only.
//!
//! Models know of fences only, so the share has one of its own here, where the system would put it into
//! the share's thread.

use std::sync::Arc;

use loom::thread;
use wg_core::sync::{AtomicU64, Mutex, Ordering::Relaxed};

use super::kit::{Count, Dropped, exhaust, explore, join};
use crate::thread::crew::barrier::Barrier;
use crate::thread::crew::biased::{Owner, biased};
use crate::thread::crew::buffer::buffer;
use crate::thread::crew::desk::{Desk, Seats};

/// Items that can be dropped once each, and who has had them.
type Items = (Arc<Mutex<Seats<Dropped>>>, Arc<Count>);

fn items() -> Items {
    (Arc::new(Mutex::new(Seats::new())), Arc::default())
}

/// A desk with so many items.
fn desk((seats, dropped): &Items, items: usize) -> Desk<Dropped> {
    let mut seats = seats.lock();
    let mut desk = seats.add();
    seats.mark(&mut desk, true);
    (0..items).for_each(|index| desk.put(index, Dropped(Arc::clone(dropped))));
    desk
}

/// One who takes over what another has laid down, as long as there is something; and drops it.
fn take_over((seats, _): &Items) {
    let mut desk = seats.lock().add();
    while let Some(item) = {
        let mut seats = seats.lock();
        seats.take_over(&mut desk)
    } {
        drop(item);
        while desk.take().is_some() {}
    }
    seats.lock().remove(&desk);
}

/// The owner of a lock changes the value, as often as it takes until the lock is its own.
fn change(owner: &mut Owner<u64>, change: impl Fn(&mut u64)) -> u64 {
    loop {
        if let Some(mut inside) = owner.enter() {
            return inside.with(|value| {
                change(value);
                *value
            });
        }
        owner.take_back();
    }
}

/// Loom watches the value: two who are inside at once, or one after the other in no order, fail.
#[test]
fn rule_23_who_owns_a_lock_and_who_revokes_it_are_inside_one_after_the_other() {
    exhaust(|| {
        let (mut owner, other) = biased(0);
        let other = thread::spawn(move || {
            other.with(|value| *value += 1).unwrap();
            other
        });
        for _ in 0..3 {
            change(&mut owner, |value| *value += 1);
        }
        let other = other.join().unwrap();
        assert_eq!(change(&mut owner, |_| ()), 4);
        drop(owner);
        assert_eq!(other.with(|value| *value), Some(4));
    });
}

/// Two revoke it, one after the other, or one after the owner has taken it back.
#[test]
fn rule_23_those_who_revoke_a_lock_take_turns() {
    explore(|| {
        let (mut owner, other) = biased(0);
        let other = Arc::new(other);
        let others = [(); 2].map(|()| {
            let other = Arc::clone(&other);
            thread::spawn(move || other.with(|value| *value += 1).unwrap())
        });
        for _ in 0..2 {
            change(&mut owner, |value| *value += 1);
        }
        join(others);
        assert_eq!(change(&mut owner, |_| ()), 4);
    });
}

/// The owner goes away as another comes.
#[test]
fn rule_23_a_lock_whose_owner_has_gone_is_of_all_others() {
    exhaust(|| {
        let (mut owner, other) = biased(0);
        let other = thread::spawn(move || {
            other.with(|value| *value += 1).unwrap();
            other
        });
        change(&mut owner, |value| *value += 1);
        drop(owner);
        // Not dropped before: loom does not know that the last one to go comes after all others.
        let other = other.join().unwrap();
        assert_eq!(other.with(|value| *value), Some(2));
    });
}

/// The owner is asked to go away, as others come and go. Nobody has to be waited for.
#[test]
fn rule_23_a_lock_that_its_owner_gives_away_is_of_those_who_asked() {
    exhaust(|| {
        let (mut owner, other) = biased(0);
        let other = thread::spawn(move || {
            other.ask();
            let mut tries = 0;
            while other.try_with(|value| *value += 1).is_none() {
                thread::yield_now();
                tries += 1;
                assert!(tries < 10, "the owner keeps it");
            }
            other
        });
        for _ in 0..2 {
            let Some(mut inside) = owner.enter() else { break };
            inside.with(|value| *value += 1);
        }
        let visits = u64::from(owner.has_been_inside());
        drop(owner);
        let other = other.join().unwrap();
        assert!(!other.is_owned() && other.rounds() <= 1 && other.rounds() + 1 >= visits);
        assert!(other.with(|value| *value).is_some_and(|value| (1..=3).contains(&value)));
    });
}

/// More values than there are places: each place is used again, by one at a time.
#[test]
fn rule_23_values_come_out_of_a_buffer_in_the_order_in_which_they_were_put_in() {
    explore(|| {
        let (mut producer, mut consumer, _) = buffer();
        let taker = thread::spawn(move || {
            let mut next = 0;
            while next < 5 {
                match consumer.take() {
                    Some(value) => {
                        assert_eq!(value, next);
                        next += 1;
                    }
                    None => thread::yield_now(),
                }
            }
        });
        for mut value in 0..5 {
            while let Err(back) = producer.room(1).put(value) {
                value = back;
                thread::yield_now();
            }
        }
        join([taker]);
    });
}

/// A share works off its desk, and lays down more, as another takes over from it.
#[test]
fn rule_23_each_item_on_a_desk_is_had_once() {
    explore(|| {
        let all = items();
        let mut desk = desk(&all, 2);
        let other = thread::spawn({
            let all = (Arc::clone(&all.0), Arc::clone(&all.1));
            move || take_over(&all)
        });
        let mut had = 0;
        while let Some((index, _)) = desk.take() {
            assert!(had <= index, "in the order of their indices");
            had = index;
        }
        desk.put(2, Dropped(Arc::clone(&all.1)));
        while desk.take().is_some() {}
        all.0.lock().remove(&desk);
        drop(desk);
        join([other]);
        assert_eq!((all.1.get(), all.0.lock().len()), (3, 0));
    });
}

/// A share goes away from its items, as after a cancel: they are taken over, or else recalled.
#[test]
fn rule_01_what_was_left_on_a_desk_is_recalled() {
    explore(|| {
        let all = items();
        let mut desk = desk(&all, 3);
        let other = thread::spawn({
            let all = (Arc::clone(&all.0), Arc::clone(&all.1));
            move || take_over(&all)
        });
        drop(desk.take());
        all.0.lock().remove(&desk);
        drop(desk);
        join([other]);
        all.0.lock().recall().for_each(drop);
        assert_eq!(all.1.get(), 3);
    });
}

/// The iterator blocks after an item was laid down, and another share goes away meanwhile; see `Feed`. One
/// of the two sees what the other did, though nothing but the barrier orders what they do.
#[test]
fn rule_14_an_item_that_is_laid_down_as_a_share_goes_away_is_seen_by_one_of_the_two() {
    exhaust(|| {
        let (gone, barrier) = (Arc::new(AtomicU64::new(0)), Barrier::best());
        let all = items();
        let mut desk = desk(&all, 0);
        let leaver = thread::spawn({
            let (gone, seats) = (Arc::clone(&gone), Arc::clone(&all.0));
            move || {
                gone.fetch_add(1, Relaxed);
                assert!(barrier.heavy());
                seats.lock().has_items()
            }
        });
        desk.put(0, Dropped(Arc::clone(&all.1)));
        barrier.light();
        let is_told = gone.load(Relaxed) > 0;
        let sees = leaver.join().unwrap();
        assert!(is_told || sees, "the item is stranded");
    });
}
