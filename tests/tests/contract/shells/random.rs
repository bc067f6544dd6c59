//! Programs that nobody has thought of, whose ending does not depend on who is faster.

use wg::options;
use wg_tests::Dice;

use super::program::{Program, Step, Way, spawn};

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// What the tasks of a scope may do so that its ending is still known.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rules {
    /// Nobody fails.
    Peace,
    /// Only the body fails, and everything has been joined by then.
    Last,
    /// Anybody fails, and nobody is told.
    Collect,
}

/// A program for a scope that is entered in this way, and panics being caught if it collects.
pub(super) fn program(dice: &mut Dice) -> (Way, Program) {
    let depth = 3;
    match dice.throw(3) {
        0 => (Way::Try, frame(dice, depth, Rules::Peace, true).into()),
        1 => (Way::Try, ends_badly(dice, depth).into()),
        _ => (Way::Collect, frame(dice, depth, Rules::Collect, true).into()),
    }
}

/// A program in which nobody fails.
pub(super) fn peaceful(dice: &mut Dice, depth: u64) -> Program {
    frame(dice, depth, Rules::Peace, true).into()
}

/// Tasks that spawn tasks and join them all.
pub(super) fn tree(dice: &mut Dice, depth: u64) -> Vec<Step> {
    let mut steps = vec![Step::Value(dice.throw(100))];
    if depth > 0 {
        for name in NAMES.into_iter().take(1 + dice.throw(3) as usize) {
            steps.push(spawn(name, tree(dice, depth - 1)));
        }
        steps.push(Step::Yield);
        // In another order than that in which they were spawned.
        if dice.throw(2) == 0 {
            let last = steps.iter().filter(|step| matches!(step, Step::Spawn(..))).count() - 1;
            steps.push(Step::Join(NAMES[last]));
        }
        steps.push(Step::AwaitAll);
    }
    steps
}

/// What a tree returns.
pub(super) fn sum(steps: &[Step]) -> u64 {
    let one = |step: &Step| match step {
        Step::Value(value) => *value,
        Step::Spawn(_, program) => sum(program),
        _ => 0,
    };
    steps.iter().map(one).sum()
}

fn ends_badly(dice: &mut Dice, depth: u64) -> Vec<Step> {
    let mut steps = frame(dice, depth, Rules::Last, true);
    steps.push(if dice.throw(2) == 0 { Step::Fail("last") } else { Step::Panic(9) });
    steps
}

fn frame(dice: &mut Dice, depth: u64, rules: Rules, is_body: bool) -> Vec<Step> {
    let mut steps = vec![Step::Value(dice.throw(1000))];
    let children = if depth == 0 { 0 } else { dice.throw(4) as usize };
    for name in NAMES.into_iter().take(children) {
        steps.push(spawn(name, frame(dice, depth - 1, rules, false)));
        pause(dice, &mut steps, is_body);
    }
    if depth > 0 && dice.throw(4) == 0 {
        let limit = options().limit(1 + dice.throw(3) as usize);
        steps.push(match dice.throw(3) {
            0 => Step::Inner(limit, Way::Try, frame(dice, depth - 1, Rules::Peace, true).into()),
            1 => {
                let mut inner = frame(dice, depth - 1, Rules::Last, true);
                inner.push(Step::Fail("inner"));
                Step::Inner(limit, Way::Try, inner.into())
            }
            _ => {
                let inner = frame(dice, depth - 1, Rules::Collect, true);
                Step::Inner(limit.catch_panics(), Way::Collect, inner.into())
            }
        });
    }
    for name in NAMES.into_iter().take(children) {
        match (rules, dice.throw(3)) {
            (Rules::Last, _) | (_, 0) => steps.push(Step::Look(name)),
            (_, 1) => steps.push(Step::Leave(name)),
            (Rules::Peace, _) => steps.push(Step::Join(name)),
            (Rules::Collect, _) => {}
        }
        pause(dice, &mut steps, is_body);
    }
    if rules == Rules::Collect && !is_body {
        match dice.throw(5) {
            0 => steps.push(Step::Fail("random")),
            1 => steps.push(Step::Panic(8)),
            _ => {}
        }
    }
    steps
}

fn pause(dice: &mut Dice, steps: &mut Vec<Step>, is_body: bool) {
    match dice.throw(4) {
        0 => steps.push(Step::Yield),
        // The body is at work without a slot.
        1 if !is_body => steps.push(Step::Work),
        _ => {}
    }
}
