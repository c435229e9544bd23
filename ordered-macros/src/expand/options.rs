use std::time::Duration;

use proc_macro2::{Literal, TokenStream};
use quote::quote;
use syn::ext::IdentExt;

use crate::choices::{OnExhausted, OnGap, OnPassed, OnRepeat, OnStateLoss, Order, Start};
use crate::model::Model;

pub(crate) fn options(model: &Model, private: &TokenStream) -> TokenStream {
    let given = &model.options;
    let group = match &given.group {
        Some(group) => group.value(),
        None => model.name.unraw().to_string(),
    };
    let duration = |duration: Duration| {
        let milliseconds = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        quote!(#private::millis(#milliseconds))
    };
    let mut lines = TokenStream::new();
    let mut assign = |field: TokenStream, value: Option<TokenStream>| {
        if let Some(value) = value {
            lines.extend(quote!(__options.#field = #value;));
        }
    };
    let number = |number: u64| {
        let number = Literal::u64_unsuffixed(number);
        quote!(#number)
    };
    // A base above the default cap raises the cap with it.
    let cap = given.max_backoff.map(duration).or_else(|| {
        given
            .backoff
            .is_some()
            .then(|| quote!(#private::max(__options.backoff.base, __options.backoff.cap)))
    });
    let coalesce = given.coalesce.unwrap_or(false);
    let order = given.order.map(|order| match order {
        Order::Sequence => quote!(#private::Order::Sequence),
        Order::Arrival => quote!(#private::Order::Arrival),
        Order::Lamport => quote!(#private::Order::Lamport),
        Order::Causal => quote!(#private::Order::Causal),
        Order::Monotonic => quote!(#private::Order::Monotonic { coalesce: #coalesce }),
    });
    assign(quote!(policy.order), order);
    assign(
        quote!(policy.max_producers),
        given.max_producers.map(number),
    );
    assign(
        quote!(policy.producer_lease),
        given.producer_lease.map(duration),
    );
    let max_delay = given.max_delay.map(duration);
    let max_delay = max_delay.map(|delay| quote!(#private::Some(#delay)));
    assign(quote!(policy.max_delay), max_delay);
    assign(quote!(timeout), given.timeout.map(duration));
    assign(quote!(backoff.base), given.backoff.map(duration));
    assign(quote!(backoff.cap), cap);
    assign(quote!(lane_backoff), given.lane_backoff.map(duration));
    let on_exhausted = given.on_exhausted.map(|then| match then {
        OnExhausted::Halt => quote!(#private::OnExhausted::Halt),
        OnExhausted::DeadLetter => quote!(#private::OnExhausted::DeadLetter),
    });
    assign(quote!(on_exhausted), on_exhausted);
    let on_state_loss = given.on_state_loss.map(|then| match then {
        OnStateLoss::Stop => quote!(#private::OnStateLoss::Stop),
        OnStateLoss::Adopt => quote!(#private::OnStateLoss::Adopt),
    });
    assign(quote!(on_state_loss), on_state_loss);
    let passed = |then| match then {
        OnPassed::DeadLetter => quote!(#private::OnPassed::DeadLetter),
        OnPassed::Drop => quote!(#private::OnPassed::Drop),
    };
    assign(quote!(on_late), given.on_late.map(passed));
    assign(quote!(on_stale), given.on_stale.map(passed));
    let on_repeat = given.on_repeat.map(|then| match then {
        OnRepeat::Skip => quote!(#private::OnRepeat::Skip),
        OnRepeat::Conflict => quote!(#private::OnRepeat::Conflict),
    });
    assign(quote!(on_repeat), on_repeat);
    let after = duration(given.gap_timeout.unwrap_or_default());
    let on_gap = given.on_gap.map(|then| match then {
        OnGap::Wait => quote!(#private::GapPolicy::Wait),
        OnGap::Skip => quote!(#private::GapPolicy::Skip { after: #after }),
        OnGap::Halt => quote!(#private::GapPolicy::Halt { after: #after }),
        OnGap::Repair => quote!(#private::GapPolicy::Repair { after: #after }),
    });
    assign(quote!(policy.on_gap), on_gap);
    assign(quote!(policy.stuck_after), given.stuck_after.map(duration));
    let give_up_after = given.give_up_after.map(|after| match after.map(duration) {
        Some(after) => quote!(#private::Some(#after)),
        None => quote!(#private::None),
    });
    assign(quote!(policy.give_up_after), give_up_after);
    let max_attempts = given.max_attempts.map(number);
    let max_attempts = max_attempts.map(|most| quote!(#private::Some(#most)));
    assign(quote!(policy.max_attempts), max_attempts);
    assign(quote!(policy.max_crashes), given.max_crashes.map(number));
    assign(quote!(policy.dedup_ttl), given.dedup_ttl.map(duration));
    assign(quote!(policy.key_quota.events), given.max_held.map(number));
    let settle = given
        .settle
        .map(duration)
        .unwrap_or_else(|| quote!(#private::Start::SETTLE));
    let start = given.start.map(|start| match start {
        Start::FirstSeq => quote!(#private::Start::FirstSeq),
        Start::FirstSeen => quote!(#private::Start::FirstSeen { settle: #settle }),
    });
    assign(quote!(policy.start), start);
    assign(quote!(policy.first_seq), given.first_seq.map(number));
    // What makes lanes deeper comes before what says how deep they are.
    let ahead = [
        (quote!(set_batch), given.batch),
        (quote!(set_commit_window), given.commit_window),
    ];
    for (set, events) in ahead {
        let events = events.map(number);
        lines.extend(events.map(|events| quote!(__options.#set(#events);)));
    }
    let depth = given.lane_depth.map(number);
    lines.extend(depth.map(|depth| quote!(__options.policy.lane_depth = #depth;)));
    quote! {
        fn options(&self) -> #private::HandlerOptions {
            #[allow(unused_mut)]
            let mut __options = #private::HandlerOptions::new(#group);
            #lines
            __options
        }
    }
}
