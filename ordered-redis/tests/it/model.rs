use ordered_testkit::store_suite::equals_the_model;

use crate::talk::alone;

/// How many random sequences are run, others each time; `ORDERED_SEQUENCES` asks for another number.
fn sequences() -> u64 {
    let asked = std::env::var("ORDERED_SEQUENCES").ok();
    asked.and_then(|asked| asked.parse().ok()).unwrap_or(3_000)
}

#[tokio::test]
async fn the_scripts_say_what_the_protocol_says() {
    let (_server, store) = alone(2).await;
    let first = fastrand::u64(..u64::MAX / 2);
    println!("seeds from {first}");
    equals_the_model(
        |clock| store.with_clock(clock),
        2,
        first..first + sequences(),
    )
    .await;
}
