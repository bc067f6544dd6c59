fn main() {
    let group = wg::WaitGroup::new();
    let clone = group.clone();
    group.wait();
    clone.wait();
}
