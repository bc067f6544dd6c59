fn do_work(group: wg::raw::WaitGroup) {
    group.done().unwrap();
}

fn main() {
    let group = wg::raw::WaitGroup::new();
    group.add(1).unwrap();
    do_work(group);
    group.wait().unwrap();
}
