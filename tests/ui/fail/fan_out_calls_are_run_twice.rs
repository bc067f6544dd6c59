#![allow(unused)]

#[wg::fan_out]
fn double(number: u32) -> u32 {
    number * 2
}

fn main() {
    let all = double_all([1]);
    all.run();
    all.run();
}
