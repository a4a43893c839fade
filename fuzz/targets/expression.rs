//! Any text as an expression, on a document that reaches all types: a value or an error.
#![no_main]

use std::borrow::Cow;

use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use tenure_definition::expression::{Expression, STACK_BYTES, Scope};

struct Context;

impl Scope for Context {
    fn get(&self, _name: &str) -> Option<Cow<'_, Value>> {
        Some(Cow::Owned(json!({"a": 1, "s": "text"})))
    }
}

fn input() -> Value {
    json!({"a": [1, 2.5, null, true, "x"], "b": {"c": [{"d": "2026-01-31T00:00:00Z"}]}, "n": 3})
}

fuzz_target!(|text: String| {
    // The engine evaluates on threads with this stack, so the target does too.
    let run = move || {
        if let Ok(expression) = Expression::new(&text, &["context"]) {
            let _counted = expression.outputs();
            let _read = expression.reads();
            let _value = expression.eval(&input(), &Context);
        }
    };
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(run);
    thread.expect("a thread").join().expect("no panic");
});
