//! For explorations: an engine is a plain value, but some of its numbers only ever grow. Whoever explores all states
//! renames them, so that states that differ in nothing else are one.

use super::Engine;
use super::pending::{Pending, PendingKind};
use crate::protocol::{Fence, KeyState, Millis};
use crate::store::Listing;

/// Changes what an engine knows of fences and times.
#[doc(hidden)]
pub trait Visitor {
    /// A fence.
    fn fence(&mut self, fence: &mut Fence);
    /// A state of a key.
    fn state(&mut self, state: &mut KeyState);
    /// Where a key is listed.
    fn listing(&mut self, listing: &mut Listing);
    /// When a worker was told the mail of a key.
    fn told_at(&mut self, at: &mut Millis);
}

impl<D> Engine<D> {
    /// Shows the visitor every fence, state and listing.
    #[doc(hidden)]
    pub fn visit(&mut self, visitor: &mut impl Visitor) {
        for actor in self.keys.values_mut() {
            if let Some(own) = &mut actor.ownership {
                visitor.fence(&mut own.fence);
                visitor.fence(&mut own.body_fence);
                visitor.state(&mut own.state);
                visitor.listing(&mut own.listing);
                visitor.told_at(&mut own.told_at);
            }
            if let Some(save) = &mut actor.in_doubt {
                save.visit(visitor);
            }
        }
        self.shared.watermarks.visit(visitor);
    }

    /// Counts runs and ticks anew. To be called when no run is under way but those that the engine knows; `renamed` is
    /// told the old number of each and the new one.
    #[doc(hidden)]
    pub fn renumber(&mut self, mut renamed: impl FnMut(u64, u64)) {
        self.shared.next_run = 0;
        for key in self.keys.sorted_keys() {
            let run = self.keys.get_mut(&key).and_then(|actor| actor.run.as_mut());
            if let Some(number) = run {
                renamed(*number, self.shared.next_run);
                *number = self.shared.next_run;
                self.shared.next_run += 1;
            }
        }
        self.overflow.renumber();
    }
}

impl<D> Pending<D> {
    /// As [`Engine::visit`].
    #[doc(hidden)]
    pub fn visit(&mut self, visitor: &mut impl Visitor) {
        if let PendingKind::Save(save) = &mut self.kind {
            save.visit(visitor);
        }
    }
}

impl<D> super::pending::PendingSave<D> {
    fn visit(&mut self, visitor: &mut impl Visitor) {
        visitor.state(&mut self.next);
        visitor.listing(&mut self.listing);
    }
}
