fn do_work<'scope, 'env>(s: wg::Scope<'scope, 'env>) {
    let _ = s.counts();
}

fn main() {
    wg::scope(|s| do_work(*s));
}
