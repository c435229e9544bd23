use super::{Admin, posted_of};
use crate::protocol::{
    CauseView, ClaimView, DeadView, HeldView, HolderView, KeyView, LastErrorView, ProducerView,
    RepairView, WaitingView,
};
use crate::protocol::{
    DeadNote, Gone, HeldNote, KeyState, MissingCause, Order, Phase, Producer, Stamp,
};
use crate::store::{Group, StoreError};
use crate::store::{Letter, OwnerRecord, Record, Slot};

impl Admin {
    /// The phase of a key in a list whose state cannot be read.
    pub const UNREADABLE: &str = "unreadable";

    /// The view of a key.
    pub(super) async fn view(
        &self,
        group: &Group,
        record: &Record,
        state: &KeyState,
        group_paused: bool,
    ) -> Result<KeyView, StoreError> {
        let key = &record.key;
        let posted = posted_of(group, record);
        let slot = |seq| {
            let letter = posted.iter().find(|moved| moved.seq == seq);
            Slot::Held(letter.map_or(seq, |moved| moved.posted))
        };
        let slots: Vec<Slot> = state.held.iter().map(slot).collect();
        let held = self.sizes(group, key, &slots).await?;
        let waiting = state.producers.slots().map(Slot::Held);
        let waiting = self.sizes(group, key, &waiting.collect::<Vec<_>>()).await?;
        let held_bytes = held.iter().chain(&waiting).map(|(_, size)| size).sum();
        let shown = &waiting[..waiting.len().min(KeyView::MOST)];
        let waiting = self.read(group, key, shown, waiting_view).await?;
        let mut waiting: Vec<WaitingView> = waiting.into_iter().flatten().collect();
        waiting.sort_by(|one, other| (&one.producer, one.seq).cmp(&(&other.producer, other.seq)));
        let shown = &held[..held.len().min(KeyView::MOST)];
        let mut held = self.read(group, key, shown, held_view).await?;
        for view in &mut held {
            let letter = posted.iter().find(|moved| moved.posted == view.seq);
            view.seq = letter.map_or(view.seq, |moved| moved.seq);
        }
        let slots: Vec<Slot> = state
            .dead_letters()
            .take(KeyView::MOST)
            .map(|(epoch, seq)| Slot::Dead { epoch, seq })
            .collect();
        let dead = self.sizes(group, key, &slots).await?;
        let dead_view = |slot, _, letter: &Letter| dead_view(state, slot, letter);
        let dead = self.read(group, key, &dead, dead_view).await?;
        let asked = if group.policy().order.has_producers() {
            state.producers.asked_for_missing()
        } else {
            state.asked_for_head()
        };
        Ok(KeyView {
            last_seq: state.head().saturating_sub(1),
            next_seq: state.head(),
            epoch: state.epoch,
            attempts: state.next_attempt() - 1,
            deaths: state.crashes + state.unfinished,
            crashes: state.crashes,
            suspect: state.is_suspect(),
            on_trial: state.on_trial,
            phase: phase_word(state.phase).to_owned(),
            due: match state.phase {
                Phase::BackingOff { until, .. } => Some(until),
                Phase::Open | Phase::Halted { .. } => None,
            },
            paused: state.paused.is_on(),
            paused_until: state.paused.end(),
            last_error: state.last_error.as_ref().map(|last| LastErrorView {
                error: last.error.clone(),
                first_at: last.first_at,
                last_at: last.last_at,
                worker: last.worker.clone(),
            }),
            gap_since: state.gap_since,
            repair: asked.map(|asked| RepairView {
                asked_at: asked.at,
                times: asked.times,
            }),
            held,
            waiting,
            causes: state
                .producers
                .missing()
                .into_iter()
                .map(cause_view)
                .collect(),
            holders: state.producers.holders().map(holder_view).collect(),
            release_at: state.next_release(group.policy(), record.now),
            producers: state
                .producers
                .known()
                .iter()
                .map(|known| producer_view(known, group.policy().order))
                .collect(),
            held_events: state.held_events(),
            held_bytes,
            absent: state.absent.ranges().to_vec(),
            dead,
            dead_events: state.dead.values().map(|seqs| seqs.len()).sum(),
            ..bare_view(record, group_paused)
        })
    }
}

