//! Limits, and joins in place.

use wg::{Scope, options};

use crate::kit::{Count, Narrow, explore, give_way};

/// Every task spawns three and joins them in an order of its own, until there are twelve.
fn tree<'scope>(s: &'scope Scope<'scope, '_>, door: &'scope Narrow, depth: usize) -> usize {
    door.pass();
    if depth == 0 {
        return 1;
    }
    let mut children: Vec<_> = (0..3).map(|_| s.spawn(move || tree(s, door, depth - 1))).collect();
    children.rotate_left(depth);
    let below: usize = children.into_iter().map(|child| child.join()).sum();
    door.pass();
    below + 1
}

fn a_tree_at_a_limit_of(limit: usize) {
    let door = Narrow::new(limit);
    let nodes = options().limit(limit).scope(|s| s.spawn(|| tree(s, &door, 2)).join());
    assert_eq!(nodes, 13);
}

#[test]
fn rule_11_a_tree_that_is_joined_completes_at_a_limit_of_one() {
    explore(|| a_tree_at_a_limit_of(1));
}

#[test]
fn rule_11_a_tree_that_is_joined_completes_at_a_limit_of_two() {
    explore(|| a_tree_at_a_limit_of(2));
}

#[test]
fn rule_11_a_tree_that_is_joined_completes_at_a_limit_of_three() {
    explore(|| a_tree_at_a_limit_of(3));
}

/// The body has no slot: it takes a free one, or waits for one, while runners take the tasks away.
#[test]
fn rule_11_the_body_joins_in_reverse_order_at_a_limit() {
    explore(|| {
        let door = Narrow::new(2);
        options().limit(2).scope(|s| {
            let mut tasks = Vec::new();
            for n in 0..8 {
                let door = &door;
                tasks.push(s.spawn(move || {
                    door.pass();
                    n
                }));
            }
            for (n, task) in tasks.into_iter().enumerate().rev() {
                assert_eq!(task.join(), n);
            }
        });
    });
}

/// The inner task runs in the inner scope's slot, and joins, as a guest, one that stands in line
/// behind the task that opened the inner scope.
#[test]
fn rule_11_an_inner_task_joins_an_outer_one_at_a_limit_of_one() {
    explore(|| {
        let door = Narrow::new(1);
        options().limit(1).scope(|outer| {
            for _ in 0..2 {
                outer.spawn(|| {
                    door.pass();
                    let behind = outer.spawn(|| {
                        door.pass();
                        7
                    });
                    let sum = wg::scope(|inner| {
                        let inner = inner.spawn(|| behind.join());
                        inner.join() + 1
                    });
                    door.pass();
                    assert_eq!(sum, 8);
                });
            }
        });
    });
}

/// The limit goes up while nobody looks, and down while everybody runs.
#[test]
fn rule_09_a_limit_is_changed_while_tasks_begin() {
    explore(|| {
        let (door, ran) = (Narrow::new(3), Count::default());
        options().limit(1).scope(|s| {
            for n in 0..8 {
                let (door, ran) = (&door, &ran);
                s.spawn(move || {
                    door.pass();
                    if n % 3 == 1 {
                        s.set_limit(1 + n % 3);
                    }
                    ran.up();
                });
                if n == 4 {
                    s.set_limit(3);
                }
            }
        });
        assert_eq!(ran.get(), 8);
    });
}

/// `spawn` and `ready` wait for room that only the ends of tasks make.
#[test]
fn rule_10_the_body_waits_for_room_and_gets_it() {
    explore(|| {
        let (door, ran) = (Narrow::new(1), Count::default());
        options().limit(1).scope(|s| {
            for _ in 0..4 {
                s.spawn(|| {
                    door.pass();
                    s.spawn(|| ran.up());
                    ran.up()
                });
                s.ready().unwrap();
                give_way();
            }
        });
        assert_eq!(ran.get(), 8);
    });
}
