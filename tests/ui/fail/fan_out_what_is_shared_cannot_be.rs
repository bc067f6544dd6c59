#![allow(unused)]

use std::cell::Cell;
use std::rc::Rc;

#[wg::fan_out]
fn count(page: u32, seen: &Cell<u32>) {
    seen.set(page);
}

#[wg::fan_out]
fn clone(page: u32, #[fan_out(clone)] seen: Rc<u32>) -> u32 {
    page + *seen
}

#[wg::fan_out]
fn show(page: u32, with: &dyn Fn(u32)) {
    with(page);
}

struct Counter(Cell<u32>);

impl Counter {
    #[wg::fan_out]
    fn add(&self, number: u32) {
        self.0.set(number);
    }
}

fn main() {}
