#![allow(unused)]

#[wg::fan_out(limit = 0)]
fn zero(page: u32) {}

#[wg::fan_out(limit = 0_usize)]
fn zero_with_a_type(page: u32) {}

#[wg::fan_out(limit = -1)]
fn negative(page: u32) {}

#[wg::fan_out(limit = "4")]
fn text(page: u32) {}

#[wg::fan_out(limit = 1.5)]
fn fraction(page: u32) {}

#[wg::fan_out(limit = 3u8)]
fn of_another_type(page: u32) {}

fn main() {
    // The companion is there nevertheless.
    zero_all([1]).run();
}
