fn run_some_day(_task: impl FnOnce() + Send + 'static) {}

fn main() {
    let group = wg::WaitGroup::new();
    for _ in 0..10 {
        run_some_day(|| {
            let _member = group.token();
            println!("work");
        });
    }
    group.wait();
}
