#![allow(unused)]
#![deny(deprecated)]

#[wg::fan_out]
#[deprecated = "use `new`"]
fn old(page: u32) {}

fn main() {
    old_all([1]).run();
}
