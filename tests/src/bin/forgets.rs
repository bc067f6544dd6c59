//! Forgets the handles of tasks. What these borrow must be left alone afterwards all the same. It is a
//! process of its own because it leaks.
#![forbid(unsafe_code)]

use std::mem::forget;

use wg_tests::until;

/// A result whose drop would write to what it borrows.
struct Writes<'a>(&'a mut usize);

impl Drop for Writes<'_> {
    fn drop(&mut self) {
        *self.0 += 1;
    }
}

fn main() {
    for _ in 0..1_000 {
        let mut ended = Box::new([0; 3]);
        let [early, late, nested] = &mut *ended;
        wg::scope(|s| {
            let run = |place: &'static str, written| move || (place, Writes(written));
            forget(s.spawn(run("it may not have begun", early)));
            let task = s.spawn(run("it has ended", late));
            until(|| task.is_finished());
            forget(task);
            s.spawn(move || forget(s.spawn(run("it is a task's task", nested))));
        });
        // A result that cannot be reached is not dropped, neither before nor after.
        assert_eq!(*ended, [0; 3]);
    }
}