/// The view of a key whose body cannot be decoded.
pub(super) fn unreadable_view(record: &Record, error: String, group_paused: bool) -> KeyView {
    KeyView {
        phase: Admin::UNREADABLE.to_owned(),
        last_error: Some(LastErrorView {
            error,
            first_at: record.now,
            last_at: record.now,
            worker: String::new(),
        }),
        ..bare_view(record, group_paused)
    }
}

/// What can be seen of a key without its body.
fn bare_view(record: &Record, group_paused: bool) -> KeyView {
    KeyView {
        key: record.key.to_string(),
        last_seq: 0,
        next_seq: 1,
        epoch: 0,
        fence: record.fence.0,
        attempts: 0,
        deaths: 0,
        crashes: 0,
        suspect: false,
        on_trial: false,
        claim: record.owner.as_ref().map(claim_view),
        phase: String::new(),
        due: None,
        paused: false,
        paused_until: None,
        group_paused,
        last_error: None,
        gap_since: None,
        repair: None,
        held: Vec::new(),
        waiting: Vec::new(),
        causes: Vec::new(),
        holders: Vec::new(),
        release_at: None,
        producers: Vec::new(),
        held_events: 0,
        held_bytes: 0,
        absent: Vec::new(),
        dead: Vec::new(),
        dead_events: 0,
        now: record.now,
    }
}

fn claim_view(owner: &OwnerRecord) -> ClaimView {
    ClaimView {
        worker: owner.worker.as_str().to_owned(),
        since: owner.since,
        lease_until: owner.lease_until,
        hand_over: owner.hand_over,
    }
}

fn held_view(slot: Slot, bytes: u64, letter: &Letter) -> HeldView {
    let (_, seq) = place_of(slot);
    HeldView {
        seq,
        id: letter.id.as_str().to_owned(),
        since: HeldNote::decode(&letter.note).since,
        bytes,
    }
}

/// Nothing of a letter that says nothing of its producer.
fn waiting_view(_: Slot, bytes: u64, letter: &Letter) -> Option<WaitingView> {
    let stamp = Stamp::of_note(&letter.note)?;
    Some(WaitingView {
        producer: stamp.producer().to_owned(),
        seq: stamp.seq(),
        id: letter.id.as_str().to_owned(),
        since: HeldNote::decode(&letter.note).since,
        bytes,
    })
}

fn cause_view(missing: MissingCause) -> CauseView {
    let MissingCause { producer, from, to } = missing;
    CauseView { producer, from, to }
}

fn holder_view(known: &Producer) -> HolderView {
    HolderView {
        producer: known.name().to_owned(),
        time: known.clock(),
        since: known.heard_at(),
    }
}

fn producer_view(known: &Producer, order: Order) -> ProducerView {
    ProducerView {
        producer: known.name().to_owned(),
        seq: known.released(),
        waiting: known.waiting().count() as u64,
        time: order.has_times().then(|| known.clock()),
        gone: known.gone().map(|gone| {
            let word = match gone {
                Gone::Left { .. } => "left",
                Gone::Silent => "silent",
            };
            word.to_owned()
        }),
    }
}

fn dead_view(state: &KeyState, slot: Slot, letter: &Letter) -> DeadView {
    let (epoch, seq) = place_of(slot);
    let note = DeadNote::decode(&letter.note);
    let cause = note.as_ref().map_or("unknown", |note| note.cause.as_str());
    DeadView {
        epoch,
        seq,
        id: letter.id.as_str().to_owned(),
        cause: cause.to_owned(),
        attempts: note.as_ref().map_or(0, |note| note.attempts),
        at: note.as_ref().map_or(0, |note| note.at),
        error: note.map(|note| note.error).unwrap_or_default(),
        replay: is_replayed(state, epoch, seq),
        replay_attempts: match state.replays.get(&seq) {
            Some(attempts) if epoch == state.epoch => *attempts,
            _ => 0,
        },
    }
}

/// Whether a dead letter is to be run again.
pub(super) fn is_replayed(state: &KeyState, epoch: u64, seq: u64) -> bool {
    epoch == state.epoch && state.replays.contains_key(&seq)
}

/// The epoch and the seq of a slot; the epoch of what is held is 0.
pub(super) fn place_of(slot: Slot) -> (u64, u64) {
    match slot {
        Slot::Held(seq) => (0, seq),
        Slot::Dead { epoch, seq } => (epoch, seq),
    }
}

fn phase_word(phase: Phase) -> &'static str {
    match phase {
        Phase::Open => "open",
        Phase::BackingOff { .. } => "backing_off",
        Phase::Halted { .. } => "halted",
    }
}
