#![allow(unused)]

use std::rc::Rc;

#[wg::fan_out]
fn wrap(page: u32) -> Rc<u32> {
    Rc::new(page)
}

fn main() {
    wrap(1);
}
