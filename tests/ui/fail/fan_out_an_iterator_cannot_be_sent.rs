#![allow(unused)]

use std::rc::Rc;

#[wg::fan_out]
fn count(page: u32) -> u32 {
    page
}

fn main() {
    let shared = Rc::new(1);
    count_all((0..3).map(|page| page + *shared)).run();
}
