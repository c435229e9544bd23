/// The events of a test: `keys` orders with `events` each, in a disorder that the seed decides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) keys: usize,
    pub(crate) events: u64,
    pub(crate) seed: u64,
}

/// Each event is moved by up to so many places.
const SHUFFLE: usize = 500;
/// So many percent of the events come twice.
const DUPLICATES: u8 = 10;

impl Load {
    /// Two hundred orders with 25 events each; `ORDERED_EVENTS` asks for another number: a release is tried with 500
    /// over Kafka, and with 100 over RabbitMQ and SQS.
    pub(crate) fn full(seed: u64) -> Self {
        let asked = std::env::var("ORDERED_EVENTS").ok();
        Self {
            keys: 200,
            events: asked.map_or(25, |asked| {
                asked.parse().expect("ORDERED_EVENTS is a number")
            }),
            seed,
        }
    }

    /// How many events that is, duplicates not counted.
    pub(crate) fn total(&self) -> usize {
        self.keys * usize::try_from(self.events).unwrap()
    }

    /// What the producers of the smaller examples are told.
    pub(crate) fn keys_and_events(&self) -> Vec<String> {
        let (keys, events) = (self.keys.to_string(), self.events.to_string());
        vec!["--keys".into(), keys, "--events".into(), events]
    }

    /// What the producers are told.
    pub(crate) fn arguments(&self) -> Vec<String> {
        [
            ("--keys", self.keys.to_string()),
            ("--events", self.events.to_string()),
            ("--seed", self.seed.to_string()),
            ("--shuffle", SHUFFLE.to_string()),
            ("--duplicates", DUPLICATES.to_string()),
        ]
        .into_iter()
        .flat_map(|(name, value)| [name.to_owned(), value])
        .collect()
    }
}
