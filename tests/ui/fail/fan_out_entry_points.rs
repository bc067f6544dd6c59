#![allow(unused)]

#[wg::fan_out]
#[test]
fn tests(page: u32) {}

#[wg::fan_out]
#[tokio::main]
async fn starts(page: u32) {}

fn main() {}
