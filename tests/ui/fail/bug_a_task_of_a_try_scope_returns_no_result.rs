fn main() {
    let written = wg::try_scope(|s| {
        s.spawn(|| println!("written"));
        Ok::<_, String>(())
    });
    written.unwrap();
}
