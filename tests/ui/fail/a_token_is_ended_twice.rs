fn main() {
    let group = wg::WaitGroup::new();
    let token = group.token();
    drop(token);
    drop(token);
}
