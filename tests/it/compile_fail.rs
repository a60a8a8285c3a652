//! The messages that users meet when they hold it wrong.

#[test]
fn messages_say_what_to_do() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
