#![allow(unused)]

#[wg::fan_out]
fn count(page: u32, seen: &Vec<u32>) -> bool {
    seen.contains(&page)
}

fn main() {
    let mut seen = vec![1];
    let all = count_all([1, 2], &seen);
    seen.push(2);
    all.run();
}
