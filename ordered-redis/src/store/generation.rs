//! The beginning of generations of remembered ids.

use ordered_core::protocol::Millis;
use ordered_core::store::StoreError;
use redis::cmd;

use super::RedisStore;
use super::encode::{Context, millis};
use super::ids::{Generations, parts_for};
use super::reply::{maybe_bytes, number};
use super::session::Remembered;
use super::{reply, state_lost};

/// How many parts are counted to tell how many members a generation has.
const SAMPLE: u64 = 16;

impl RedisStore {
    /// Begins a generation in a bucket, unless somebody else did meanwhile: with so many parts, or as many as the one
    /// before needed.
    pub(super) async fn begin_generation(
        &self,
        context: &Context<'_>,
        bucket: usize,
        now: Millis,
        parts: Option<u64>,
    ) -> Result<(), StoreError> {
        let bucket = &context.state.buckets[bucket];
        let known = bucket.ids().generations.clone();
        let parts = match parts {
            Some(parts) => parts,
            None => {
                let newest = known.newest();
                let first = fastrand::u64(..newest.parts);
                let counts = (0..SAMPLE.min(newest.parts)).map(|step| {
                    let part = (first + step) % newest.parts;
                    let mut count = cmd("SCARD");
                    count.arg(bucket.name(&format!("I:{}:{part}", newest.number)));
                    count
                });
                let counts = self.ask(counts.collect()).await?.into_iter();
                let counts: Vec<u64> = counts.map(number).collect::<Result<_, _>>()?;
                parts_for(newest.parts, &counts)
            }
        };
        let ttl = millis(context.group.policy().dedup_ttl);
        let next = known.next(now, ttl, parts);
        let incarnation = context.state.incarnation_text();
        let expected = [("incarnation", &incarnation[..]), ("ids", known.text())];
        let meta = bucket.name("M");
        let fields = [("ids", next.text().as_bytes())];
        if self.set_if(&meta, &expected, &fields).await? {
            bucket.ids().learn(next);
            return Ok(());
        }
        // Somebody else did, or the state was lost, which the next call says.
        let mut read = cmd("HGET");
        read.arg(meta).arg("ids");
        let text = maybe_bytes(self.ask(vec![read]).await?.remove(0))?;
        let text = text.ok_or_else(|| state_lost(context.group))?;
        let text = String::from_utf8(text).map_err(|_| reply::misshaped("text"))?;
        bucket.ids().learn_text(&text)
    }
}

impl Remembered {
    /// Takes the list of generations that Redis has.
    pub(super) fn learn_text(&mut self, text: &str) -> Result<(), StoreError> {
        if self.generations.text() != text {
            self.learn(Generations::parse(text)?);
        }
        Ok(())
    }
}
