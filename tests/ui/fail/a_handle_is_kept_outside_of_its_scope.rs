fn main() {
    let mut kept = None;
    wg::scope(|s| kept = Some(s.spawn(|| 1)));
    drop(kept);
}
