fn main() {
    let mut error = None;
    wg::scope(|s| {
        for number in ["1", "x", "y"] {
            s.spawn(|| error = number.parse::<u8>().err());
        }
    });
    println!("{error:?}");
}
