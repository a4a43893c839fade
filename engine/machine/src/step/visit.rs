//! How often a position was visited: a part of the key of every effect, so that a new visit is a new
//! effect.
//!
//! A position inside a loop has the number of the turn in it, so it never comes back once the turn is
//! over: its count lives in the turn and goes with it. Or a loop that never ends would grow for ever. A
//! loop that is entered again counts on, by its round.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::mover::Mover;
use crate::FrameId;
use crate::instance::{Activity, Effect};
use crate::limit::REFUSED_KEYS_MAX;

impl Mover<'_> {
    /// The number of this visit of a position; the next visit gets the next number.
    pub(super) fn visit(&mut self, parent: Option<FrameId>, position: &str) -> u32 {
        let visit = self.visits_of(parent, position);
        self.set_visits(parent, position.to_owned(), visit + 1);
        visit
    }

    /// How often the effect at a position was resolved.
    pub(super) fn visits_of(&mut self, parent: Option<FrameId>, position: &str) -> u32 {
        // An instance of before has counted all of them in one place.
        let before = self.instance.visits.get(position).copied().unwrap_or(0);
        before.max(self.counts(parent).get(position).copied().unwrap_or(0))
    }

    pub(super) fn set_visits(&mut self, parent: Option<FrameId>, position: String, visits: u32) {
        self.counts(parent).insert(position, visits);
    }

    /// Where the visits of a place are counted: in the turn of the innermost loop around it, or in what is being
    /// undone there.
    fn counts(&mut self, parent: Option<FrameId>) -> &mut BTreeMap<String, u32> {
        let mut next = parent;
        while let Some(id) = next {
            let frame = self.frame(id);
            let counts_itself = match &frame.activity {
                Activity::For { .. } => true,
                Activity::Listen { turns, .. } => {
                    turns.as_ref().is_some_and(|turns| turns.current.is_some())
                }
                // Begun again after a cancellation, it counts on.
                Activity::Compensating { left, .. } => !left.is_empty(),
                Activity::Do
                | Activity::Fork { .. }
                | Activity::Try { .. }
                | Activity::Call { .. }
                | Activity::Wait { .. }
                | Activity::Child { .. }
                | Activity::Locking
                | Activity::Function { .. }
                | Activity::Extended { .. }
                | Activity::Human { .. } => false,
            };
            if counts_itself {
                break;
            }
            next = frame.parent;
        }
        let Some(frame) = next.and_then(|id| self.instance.frames.get_mut(&id)) else {
            return &mut self.instance.visits;
        };
        match &mut frame.activity {
            Activity::For { visits, .. } => visits,
            Activity::Listen { turns: Some(turns), .. } => match &mut turns.current {
                Some(turn) => &mut turn.visits,
                None => &mut self.instance.visits,
            },
            Activity::Compensating { left, .. } => match left.first_mut() {
                Some(first) => &mut first.visits,
                None => &mut self.instance.visits,
            },
            Activity::Listen { turns: None, .. }
            | Activity::Do
            | Activity::Fork { .. }
            | Activity::Try { .. }
            | Activity::Call { .. }
            | Activity::Wait { .. }
            | Activity::Child { .. }
            | Activity::Locking
            | Activity::Function { .. }
            | Activity::Extended { .. }
            | Activity::Human { .. } => &mut self.instance.visits,
        }
    }

    /// The generation of an author's key that no vendor has refused yet.
    pub(super) fn generation_of(&self, authored: Uuid) -> u32 {
        let found = self.instance.refused.iter().find(|(key, _)| *key == authored);
        found.map_or(0, |(_, next)| *next)
    }

    /// A vendor has refused this generation for good: whoever computes this key again presents the
    /// next one, wherever in the instance that is.
    pub(super) fn key_is_refused(&mut self, effect: &Effect) {
        let Some(authored) = effect.authored else { return };
        let refused = &mut self.instance.refused;
        refused.retain(|(key, _)| *key != authored);
        refused.push((authored, effect.generation + 1));
        if refused.len() > REFUSED_KEYS_MAX {
            refused.remove(0);
        }
    }
}

/// How a turn of a loop is named in positions.
pub(super) fn turn_name(round: u32, index: usize) -> String {
    if round == 0 { index.to_string() } else { format!("{round}:{index}") }
}
