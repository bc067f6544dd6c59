#![allow(unused)]

use std::collections::HashMap;

struct Config;

#[wg::fan_out]
fn changes(page: u32, seen: &mut Vec<u32>) {
    seen.push(page);
}

#[wg::fan_out]
fn changes_for<'a>(page: u32, seen: &'a mut HashMap<u32, &'a str>) {
    seen.insert(page, "");
}

#[wg::fan_out]
fn takes(page: u32, cfg: Config) {
    drop(cfg);
}

#[wg::fan_out]
fn takes_two(page: u32, depth: usize, names: Option<Vec<String>>) {}

#[wg::fan_out]
async fn takes_later(page: u32, mut cfg: std::sync::Arc<Config>) {}

#[wg::fan_out]
fn takes_behind(cfg: Config, #[fan_out(item)] page: u32) {}

fn main() {
    changes(1, &mut Vec::new());
    takes(1, Config);
}
