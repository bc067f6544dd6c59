#![deny(unused_must_use)]

fn main() {
    wg::try_scope(|s| {
        s.spawn(|| Err::<(), _>("disk full"));
        Ok(())
    });
}
