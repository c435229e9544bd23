//! What `inspect.lua` says of a key.

use ordered_core::protocol::{ClaimView, DeadView, HeldView, KeyView, Phase, TroubleView};
use ordered_core::store::StoreError;

use crate::answer::{Answer, misshaped};
use crate::store::cause;

pub(crate) fn key_view(name: &str, answer: &mut Answer) -> Result<KeyView, StoreError> {
    let now = answer.number()?;
    let group_paused = answer.flag()?;
    let last_seq = answer.number()?;
    let fence = answer.number()?;
    let attempts = answer.small()?;
    let (phase, until) = (answer.number()?, answer.number()?);
    let (held_events, held_bytes) = (answer.number()?, answer.number()?);
    let troubled = answer.flag()?;
    let epoch = answer.number()?;
    let paused = answer.flag()?;
    let gap_since = answer.number()?;
    let dead_events = answer.number()?;
    // How many replays are asked for, and how many ranges are absent and were passed over: told by what follows.
    for _ in 0..3 {
        answer.number()?;
    }
    let phase = match phase {
        0 => Phase::Open,
        1 => Phase::BackingOff { until },
        2 => Phase::Halted,
        _ => return Err(misshaped("phase")),
    };
    Ok(KeyView {
        key: name.to_owned(),
        last_seq,
        epoch,
        fence,
        attempts,
        claim: claim(answer)?,
        phase: phase.as_str().to_owned(),
        due: matches!(phase, Phase::BackingOff { .. }).then_some(until),
        paused,
        group_paused,
        trouble: if troubled {
            Some(trouble(answer)?)
        } else {
            None
        },
        gap_since: (gap_since > 0).then_some(gap_since),
        absent: absent(answer)?,
        held: held(answer)?,
        held_events,
        held_bytes,
        dead: dead(answer)?,
        dead_events,
        now,
    })
}

fn claim(answer: &mut Answer) -> Result<Option<ClaimView>, StoreError> {
    let granted = answer.number()?;
    if granted == 0 {
        return Ok(None);
    }
    let worker = answer.text()?;
    let since = answer.number()?;
    let lease = answer.number()?;
    Ok(Some(ClaimView {
        worker,
        since,
        lease_until: (lease > 0).then_some(lease),
        granted: (0..granted)
            .map(|_| answer.number())
            .collect::<Result<_, _>>()?,
    }))
}

fn trouble(answer: &mut Answer) -> Result<TroubleView, StoreError> {
    Ok(TroubleView {
        error: answer.text()?,
        first_at: answer.number()?,
        last_at: answer.number()?,
        worker: answer.text()?,
    })
}

fn absent(answer: &mut Answer) -> Result<Vec<(u64, u64)>, StoreError> {
    (0..answer.number()?)
        .map(|_| Ok((answer.number()?, answer.number()?)))
        .collect()
}

fn held(answer: &mut Answer) -> Result<Vec<HeldView>, StoreError> {
    (0..answer.number()?)
        .map(|_| {
            Ok(HeldView {
                seq: answer.number()?,
                id: answer.id()?.as_str().to_owned(),
                since: answer.number()?,
                bytes: answer.number()?,
            })
        })
        .collect()
}

fn dead(answer: &mut Answer) -> Result<Vec<DeadView>, StoreError> {
    (0..answer.number()?)
        .map(|_| {
            Ok(DeadView {
                epoch: answer.number()?,
                seq: answer.number()?,
                id: answer.id()?.as_str().to_owned(),
                cause: cause(answer)?.as_str().to_owned(),
                error: answer.text()?,
                attempts: answer.small()?,
                at: answer.number()?,
                replay: answer.flag()?,
            })
        })
        .collect()
}
