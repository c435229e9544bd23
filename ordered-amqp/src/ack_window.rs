use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::received_message::ReceivedMessage;

/// What is out on one channel, and which acknowledgements the broker has not been sent yet.
///
/// Delivery tags count up from 1 on a channel, and one `basic.ack` with `multiple` covers every tag up to its own
/// (<https://www.rabbitmq.com/docs/confirms#consumer-acks-multiple-parameter>). So the tags below the lowest
/// unsettled one go out as one frame, when they are some or have waited for a moment; those above it, behind the hole,
/// are kept back, in case the hole closes. They go one by one, which costs the broker several times as much, only when
/// they were kept for long, are too many, or are all that the worker waits for: a slow event must not hold up the
/// prefetch.
#[derive(Debug, Default)]
pub(crate) struct AckWindow {
    /// `None` while its copy is on its way to another queue.
    unsettled: BTreeMap<u64, Option<Box<ReceivedMessage>>>,
    /// With the turn in which each was kept.
    kept: BTreeMap<u64, u64>,
    turn: u64,
    last: u64,
    /// Nothing was settled since the last look.
    is_quiet: bool,
}

/// One `basic.ack`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ack {
    pub(crate) tag: u64,
    pub(crate) multiple: bool,
}

impl AckWindow {
    /// Enters a delivery. The broker numbers them without gaps.
    pub(crate) fn enter(&mut self, tag: u64, original: Box<ReceivedMessage>) {
        debug_assert_eq!(tag, self.last + 1, "delivery tags count up");
        self.last = tag;
        self.unsettled.insert(tag, Some(original));
    }

    /// The last tag that was entered.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// How many deliveries are out.
    pub(crate) fn unsettled(&self) -> usize {
        self.unsettled.len()
    }

    /// Keeps an acknowledgement, unless the delivery is settled or on its way elsewhere already.
    pub(crate) fn ack(&mut self, tag: u64) {
        if let Entry::Occupied(delivery) = self.unsettled.entry(tag)
            && delivery.get().is_some()
        {
            delivery.remove();
            self.keep(tag);
        }
    }

    fn keep(&mut self, tag: u64) {
        self.kept.insert(tag, self.turn);
        self.is_quiet = false;
    }

    /// Takes the message, to send a copy of it elsewhere. Until [`AckWindow::sent_elsewhere`] it stays unsettled.
    pub(crate) fn take(&mut self, tag: u64) -> Option<Box<ReceivedMessage>> {
        self.unsettled.get_mut(&tag)?.take()
    }

    /// The copy is safe: the original may be acknowledged.
    pub(crate) fn sent_elsewhere(&mut self, tag: u64) {
        if self.unsettled.remove(&tag).is_some() {
            self.keep(tag);
        }
    }

    /// How many acknowledgements lie before the first hole.
    pub(crate) fn ready(&self) -> usize {
        match self.unsettled.first_key_value() {
            Some((lowest, _)) => self.kept.range(..lowest).count(),
            None => self.kept.len(),
        }
    }

    /// The acknowledgement of all that lies before the first hole.
    pub(crate) fn prefix(&mut self) -> Option<Ack> {
        let behind = match self.unsettled.first_key_value() {
            Some((lowest, _)) => self.kept.split_off(lowest),
            None => BTreeMap::new(),
        };
        let prefix = std::mem::replace(&mut self.kept, behind);
        prefix.last_key_value().map(|(tag, _)| Ack {
            tag: *tag,
            multiple: prefix.len() > 1,
        })
    }

    /// How many acknowledgements are kept back.
    pub(crate) fn kept(&self) -> usize {
        self.kept.len()
    }

    /// Everything that is kept back.
    pub(crate) fn flush(&mut self) -> Vec<Ack> {
        let prefix = self.prefix();
        let singles = std::mem::take(&mut self.kept);
        prefix
            .into_iter()
            .chain(singles.into_keys().map(single))
            .collect()
    }

    /// Everything that is kept back, where the broker may deliver nothing more, with this prefetch, and nothing was
    /// settled since the last call: what is out may wait for events that the broker has not delivered yet.
    pub(crate) fn stalled(&mut self, prefetch: usize) -> Vec<Ack> {
        let was_quiet = std::mem::replace(&mut self.is_quiet, true);
        if was_quiet && self.unsettled.len() + self.kept.len() >= prefetch {
            self.flush()
        } else {
            Vec::new()
        }
    }

    /// What was kept back before the last turn began. Begins the next.
    pub(crate) fn overdue(&mut self) -> Vec<Ack> {
        let turn = self.turn;
        self.turn += 1;
        let mut overdue = Vec::new();
        self.kept.retain(|tag, kept| {
            let is_overdue = *kept < turn;
            if is_overdue {
                overdue.push(single(*tag));
            }
            !is_overdue
        });
        overdue
    }
}

