//! The messages that users see when they make a mistake. To accept new ones: `TRYBUILD=overwrite`.

#[test]
fn messages_say_what_to_do() {
    trybuild::TestCases::new().compile_fail("cases/*.rs");
}
