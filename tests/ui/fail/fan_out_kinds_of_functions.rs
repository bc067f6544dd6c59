#![allow(unused)]

#[wg::fan_out]
const fn constant(page: u32) -> u32 {
    page
}

#[wg::fan_out]
unsafe fn dangerous(page: u32) {}

#[wg::fan_out]
extern "C" fn foreign(page: u32) {}

#[wg::fan_out]
fn endless(page: u32) -> ! {
    loop {}
}

#[wg::fan_out]
const unsafe extern "C" fn all_of_that(page: u32, n: usize) {}

const ONE: u32 = constant(1);

fn main() {
    foreign(ONE);
}
