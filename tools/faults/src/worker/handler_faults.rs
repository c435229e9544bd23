use serde::{Deserialize, Serialize};

/// How often the handler goes wrong: of 100,000 events so many. The seed and the event's id decide which.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct HandlerFaults {
    pub seed: u64,
    pub hangs: u32,
    pub fails: u32,
    pub panics: u32,
    pub aborts: u32,
}

/// What the handler does on one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HandlerFault {
    None,
    Hangs,
    Fails,
    Panics,
    /// Takes the process along, before its effect.
    Aborts,
    /// Takes the process along, after its effect and before the commit.
    AbortsAfter,
}

impl HandlerFaults {
    /// A fault lasts one to three attempts; one that ends the process or hangs, one.
    pub(super) fn on(&self, id: &str, attempt: u32) -> HandlerFault {
        // FNV-1a: the same in every process.
        let hash = id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let mut random = fastrand::Rng::with_seed(hash ^ self.seed);
        let (mut dice, attempts) = (random.u32(0..100_000), random.u32(1..=3));
        let abort = if random.bool() {
            HandlerFault::Aborts
        } else {
            HandlerFault::AbortsAfter
        };
        let faults = [
            (self.hangs, HandlerFault::Hangs, 1),
            (self.fails, HandlerFault::Fails, attempts),
            (self.panics, HandlerFault::Panics, attempts),
            (self.aborts, abort, 1),
        ];
        for (chance, fault, lasts) in faults {
            if dice < chance {
                return if attempt <= lasts {
                    fault
                } else {
                    HandlerFault::None
                };
            }
            dice -= chance;
        }
        HandlerFault::None
    }

    /// Whether a worker may end by itself.
    pub(crate) fn may_abort(&self) -> bool {
        self.aborts > 0
    }
}
