fn main() {
    let group = wg::WaitGroup::new();
    let token = group.token();
    for _ctrl_c in 0..2 {
        drop(token);
    }
    group.wait();
}
