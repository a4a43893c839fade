//! Random definitions that compile, of the whole language.

use serde_json::{Map, Value, json};
use tenure_adapter::{Catalog, EffectClass, Manifest, RetryDefault};

use super::object;
use crate::random::Random;

/// Composite tasks inside composite tasks of a random definition, at most.
const DEPTH_MAX: u32 = 3;

/// One function per effect class, so that every path of a call is walked.
#[must_use]
pub fn catalog() -> Catalog {
    let manifest = |name: &str, class| Manifest {
        name: name.to_owned(),
        version: "1.0.0".to_owned(),
        summary: "A function of the test world.".to_owned(),
        connection: None,
        input: json!({ "type": "object" }),
        output: json!({}),
        errors: Vec::new(),
        class,
        money: false,
        deadline_ms: 1_000,
        settle_ms: 500,
        retry: RetryDefault { retries_max: 2, delay_ms: 100 },
    };
    Catalog::new([
        manifest("world.keyed", EffectClass::Keyed { key_life_ms: 60_000 }),
        manifest("world.natural", EffectClass::Natural),
        manifest("world.lookup", EffectClass::Lookup),
        manifest("world.once", EffectClass::AtMostOnce),
        manifest("world.often", EffectClass::AtLeastOnce),
    ])
}

/// A random definition that compiles, as JSON (which is YAML).
#[must_use]
pub fn definition(random: &mut Random) -> Value {
    let mut writer = Writer { random, counter: 0, in_catch: 0, has_functions: false };
    let mut document = json!({
        "dsl": "1.0.3", "namespace": "world", "name": "random", "version": "1.0.0",
    });
    if let Some(metadata) = writer.document_metadata() {
        document["metadata"] = metadata;
    }
    let uses = writer.uses();
    let body: Vec<Value> = (0..6 + writer.random.below(5)).map(|_| writer.top()).collect();
    let mut definition = json!({ "document": document, "use": uses, "do": body });
    if writer.random.one_in(8) {
        definition["timeout"] = json!({ "after": { "minutes": 2 } });
    }
    definition
}

/// Writes tasks, each with a name of its own.
struct Writer<'r> {
    random: &'r mut Random,
    counter: u32,
    /// How many handlers of catches are around: some functions belong there only.
    in_catch: u32,
    /// Whether tasks may call the definition's functions: not inside these.
    has_functions: bool,
}

/// Names in `use.functions`.
const FUNCTIONS: [&str; 2] = ["first", "second"];

