//! The examples of `ordered` are programs: `cargo run --example orders -- --help`.
