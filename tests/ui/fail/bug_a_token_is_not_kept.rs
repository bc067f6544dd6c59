#![deny(unused_must_use)]

fn main() {
    let group = wg::WaitGroup::new();
    group.token();
    println!("work");
    group.wait();
}
