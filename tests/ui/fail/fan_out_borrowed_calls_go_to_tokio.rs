#![allow(unused)]

#[wg::fan_out]
async fn count(page: u32, seen: &Vec<u32>) -> bool {
    seen.contains(&page)
}

fn main() {
    let seen = vec![1];
    let _ = count_all([1, 2], &seen).tokio().run();
}
