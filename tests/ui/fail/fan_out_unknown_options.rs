#![allow(unused)]

#[wg::fan_out(limt = 3)]
fn slip(page: u32) {}

#[wg::fan_out(threads = 3, limit = 2, nmae = x)]
fn several(page: u32) {}

#[wg::fan_out(limit = 1, limit = 2)]
fn twice(page: u32) {}

#[wg::fan_out(limit)]
fn no_value(page: u32) {}

#[wg::fan_out(32)]
fn no_option(page: u32) {}

#[wg::fan_out(limit = 1 name = all)]
fn no_comma(page: u32) {}

#[wg::fan_out(name = "all_of_them")]
fn quoted(page: u32) {}

#[wg::fan_out(name = fn)]
fn keyword(page: u32) {}

#[wg::fan_out(crate = 7)]
fn no_path(page: u32) {}

#[wg::fan_out(name = )]
fn no_name(page: u32) {}

fn main() {
    slip_all([1]).run();
    several_all([1]).run();
}
