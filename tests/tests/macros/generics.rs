//! Type parameters, constants, bounds, and `impl Trait`.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::{Debug, Display};
use std::hash::Hash;
use std::sync::Arc;

use futures::executor::block_on;

#[wg::fan_out]
fn widen<T: Into<u64> + Copy, const TIMES: u64>(number: T) -> u64 {
    number.into() * TIMES
}

#[wg::fan_out]
fn look_up<K, V>(key: &K, map: &HashMap<K, V>) -> Option<V>
where
    K: Eq + Hash,
    V: Clone,
{
    map.get(key).cloned()
}

#[wg::fan_out]
fn show(item: impl Display, suffix: &impl Debug) -> String {
    format!("{item}{suffix:?}")
}

#[wg::fan_out]
fn show_pair<T: Display>(
    pair: (T, impl Display),
    #[fan_out(clone)] end: impl Into<String>,
) -> String {
    format!("{}{}{}", pair.0, pair.1, end.into())
}

#[wg::fan_out]
fn apply(
    number: u32,
    with: &(impl Fn(u32) -> u32 + ?Sized),
    #[fan_out(copy)] plus: impl Fn() -> u32,
) -> u32 {
    with(number) + plus()
}

#[wg::fan_out]
fn apply_dyn(number: u32, with: &(dyn Fn(u32) -> u32 + Sync)) -> u32 {
    with(number)
}

#[wg::fan_out]
#[expect(clippy::borrowed_box, reason = "boxes may be lent")]
fn call(
    number: u32,
    function: &fn(&str) -> &str,
    boxed: &Box<dyn Fn(&u32) -> &u32 + Send + Sync>,
) -> u32 {
    function("abc").len() as u32 + boxed(&number)
}

#[wg::fan_out]
fn sum<const N: usize>(numbers: [u32; N]) -> u32 {
    numbers.iter().sum()
}

#[wg::fan_out]
fn opaque(number: u32) -> impl Display + Send {
    number + 1
}

#[wg::fan_out]
fn boxed(number: u32) -> Box<dyn Display + Send> {
    Box::new(number)
}

#[wg::fan_out]
fn unsized_pointee<T: ?Sized + Display>(number: u32, text: &T) -> String {
    format!("{text}{number}")
}

#[wg::fan_out]
async fn later<T, const N: usize>(item: T, #[fan_out(clone)] shared: Arc<[u32; N]>) -> (T, usize)
where
    T: Clone,
{
    (item.clone(), shared.len())
}

#[wg::fan_out]
fn both<Item: Into<Item_>, Item_>(one: impl Into<Item>) -> Item_ {
    one.into().into()
}

#[wg::fan_out]
fn in_borrowed<T: Debug>(item: Option<&T>, others: &[&T]) -> String {
    format!("{item:?}{others:?}")
}

#[wg::fan_out]
async fn in_borrowed_later<'a, T: Debug>(item: Option<&'a T>, others: &[&T]) -> (&'a T, usize) {
    std::future::ready(()).await;
    (item.unwrap(), others.len())
}

#[test]
fn types_may_stand_among_lifetimes() {
    assert_eq!(in_borrowed_all([Some(&1), None], &[&2]).run(), ["Some(1)[2]", "None[2]"]);
    assert_eq!(block_on(in_borrowed_later_all([Some(&1)], &[&2]).run()), [(&1, 1)]);
}

#[test]
fn types_and_constants_are_chosen_as_for_the_function() {
    assert_eq!(widen_all::<u32, 2>([1, 2]).run(), [2, 4]);
    assert_eq!(widen_all::<_, 3>([1_u8]).run(), [widen::<_, 3>(1_u8)]);
    assert_eq!(sum_all([[1, 2], [3, 4]]).run(), [3, 7]);
}

#[test]
fn bounds_are_kept_and_those_of_threads_added() {
    let map = HashMap::from([("a", 1), ("b", 2)]);
    assert_eq!(look_up_all(&["b", "c"], &map).run(), [Some(2), None]);
}

#[test]
fn what_has_no_name_may_be_item_and_may_be_shared() {
    assert_eq!(show_all([1, 2], &"!").run(), ["1\"!\"", "2\"!\""]);
    assert_eq!(show_pair_all([(1, 'a'), (2, 'b')], ".").run(), ["1a.", "2b."]);
    let one = 1;
    assert_eq!(apply_all([1, 2], &|n| n + one, || one).run(), [3, 4]);
    assert_eq!(apply_dyn_all([1, 2], &|n| n + one).run(), [2, 3]);
    assert_eq!(both_all::<u16, u32, _>([1_u8]).run(), [1]);
}

#[test]
fn functions_may_be_shared() {
    let boxed: Box<dyn Fn(&u32) -> &u32 + Send + Sync> = Box::new(|n| n);
    assert_eq!(call_all([1, 2], &(str::trim as fn(&str) -> &str), &boxed).run(), [4, 5]);
}

#[test]
fn results_may_have_no_name() {
    let shown: Vec<_> = opaque_all([1]).run().into_iter().map(|it| it.to_string()).collect();
    assert_eq!(shown, ["2"]);
    let shown: Vec<_> = boxed_all([1]).run().into_iter().map(|it| it.to_string()).collect();
    assert_eq!(shown, ["1"]);
}

#[test]
fn what_is_shared_need_not_have_a_size() {
    assert_eq!(unsized_pointee_all([1], "no. ").run(), ["no. 1"]);
    assert_eq!(unsized_pointee_all::<str>([1], &Cow::from("n")).run(), ["n1"]);
}

#[test]
fn an_async_function_may_be_generic() {
    let shared = Arc::new([1, 2, 3]);
    let all = block_on(later_all(["a", "b"], shared).run());
    assert_eq!(all, [("a", 3), ("b", 3)]);
}
