fn run_some_day(_task: impl FnOnce() + 'static) {}

fn main() {
    let group = wg::WaitGroup::new();
    let token = group.token();
    run_some_day(move || drop(token));
    group.wait();
}
