#![allow(unused)]

#[wg::fan_out]
fn broken(page u32) {}

fn main() {}
