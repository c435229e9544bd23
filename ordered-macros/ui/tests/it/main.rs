//! What the compiler says about mistakes.

/// Every mistake has its message. What the macro says itself stands in one file of `tests/ui` for each topic, a module
/// for each mistake; what the compiler says of what the macro wrote has a file each. After a change of the messages,
/// write the expected ones anew with `TRYBUILD=overwrite cargo test -p ordered-macros-ui`, and read the difference.
#[test]
fn every_mistake_has_its_message() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
