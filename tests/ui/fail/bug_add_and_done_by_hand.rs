fn main() {
    let group = wg::WaitGroup::new();
    group.add(1);
    group.done();
    group.wait();
    wg::scope(|s| {
        s.add(1);
        s.spawn(|| s.done());
    });
}
