#![allow(unused)]

#[wg::fan_out]
fn double(number: u32) -> u32 {
    number * 2
}

fn main() {
    let results = double_all([1]).as_completed(|results| results);
    println!("{}", results.count());
}
