#![allow(unused)]

#[wg::fan_out]
fn two_items(#[fan_out(item)] page: u32, #[fan_out(item)] other: u32) {}

#[wg::fan_out]
fn unknown(page: u32, #[fan_out(shared)] other: u32) {}

#[wg::fan_out]
fn empty(page: u32, #[fan_out] other: u32) {}

#[wg::fan_out]
fn twice(page: u32, #[fan_out(clone)] #[fan_out(copy)] other: u32) {}

#[wg::fan_out]
fn item_is_not_shared(#[fan_out(clone)] page: u32) {}

#[wg::fan_out]
fn conditional(page: u32, #[cfg(all())] other: &u32) {}

fn main() {
    unknown(1, 2);
}
