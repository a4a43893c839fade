//! Who directs a local run from outside: answers its calls, sends events at virtual times, hears
//! every fact. `tenure test` is one; a plain run has one that does nothing.

use jiff::{SignedDuration, Timestamp};
use tenure_adapter::{EffectClass, Lookup, Outcome, Problem};
use tenure_definition::plan::Document;
use tenure_machine::{CloudEvent, Entry, InstanceId, Intent};

/// Directs one run. All methods are asked in the order of the run, never at once.
pub trait Director: Send {
    /// Answers an attempt or a look-up that is about to leave.
    fn call(&mut self, _asked: &Asked<'_>) -> Answer {
        Answer::Adapter
    }

    /// Hears a fact of an instance, in order, once it is part of the state.
    fn hear(&mut self, _told: &Told<'_>) {}

    /// What happens next from outside, and when; asked whenever the run stands still. An act that
    /// is due now is taken by this call.
    fn next(&mut self, _scene: &Scene<'_>) -> Next {
        Next::Nothing
    }

    /// Which of `ready` things that happen at the same time comes first.
    fn pick(&mut self, _ready: usize) -> usize {
        0
    }

    /// Whether the next thing is delivered a second time, as any delivery may be.
    fn doubles(&mut self) -> bool {
        false
    }

    /// Whether what is under way when the first instance ends is played on as far as it needs no
    /// time: its children hear of a cancellation, for one.
    fn lingers(&self) -> bool {
        false
    }
}

/// Leaves a run to itself.
#[derive(Debug)]
pub(super) struct Nobody;

impl Director for Nobody {}

/// An attempt or a look-up.
#[derive(Debug)]
pub struct Asked<'a> {
    /// Which instance asks.
    pub instance: InstanceId,
    /// What it asks for.
    pub intent: &'a Intent,
    /// Whether it asks only whether the effect happened.
    pub is_look_up: bool,
    /// How the function protects itself against doubling.
    pub class: EffectClass,
    /// Whether it needs no vendor: without a connection, and natural.
    pub is_local: bool,
    /// When.
    pub at: Timestamp,
}

/// What becomes of a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The adapter is asked, as always.
    Adapter,
    /// This comes back, so much later.
    Reply {
        /// What.
        reply: Reply,
        /// How much later. An attempt that takes longer than its deadline comes back as unknown.
        takes: SignedDuration,
    },
    /// The run ends with this problem.
    Stop(Problem),
}

/// What comes back of a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// Of an attempt.
    Outcome(Outcome),
    /// Of a look-up.
    Lookup(Lookup),
}

/// A fact with its circumstances.
#[derive(Debug)]
pub struct Told<'a> {
    /// Whose.
    pub instance: InstanceId,
    /// Of which definition.
    pub document: &'a Document,
    /// Whether it is the first instance of the run.
    pub is_root: bool,
    /// When.
    pub at: Timestamp,
    /// What.
    pub entry: &'a Entry,
}

/// How the world stands.
#[derive(Debug)]
pub struct Scene<'a> {
    /// Now.
    pub at: Timestamp,
    /// Types of the events that are waited for; `None` waits for any.
    pub waiting: &'a [Option<String>],
}

/// What happens next from outside.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// Nothing, unless something else happens first.
    Nothing,
    /// Something, then.
    At(Timestamp),
    /// This event is published now.
    Publish(CloudEvent),
    /// The first instance is told to stop now.
    Cancel {
        /// Why.
        reason: String,
    },
    /// The run is over, as it stands.
    End,
    /// The run ends with this problem.
    Stop(Problem),
}
