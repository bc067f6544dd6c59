//! Attributes, visibility, names, patterns.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;

extern crate wg as renamed;

mod inner {
    //! What is not public stays so.

    pub(super) mod path {
        pub(crate) use wg as to;
    }

    #[wg::fan_out]
    pub(super) fn visible(number: u32) -> u32 {
        number + hidden_all([number]).run()[0]
    }

    #[wg::fan_out]
    fn hidden(number: u32) -> u32 {
        number
    }
}

#[renamed::fan_out(crate = renamed, name = all_of_them, limit = LIMIT * 2)]
fn with_options(number: u32) -> u32 {
    number
}

const LIMIT: usize = 2;

#[wg::fan_out(crate = crate::attributes::inner::path::to, limit = limit())]
async fn elsewhere(number: u32) -> u32 {
    number
}

static ASKED: AtomicUsize = AtomicUsize::new(0);

fn limit() -> usize {
    ASKED.fetch_add(1, SeqCst) + 1
}

#[cfg(any())]
#[wg::fan_out]
fn gone_before(number: Nothing) {}

#[wg::fan_out]
#[cfg(any())]
fn gone_behind(number: Nothing) {}

#[wg::fan_out]
#[cfg_attr(all(), doc = "Documented.", allow(non_snake_case), must_use)]
#[inline(never)]
fn Many_attributes(number: u32) -> u32 {
    number
}

#[wg::fan_out]
#[expect(unused_variables, reason = "the companion has no such variable")]
#[expect(clippy::needless_pass_by_value)]
fn expected(number: u32, #[fan_out(clone)] text: String) -> u32 {
    1
}

/// A twin.
#[wg::fan_out]
#[wg::fan_out(name = twice, limit = 1)]
fn once(number: u32, #[fan_out(copy)] plus: u32) -> u32 {
    number + plus
}

#[wg::fan_out]
fn patterns(
    (left, right): (u32, u32),
    &[first, ..]: &[u32; 2],
    #[fan_out(copy)] mut plus: u32,
    _: &str,
) -> u32 {
    plus += 1;
    left + right + first + plus
}

#[wg::fan_out]
fn r#match(r#type: u32) -> u32 {
    r#type
}

#[wg::fan_out]
fn same(same: u32, items: &u32, item: &u32) -> u32 {
    same + items + item
}

#[wg::fan_out]
fn nothing(_: u32) {}

macro_rules! functions {
    ($($name:ident: $ty:ty => $result:expr;)*) => {
        $(#[wg::fan_out] fn $name(it: $ty, shared: &$ty) -> $ty { let _ = (it, shared); $result })*
    };
}

functions! {
    from_a_macro: u32 => 1;
    of_another: (u8, &'static str) => (1, "b");
}

#[wg::fan_out]
fn question(text: &str) -> Result<u8, Box<dyn std::error::Error + Send + Sync>> {
    let number: u8 = text.parse()?;
    if number == 0 {
        return Err("zero".into());
    }
    Ok(number)
}

#[test]
fn a_companion_is_as_visible_as_its_function() {
    assert_eq!(inner::visible_all([1]).run(), [2]);
}

#[test]
fn options_of_the_attribute() {
    assert_eq!(all_of_them([1, 2]).run(), [1, 2]);
    for asked in 1..3 {
        assert_eq!(futures::executor::block_on(elsewhere_all([1]).run()), [1]);
        assert_eq!(ASKED.load(SeqCst), asked);
    }
}

#[test]
fn attributes_may_stand_on_both_sides() {
    assert_eq!(Many_attributes_all([1]).run(), [Many_attributes(1)]);
    assert_eq!(expected_all([1], String::new()).run(), [1]);
    assert_eq!(once_all([1], 1).run(), [2]);
    assert_eq!(twice([1], 2).run(), [3]);
}

#[test]
fn parameters_may_be_patterns() {
    assert_eq!(patterns_all([(1, 2)], &[3, 0], 4, "").run(), [11]);
}

#[test]
fn names_do_not_get_in_each_others_way() {
    assert_eq!(match_all([1]).run(), [r#match(1)]);
    assert_eq!(same_all([1], &2, &3).run(), [6]);
    assert_eq!(nothing_all([1]).run(), [()]);
}

#[test]
fn a_macro_may_write_the_function() {
    assert_eq!(from_a_macro_all([2, 3], &4).run(), [1, 1]);
    assert_eq!(of_another_all([(2, "a")], &(1, "")).run(), [(1, "b")]);
}

#[test]
fn question_marks_and_early_returns_are_the_functions_own() {
    assert_eq!(question_all(["1", "2"]).try_run().unwrap(), [1, 2]);
    assert_eq!(question_all(["0"]).try_run().unwrap_err().to_string(), "zero");
    assert!(question_all(["x"]).try_run().is_err());
}

#[test]
fn a_function_may_stand_inside_of_another() {
    #[wg::fan_out]
    fn local(number: u32) -> u32 {
        number + 1
    }
    assert_eq!(local_all([1]).run(), [2]);
}
