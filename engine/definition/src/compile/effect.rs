//! `metadata.effect`: what the author declares about doubling where the adapter cannot know.

use jiff::{SpanRelativeTo, Unit};
use serde_json::Value;
use tenure_adapter::{EffectClass, Manifest};

use super::Compiler;
use crate::diagnostic::did_you_mean;
use crate::parse::model;
use crate::read::{Entry, Node, Yaml};
use crate::time::read_span;

/// The words of `metadata.effect`.
const WORDS: [&str; 4] = ["natural", "at-least-once", "at-most-once", "keyed"];
/// Longest name of a header.
const HEADER_MAX: usize = 256;

/// What a call's `metadata.effect` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing.
    Silent,
    /// A class; `keyed` with the header that carries the key.
    Declared(EffectClass, Option<String>),
    /// A finding was made.
    Wrong,
}

impl Compiler<'_, '_> {
    /// Reads `metadata.effect` of a task.
    pub(super) fn effect(&mut self, task: &model::Task<'_>) -> Effect {
        let Some(entry) = effect_entry(task) else { return Effect::Silent };
        let node = &entry.node;
        match &node.value {
            Yaml::Text(text) => {
                match text.as_str() {
                    "natural" => return Effect::Declared(EffectClass::Natural, None),
                    "at-least-once" => return Effect::Declared(EffectClass::AtLeastOnce, None),
                    "at-most-once" => return Effect::Declared(EffectClass::AtMostOnce, None),
                    other => {
                        let near = did_you_mean(other, WORDS);
                        let message =
                            format!("`{other}` is no class of effects without parameters");
                        self.report.error("bad-value", &node.at, message).help(near.unwrap_or_else(|| {
                        "use natural, at-least-once, at-most-once, or {keyed: {header, life}}".to_owned()
                    }));
                    }
                }
            }
            Yaml::Map(entries) => match entries.as_slice() {
                [keyed] if keyed.key == "keyed" => {
                    return self.keyed(&keyed.node).unwrap_or(Effect::Wrong);
                }
                _ => {
                    self.report
                        .error("bad-value", &node.at, "the only class with parameters is `keyed`")
                        .help("write {keyed: {header: Idempotency-Key, life: P1D}}");
                }
            },
            Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) | Yaml::List(_) => {
                let message = format!("effect must be a class of effects, not {}", node.describe());
                self.report.error("wrong-type", &node.at, message);
            }
        }
        Effect::Wrong
    }

    fn keyed(&mut self, node: &Node) -> Option<Effect> {
        const HELP: &str = "write {keyed: {header: Idempotency-Key, life: P1D}}";
        let unknown =
            node.entries()?.iter().find(|entry| !["header", "life"].contains(&entry.key.as_str()));
        if let Some(entry) = unknown {
            let message = format!("keyed has no field `{}`", entry.key);
            self.report.error("unknown-field", &entry.at, message).help(HELP);
            return None;
        }
        let (Some(header), Some(life)) = (node.get("header"), node.get("life")) else {
            self.report
                .error("missing-field", &node.at, "keyed needs `header` and `life`")
                .label("which header carries the key, and how long the service remembers it")
                .help(HELP);
            return None;
        };
        let name = header.node.text().filter(|name| is_header(name));
        let Some(name) = name else {
            self.report
                .error("bad-value", &header.node.at, "this cannot be the name of a header")
                .help(HELP);
            return None;
        };
        match life_ms(&life.node.to_json()) {
            Ok(key_life_ms) => {
                Some(Effect::Declared(EffectClass::Keyed { key_life_ms }, Some(name.to_owned())))
            }
            Err(message) => {
                self.report.error("bad-duration", &life.node.at, message).help(HELP);
                None
            }
        }
    }

    /// Holds a declaration against the manifest of a function.
    pub(super) fn check_effect(
        &mut self,
        manifest: &Manifest,
        function: &Node,
        task: Option<&model::Task<'_>>,
        effect: &Effect,
    ) {
        let declared = match effect {
            Effect::Declared(class, _) => Some(*class),
            Effect::Silent => None,
            Effect::Wrong => return,
        };
        let at = task.and_then(effect_entry).map_or(&function.at, |entry| &entry.node.at);
        let often = manifest.class == EffectClass::AtLeastOnce;
        if manifest.money && (often || declared == Some(EffectClass::AtLeastOnce)) {
            let message = format!("{} moves money, and so never at least once", manifest.name);
            let place = if often { &function.at } else { at };
            self.report
                .error("unsafe-money", place, message)
                .label("it could be charged twice")
                .help("use a function that takes a key or can be looked up");
            return;
        }
        match declared {
            None if often => {
                let message = format!("{} may act twice after a lost answer", manifest.name);
                self.report
                    .error("undeclared-effect", &function.at, message)
                    .label("nobody has said that this is acceptable")
                    .help("if it is, write `metadata: {effect: at-least-once}`");
            }
            Some(class) if word(class) != word(manifest.class) => {
                let message =
                    format!("the effect of {} is {}", manifest.name, word(manifest.class));
                self.report
                    .error("bad-value", at, message)
                    .label("its adapter knows, and a declaration cannot change it")
                    .help("remove `effect`");
            }
            None | Some(_) => {}
        }
    }

    /// Only a call of the catalog has an effect of its own.
    pub(super) fn no_effect(&mut self, task: &model::Task<'_>, why: &str) {
        if let Some(entry) = effect_entry(task) {
            self.report
                .error("unknown-field", &entry.at, "only a call of the catalog has an effect")
                .label(why);
        }
    }
}

fn effect_entry<'n>(task: &model::Task<'n>) -> Option<&'n Entry> {
    task.metadata.and_then(|metadata| metadata.get("effect"))
}

fn word(class: EffectClass) -> &'static str {
    match class {
        EffectClass::Keyed { .. } => "keyed",
        EffectClass::Natural => "natural",
        EffectClass::Lookup => "lookup",
        EffectClass::AtMostOnce => "at-most-once",
        EffectClass::AtLeastOnce => "at-least-once",
    }
}

/// A token of HTTP.
fn is_header(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.len() <= HEADER_MAX && name.bytes().all(fits)
}

/// A life in milliseconds; a day has 24 hours, and months have no length of their own.
fn life_ms(value: &Value) -> Result<u64, String> {
    let span = read_span(value)?;
    let total = span
        .total((Unit::Millisecond, SpanRelativeTo::days_are_24_hours()))
        .map_err(|_| "the life of a key is given in days or shorter units".to_owned())?;
    std::time::Duration::try_from_secs_f64(total / 1000.0)
        .ok()
        .and_then(|life| u64::try_from(life.as_millis()).ok())
        .filter(|life| *life > 0)
        .ok_or_else(|| "the life of a key must be longer than nothing".to_owned())
}
