//! Rules 4 and 27: what does not compile, and what the compiler says then. The texts in
//! `ui/fail/*.stderr` are those of the newest stable compiler that the project is checked with;
//! `TRYBUILD=overwrite` writes them anew.
#![forbid(unsafe_code)]

#[test]
fn rule_27_mistakes_do_not_compile_and_the_message_helps() {
    trybuild::TestCases::new().compile_fail("ui/fail/*.rs");
}
