#![allow(unused)]

#[derive(Debug)]
struct Broken;

#[wg::fan_out]
fn double(number: u32) -> u32 {
    number * 2
}

#[wg::fan_out]
fn check(number: u32) -> Result<u32, Broken> {
    if number == 0 { Err(Broken) } else { Ok(number) }
}

fn main() {
    double_all([1]).try_run();
    // Nothing says what this error is when a deadline passes.
    check_all([1]).try_run().unwrap();
}
