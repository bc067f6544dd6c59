//! Tasks that want stacks of their own size. The thread that leaves the scope runs none of them, and
//! a join of one that has not begun is carried out by others.

use wg::{Scope, options};

use crate::kit::{Count, Narrow, explore};

fn chain<'scope>(s: &'scope Scope<'scope, '_>, door: &'scope Narrow, left: usize) -> usize {
    door.pass();
    if left == 0 {
        return 0;
    }
    let next = s.spawn(move || chain(s, door, left - 1));
    let below = next.join();
    door.pass();
    below + 1
}

fn a_chain_at_a_limit_of(limit: usize) {
    let door = Narrow::new(limit);
    let length = options().limit(limit).stack_size(1 << 20).scope(|s| {
        let others: Vec<_> = (0..2).map(|_| s.spawn(|| chain(s, &door, 2))).collect();
        others.into_iter().map(|other| other.join()).sum::<usize>()
    });
    assert_eq!(length, 4);
}

/// Each joiner lends its slot to the one who carries the join out, and claims it back.
#[test]
fn rule_11_joins_that_are_handed_over_complete_at_a_limit_of_one() {
    explore(|| a_chain_at_a_limit_of(1));
}

#[test]
fn rule_11_joins_that_are_handed_over_complete_at_a_limit_of_two() {
    explore(|| a_chain_at_a_limit_of(2));
}

/// The thread that leaves stands by, and is one of the runners only where no other can be had.
#[test]
fn rule_14_a_scope_whose_tasks_want_other_stacks_ends() {
    explore(|| {
        let ran = Count::default();
        options().stack_size(1 << 20).scope(|s| {
            for _ in 0..3 {
                s.spawn(|| {
                    s.spawn(|| ran.up());
                    ran.up()
                });
            }
        });
        assert_eq!(ran.get(), 6);
    });
}
