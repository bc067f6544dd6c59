fn main() {
    let token = {
        let group = wg::WaitGroup::new();
        group.token()
    };
    drop(token);
}
