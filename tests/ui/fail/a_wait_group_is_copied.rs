fn main() {
    let group = wg::WaitGroup::new();
    let copy = group;
    group.wait();
    copy.wait();
}
