//! What the compiler says about mistakes.

/// Every mistake has its message: one file each in `tests/ui`. After a change of the messages, write the expected ones
/// anew with `TRYBUILD=overwrite cargo test -p ordered-macros-ui`, and read the difference.
#[test]
fn every_mistake_has_its_message() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
