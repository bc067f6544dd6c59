use std::cell::Cell;

fn main() {
    let counter = Cell::new(0);
    wg::scope(|s| {
        s.spawn(|| counter.set(counter.get() + 1));
    });
}
