//! What a body and its tasks may use and return.

use std::cell::Cell;
use std::rc::Rc;

#[test]
fn rule_04_a_body_may_return_what_a_task_has_borrowed() {
    let mut numbers = vec![1, 2, 3];
    // The body stays on its thread, so it may use what no task may.
    let here = Rc::new(Cell::new(0));
    let (first, rest) = numbers.split_at_mut(1);
    let longest: &mut [i32] = wg::scope(|s| {
        let task = s.spawn(|| {
            rest[0] += first[0];
            rest
        });
        here.set(1);
        // A result may borrow from outside, and a body may return it.
        task.join()
    });
    longest[1] = 9;
    assert_eq!(here.get(), 1);
    assert_eq!(numbers, [1, 3, 9]);
}
