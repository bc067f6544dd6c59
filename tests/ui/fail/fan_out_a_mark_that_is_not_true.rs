#![allow(unused)]

struct Config;

#[wg::fan_out]
fn copies(page: u32, #[fan_out(copy)] names: Vec<String>) {}

#[wg::fan_out]
fn clones(page: u32, #[fan_out(clone)] config: Config) {}

fn main() {
    copies(1, Vec::new());
}
