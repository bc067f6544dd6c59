#![deny(unused_must_use)]

#[wg::fan_out]
fn double(number: u32) -> u32 {
    number * 2
}

#[wg::fan_out]
async fn later(number: u32) -> u32 {
    number * 2
}

fn main() {
    double_all([1]);
    later_all([1]);
    double_all([1]).limit(2);
    later_all([1]).run();
}
