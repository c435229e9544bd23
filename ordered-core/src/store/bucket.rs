/// The bucket of a key: FNV-1a over its bytes, modulo the number of buckets.
///
/// Fixed permanently: every worker, in every version, must find a key in the same bucket.
#[must_use]
pub fn bucket_of(key: &str, buckets: u32) -> u32 {
    let hash = key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let bucket = (hash ^ (hash >> 32)) % u64::from(buckets.max(1));
    u32::try_from(bucket).expect("it is smaller than the number of buckets")
}

#[cfg(test)]
mod tests {
    use super::bucket_of;

    #[test]
    fn a_key_keeps_its_bucket_permanently() {
        let buckets: Vec<u32> = ["a", "order-1", "order-2", "é"]
            .map(|key| bucket_of(key, 16))
            .into();
        assert_eq!(
            buckets,
            [0, 2, 11, 6],
            "a change here loses every key in production"
        );
    }

    #[test]
    fn keys_that_count_up_spread_evenly() {
        let mut counts = [0_u32; 16];
        for number in 0..16_000 {
            counts[bucket_of(&format!("order-{number}"), 16) as usize] += 1;
        }
        assert!(
            counts.iter().all(|count| (900..1100).contains(count)),
            "{counts:?}"
        );
    }
}
