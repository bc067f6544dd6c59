#![allow(unused)]

#[wg::fan_out]
fn check(page: u32) {}

fn check_all() {}

fn main() {}
