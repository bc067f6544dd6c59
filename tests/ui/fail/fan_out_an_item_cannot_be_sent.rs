#![allow(unused)]

use std::rc::Rc;

#[wg::fan_out]
fn count(page: Rc<u32>) -> u32 {
    *page
}

#[wg::fan_out]
async fn count_later(page: Rc<u32>) -> u32 {
    *page
}

fn main() {
    count(Rc::new(1));
}
