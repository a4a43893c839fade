//! Effects in the world: what may happen twice must be known to the author, and money never may.

use tenure_adapter::EffectClass;

use super::Checker;
use super::task::field;
use crate::plan::{Call, TaskId, TaskKind};
use crate::read::Node;
use crate::shape::jq::is_constant;

/// What an author writes to accept that a call may be made twice.
const DECLARATION: &str = "at-least-once";

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
        let Some(place) = node.get("call").map(|entry| entry.node.at.clone()) else { return };
        let declared = field(node, &["metadata", "effect"]);
        let name = &call.function.name;
        let doubled = matches!(call.function.class, EffectClass::AtLeastOnce);
        if doubled && call.function.money {
            self.report
                .error("unsafe-money", &place, format!("`{name}` moves money and may do so twice"))
                .label("neither a key nor a look-up protects it")
                .help("call a function whose class is keyed, lookup or at-most-once");
        } else if doubled && declared.and_then(Node::text) != Some(DECLARATION) {
            self.report
                .error("undeclared-effect", &place, format!("`{name}` may happen twice"))
                .label("its class is at-least-once")
                .help("say that this is acceptable: `metadata: {effect: at-least-once}`");
        }
        if let Some(declared) = declared
            && !doubled
        {
            self.report
                .error("bad-value", &declared.at, format!("`{name}` never happens twice"))
                .help("remove `effect`: it is for functions of the class at-least-once");
        }
        if call.function.money {
            self.money_key(node, name);
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
