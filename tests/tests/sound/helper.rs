//! Functions that are handed a scope.

use std::sync::Mutex;

use wg::{Scope, Task};

fn count<'scope>(s: &'scope Scope<'scope, '_>, text: &'scope str) -> Task<'scope, usize> {
    s.spawn(|| text.len())
}

fn walk<'scope, 'env>(s: &'scope Scope<'scope, 'env>, depth: u32, seen: &'env Mutex<Vec<u32>>) {
    seen.lock().unwrap().push(depth);
    if depth > 0 {
        s.spawn(move || walk(s, depth - 1, seen));
    }
}

#[test]
fn rule_04_a_helper_may_spawn() {
    let text = String::from("borrowed");
    let seen = Mutex::new(Vec::new());
    let length = wg::scope(|s| {
        walk(s, 3, &seen);
        count(s, &text).join()
    });
    assert_eq!(length, 8);
    assert_eq!(seen.into_inner().unwrap(), [3, 2, 1, 0]);
}
