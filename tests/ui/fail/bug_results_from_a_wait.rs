fn main() {
    let group = wg::WaitGroup::new();
    drop(group.token());
    let sum: u32 = group.wait();
    println!("{sum}");
}
