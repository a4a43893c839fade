//! Keys of payments. What may happen twice is looked at where calls are compiled.

use super::Checker;
use super::task::field;
use crate::plan::{Call, TaskId, TaskKind};
use crate::read::Node;
use crate::shape::jq::is_constant;

impl<'n> Checker<'n, '_> {
    pub(super) fn effects(&mut self) {
        let plan = self.plan;
        for task in &plan.tasks {
            if let TaskKind::Call(call) = &task.kind {
                self.effect(task.id, call);
            }
        }
    }

    fn effect(&mut self, id: TaskId, call: &Call) {
        let Some(node) = self.node(id) else { return };
        if call.function.money {
            self.money_key(node, &call.function.name);
        }
    }

    /// A constant key makes all runs one payment.
    fn money_key(&mut self, node: &'n Node, name: &str) {
        let Some(key) = field(node, &["metadata", "idempotencyKey"]) else { return };
        let Some((_, term)) = self.code(key) else { return };
        if is_constant(&term) {
            self.report
                .error("unsafe-money", &key.at, format!("all runs would share one key at `{name}`"))
                .label("reads nothing of the run")
                .help("put the business's own number into the key, or leave it to the server");
        }
    }
}
