#![allow(unused)]

#[wg::fan_out(limit = 2)]
fn wrong(page: u32) -> u32 {
    let text: &str = page;
    text.len()
}

#[wg::fan_out]
fn typo(page: Strin) {}

#[wg::fan_out]
fn dangling(page: u32) -> &str {
    ""
}

fn main() {
    wrong_all([1]).run();
}
