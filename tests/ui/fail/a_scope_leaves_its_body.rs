fn main() {
    let s = wg::scope(|s| s);
    s.spawn(|| 1);
}
