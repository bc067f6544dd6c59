use std::collections::HashMap;

fn main() {
    let mut lengths = HashMap::new();
    wg::scope(|s| {
        s.spawn(|| lengths.insert("one", 3));
        s.spawn(|| lengths.insert("three", 5));
    });
}