fn single(tag: u64) -> Ack {
    let multiple = false;
    Ack { tag, multiple }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// A window with this many deliveries out.
    fn window(count: u64) -> AckWindow {
        let mut window = AckWindow::default();
        for tag in 1..=count {
            window.enter(tag, Box::default());
        }
        window
    }

    fn ack_all(window: &mut AckWindow, tags: &[u64]) {
        tags.iter().for_each(|tag| window.ack(*tag));
    }

    fn multiple(tag: u64) -> Option<Ack> {
        let multiple = true;
        Some(Ack { tag, multiple })
    }

    #[test]
    fn a_thousand_settled_in_order_take_one_frame() {
        let mut window = window(1_000);
        (1..=1_000).for_each(|tag| window.ack(tag));
        assert_eq!(window.prefix(), multiple(1_000));
        assert_eq!(window.prefix(), None);
        assert_eq!(window.kept(), 0);
    }

    #[test]
    fn only_what_lies_before_the_first_hole_is_ready() {
        let mut window = window(6);
        ack_all(&mut window, &[1, 2, 4, 5]);
        assert_eq!(window.ready(), 2);
        ack_all(&mut window, &[3, 6]);
        assert_eq!(window.ready(), 6);
        window.prefix();
        assert_eq!(window.ready(), 0);
    }

    #[test]
    fn what_lies_behind_a_hole_is_kept_until_it_closes() {
        let mut window = window(5);
        ack_all(&mut window, &[2, 3, 5]);
        assert_eq!(window.prefix(), None);
        assert_eq!(window.kept(), 3);
        window.ack(1);
        assert_eq!(window.prefix(), multiple(3));
        window.ack(4);
        assert_eq!(window.prefix(), multiple(5));
    }

    #[test]
    fn a_flush_sends_what_lies_behind_the_hole_one_by_one() {
        let mut window = window(6);
        ack_all(&mut window, &[1, 2, 4, 6]);
        let flushed = window.flush();
        assert_eq!(flushed, [multiple(2).unwrap(), single(4), single(6)]);
        window.ack(3);
        assert_eq!(window.prefix(), Some(single(3)));
        window.ack(5);
        assert_eq!(window.prefix(), Some(single(5)));
    }

    #[test]
    fn what_is_kept_for_a_whole_turn_goes() {
        let mut window = window(4);
        ack_all(&mut window, &[2]);
        assert_eq!(window.overdue(), [], "it may have come a moment ago");
        ack_all(&mut window, &[3]);
        assert_eq!(window.overdue(), [single(2)]);
        assert_eq!(window.overdue(), [single(3)]);
        assert_eq!(window.kept(), 0);
    }

    #[test]
    fn what_is_kept_goes_once_nothing_is_settled_and_the_broker_may_deliver_nothing() {
        let mut window = window(4);
        ack_all(&mut window, &[2]);
        assert_eq!(window.stalled(4), [], "one was settled since the last look");
        ack_all(&mut window, &[4]);
        assert_eq!(window.stalled(4), [], "another one was");
        assert_eq!(window.stalled(5), [], "the broker may deliver one more");
        assert_eq!(window.stalled(4), [single(2), single(4)]);
        assert_eq!(window.stalled(4), [], "nothing is kept back");
        assert_eq!(window.unsettled(), 2);
    }

    #[test]
    fn a_message_on_its_way_elsewhere_is_a_hole() {
        let mut window = window(3);
        assert!(window.take(1).is_some());
        assert!(window.take(1).is_none());
        ack_all(&mut window, &[1, 2, 3]);
        assert_eq!(window.prefix(), None);
        window.sent_elsewhere(1);
        assert_eq!(window.prefix(), multiple(3));
    }

    #[test]
    fn settling_twice_or_what_was_never_out_does_nothing() {
        let mut window = window(2);
        ack_all(&mut window, &[1, 1, 7, 0]);
        window.sent_elsewhere(9);
        assert!(window.take(9).is_none());
        assert_eq!(window.prefix(), Some(single(1)));
        window.ack(1);
        assert_eq!(window.prefix(), None);
    }

    /// Whatever the order, the broker is sent each acknowledgement once, never one for what is unsettled, and
    /// `multiple` only with a tag that is still out (anything else closes the channel).
    #[test]
    fn a_broker_agrees_with_every_frame() {
        for seed in 0..200 {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut window = window(100);
            let mut out: BTreeSet<u64> = (1..=100).collect();
            let mut settled = BTreeSet::new();
            let mut order: Vec<u64> = (1..=100).collect();
            random.shuffle(&mut order);
            for tag in order {
                window.ack(tag);
                settled.insert(tag);
                let acks: Vec<Ack> = match random.u8(..16) {
                    0..2 => window.flush(),
                    2..6 => window.overdue(),
                    6..10 => Vec::new(),
                    _ => window.prefix().into_iter().collect(),
                };
                for ack in acks {
                    assert!(out.remove(&ack.tag), "seed {seed}: {ack:?} is out");
                    if ack.multiple {
                        out = out.split_off(&ack.tag);
                    }
                }
                let unsettled = (1..=100).filter(|tag| !settled.contains(tag));
                assert!(
                    unsettled.into_iter().all(|tag| out.contains(&tag)),
                    "seed {seed}"
                );
            }
            for ack in window.flush() {
                assert!(out.remove(&ack.tag), "seed {seed}: {ack:?} is out");
                if ack.multiple {
                    out = out.split_off(&ack.tag);
                }
            }
            assert_eq!((window.kept(), window.unsettled.len()), (0, 0));
            assert!(out.is_empty(), "seed {seed}: the broker was told of all");
        }
    }
}