impl Writer<'_> {
    /// Functions that the tasks call, and sometimes an extension that runs beside them.
    fn uses(&mut self) -> Value {
        let mut functions = Map::new();
        for name in FUNCTIONS {
            let Value::Object(task) = self.task(1) else { continue };
            functions.extend(task.into_iter().map(|(_, task)| (name.to_owned(), task)));
        }
        let mut uses = json!({ "functions": functions });
        if self.random.one_in(3) {
            let extend = *self.random.pick(&["all", "call", "do", "try", "wait", "listen", "set"]);
            let mut extension = json!({ "extend": extend });
            if self.random.one_in(2) {
                extension["when"] = json!("${ $task.name != null }");
            }
            let before = self.random.one_in(2);
            if before || self.random.one_in(2) {
                extension["before"] = json!([self.task(0)]);
            }
            if !before || self.random.one_in(2) {
                extension["after"] = json!([self.task(0)]);
            }
            uses["extensions"] = json!([{ "beside": extension }]);
        }
        self.has_functions = true;
        uses
    }

    fn document_metadata(&mut self) -> Option<Value> {
        match self.random.below(8) {
            0 => Some(json!({ "exclusive": "world-${ .n }" })),
            1 => {
                Some(json!({ "businessKey": { "key": "${ \"key-\\(.n)\" }", "policy": "queue" } }))
            }
            2 => Some(json!({ "onCancel": "compensate" })),
            3 => Some(json!({ "expect": { "seconds": 10 } })),
            _ => None,
        }
    }

    /// A task of the top: most of them are guarded, so that a world does not end with its first
    /// error.
    fn top(&mut self) -> Value {
        let task = self.task(DEPTH_MAX);
        if self.random.one_in(4) {
            return task;
        }
        self.counter += 1;
        let name = format!("g{}", self.counter);
        json!({ name: { "try": [task], "catch": {} } })
    }

    fn block(&mut self, depth: u32) -> Vec<Value> {
        (0..2 + self.random.below(3)).map(|_| self.task(depth)).collect()
    }

    fn task(&mut self, depth: u32) -> Value {
        self.counter += 1;
        let name = format!("t{}", self.counter);
        let mut task = if depth > 0 && self.random.one_in(2) {
            self.composite(depth - 1)
        } else {
            self.simple()
        };
        if self.random.one_in(8) {
            task.insert("if".to_owned(), json!("${ . != null }"));
        }
        if self.random.one_in(10) {
            task.insert(
                "input".to_owned(),
                json!({ "from": "${ { n: 1, was: . } | .was |= type }" }),
            );
        }
        if self.random.one_in(6) {
            task.insert("timeout".to_owned(), json!({ "after": { "seconds": 20 } }));
        }
        if self.random.one_in(10) {
            task.insert("output".to_owned(), json!({ "as": "${ { out: (. | type) } }" }));
        }
        if self.random.one_in(3) {
            let export = format!("${{ $context + {{ {name}: $runtime.name }} }}");
            task.insert("export".to_owned(), json!({ "as": export }));
        }
        if self.random.one_in(40) {
            task.insert("then".to_owned(), json!(self.random.pick(&["exit", "end", "continue"])));
        }
        if let Some((key, value)) = self.metadata(&task) {
            let metadata = task.entry("metadata").or_insert_with(|| json!({}));
            metadata[key] = value;
        }
        json!({ name: task })
    }

    fn metadata(&mut self, task: &Map<String, Value>) -> Option<(&'static str, Value)> {
        if task.contains_key("do") && !task.contains_key("for") && self.random.one_in(4) {
            return Some(("exclusive", json!("world-lock")));
        }
        let called = task.get("call").and_then(Value::as_str);
        if called.is_some_and(|name| name.starts_with("world.")) && self.random.one_in(3) {
            let undo = json!([
                { "undo": self.call(&json!({ "undo": true })) },
                { "note": { "set": { "undone": true } } },
            ]);
            return Some(("compensate", undo));
        }
        self.random.one_in(12).then(|| ("expect", json!({ "seconds": 3 })))
    }

    fn call(&mut self, with: &Value) -> Value {
        let class = *self.random.pick(&["keyed", "natural", "lookup", "once", "often"]);
        let mut call = json!({ "call": format!("world.{class}:1.0.0@default"), "with": with });
        if class == "often" {
            call["metadata"] = json!({ "effect": "at-least-once" });
        }
        call
    }

    fn simple(&mut self) -> Map<String, Value> {
        let number = self.counter;
        if self.has_functions && self.random.one_in(8) {
            let name = self.random.pick(&FUNCTIONS);
            return object(json!({ "call": name, "with": { "n": number } }));
        }
        let task = match self.random.below(27) {
            0..=2 => json!({ "set": { "n": number, "seen": "${ $context }" } }),
            3..=11 => self.call(&json!({ "n": number })),
            12..=14 => json!({ "wait": { "seconds": 5 } }),
            15..=19 => return self.listen(),
            20..=22 => {
                json!({ "emit": { "event": { "with": { "type": "world.emitted", "data": { "n": number } } } } })
            }
            23 | 24 => self.ask(),
            25 if self.in_catch > 0 => {
                let own = self.random.pick(&["engine.compensate", "engine.rethrow"]);
                json!({ "call": format!("{own}:1.0.0@default") })
            }
            _ => json!({ "raise": { "error": {
                "type": "urn:world:raised", "status": 500, "title": "Raised",
            } } }),
        };
        object(task)
    }

    fn listen(&mut self) -> Map<String, Value> {
        let filter = |kind: &str| json!({ "with": { "type": kind } });
        let correlated = |kind: &str| {
            json!({
                "with": { "type": kind },
                "correlate": { "n": { "from": ".data.n", "expect": "${ 7 }" } },
            })
        };
        let to = match self.random.below(8) {
            0..=2 => json!({ "one": correlated("world.event") }),
            3 => json!({ "any": [ filter("world.one"), correlated("world.two") ] }),
            4 => json!({ "all": [ correlated("world.one"), correlated("world.two") ] }),
            5 => json!({ "any": [ correlated("world.one") ], "until": "${ length >= 2 }" }),
            6 => json!({
                "any": [ correlated("world.one"), filter("world.two") ],
                "until": { "one": correlated("world.stop") },
            }),
            _ => json!({ "any": [], "until": "${ length >= 2 }" }),
        };
        let mut task = json!({ "listen": { "to": to } });
        if self.random.one_in(3) {
            task["foreach"] = json!({
                "item": "heard",
                "at": "turn",
                "do": (0..=self.random.below(2)).map(|_| self.task(0)).collect::<Vec<_>>(),
            });
        }
        object(task)
    }

    /// A question to a person; one decision of two fits the form.
    fn ask(&mut self) -> Value {
        let mut with = json!({
            "title": format!("Question {}", self.counter),
            "form": { "type": "object", "properties": { "n": { "const": 7 } } },
        });
        if self.random.one_in(2) {
            with["due"] = json!({ "seconds": 30 });
        }
        json!({ "call": "human.task:1.0.0@default", "with": with })
    }

    fn composite(&mut self, depth: u32) -> Map<String, Value> {
        let task = match self.random.below(7) {
            0 => json!({ "do": self.block(depth) }),
            1 | 2 => self.guarded(depth),
            3 => {
                let branches: Vec<Value> =
                    (0..2 + self.random.below(2)).map(|_| self.task(depth)).collect();
                json!({ "fork": { "compete": self.random.one_in(2), "branches": branches } })
            }
            4 => json!({
                "for": { "each": "item", "in": "${ [1, 2] }" },
                "while": "${ $index < 2 }",
                "do": self.block(depth),
            }),
            5 => {
                let when = self.random.pick(&["${ . == null }", "${ . != null }", "${ true }"]);
                json!({ "switch": [
                    { "some": { "when": when, "then": "continue" } },
                    { "other": { "then": self.random.pick(&["exit", "continue"]) } },
                ] })
            }
            _ => json!({ "run": {
                "await": !self.random.one_in(4),
                "workflow": {
                    "namespace": "world", "name": "child", "version": "latest", "input": {},
                },
            } }),
        };
        object(task)
    }

    fn guarded(&mut self, depth: u32) -> Value {
        let body = self.block(depth);
        let mut catch = Map::new();
        if self.random.one_in(3) {
            catch.insert("errors".to_owned(), json!({ "with": { "status": 500 } }));
        }
        if self.random.one_in(2) {
            let backoff = self.random.pick(&["constant", "linear", "exponential"]);
            let mut retry = json!({
                "delay": { "seconds": 1 },
                "backoff": { *backoff: {} },
                "jitter": { "from": { "milliseconds": 10 }, "to": { "seconds": 1 } },
                "limit": { "attempt": { "count": 2 } },
            });
            if self.random.one_in(2) {
                retry["limit"]["attempt"]["duration"] = json!({ "seconds": 30 });
                retry["limit"]["duration"] = json!({ "minutes": 1 });
            }
            catch.insert("retry".to_owned(), retry);
        }
        if self.random.one_in(2) {
            self.in_catch += 1;
            let handler = self.block(depth);
            self.in_catch -= 1;
            catch.insert("do".to_owned(), json!(handler));
        }
        json!({ "try": body, "catch": catch })
    }
}
