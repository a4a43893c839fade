//! A CloudEvent 1.0 in its JSON form.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tenure_definition::builtin;
use tenure_definition::expression::Scope;
use tenure_definition::plan::{Document, EventFilter};

use crate::instance::event_source;
use crate::lifecycle;
use crate::limit::JSON_DEPTH_MAX;
use crate::outside::is_deeper_than;

/// A CloudEvent. Extension attributes are kept as received.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CloudEvent {
    /// Always `1.0`.
    pub specversion: String,
    /// Unique within `source`; (source, id) is what duplicates are known by.
    pub id: String,
    /// URI reference of the sender.
    pub source: String,
    /// Kind of event.
    #[serde(rename = "type")]
    pub kind: String,
    /// All other attributes, and `data`.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl CloudEvent {
    /// An attribute by name; `data` counts as one.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<Value> {
        match name {
            "specversion" => Some(Value::String(self.specversion.clone())),
            "id" => Some(Value::String(self.id.clone())),
            "source" => Some(Value::String(self.source.clone())),
            "type" => Some(Value::String(self.kind.clone())),
            other => self.rest.get(other).cloned(),
        }
    }

    /// The event as a JSON object.
    #[must_use]
    pub fn envelope(&self) -> Value {
        let mut map = Map::new();
        map.insert("specversion".to_owned(), Value::String(self.specversion.clone()));
        map.insert("id".to_owned(), Value::String(self.id.clone()));
        map.insert("source".to_owned(), Value::String(self.source.clone()));
        map.insert("type".to_owned(), Value::String(self.kind.clone()));
        map.extend(self.rest.clone());
        Value::Object(map)
    }

    /// The event's data, `null` when it has none.
    #[must_use]
    pub fn data(&self) -> Value {
        self.rest.get("data").cloned().unwrap_or(Value::Null)
    }

    /// Whether type, attributes and data are what a filter asks for; correlations are not looked
    /// at.
    #[must_use]
    pub fn fits(&self, filter: &EventFilter, scope: &dyn Scope) -> bool {
        filter.event_type.as_ref().is_none_or(|wanted| *wanted == self.kind)
            && filter.with.iter().all(|(name, matcher)| {
                matcher.fits(&self.attribute(name).unwrap_or(Value::Null), scope)
            })
    }

    /// Whether the engine itself has published it for an instance of this definition: of its life,
    /// or of a person it asks. Such an event starts no instance of the same definition, which would
    /// publish the next one, for ever.
    #[must_use]
    pub fn is_told_of(&self, document: &Document) -> bool {
        let source = event_source(&document.namespace, &document.name);
        let asks = [builtin::HUMAN_TASK_OPENED, builtin::HUMAN_TASK_WITHDRAWN];
        lifecycle::is_of(self, &source)
            || (self.source == source && asks.contains(&self.kind.as_str()))
    }

    /// Checks the types of the other attributes, for events that are published: `time` is a
    /// timestamp, the optional ones of the standard are texts, further ones texts, booleans or
    /// whole numbers. Events from outside are taken as they come.
    ///
    /// # Errors
    /// Names the attribute that is wrong.
    pub fn check_types(&self) -> Result<(), String> {
        for (name, value) in self.rest.iter().filter(|(name, _)| *name != "data") {
            let fits = match (name.as_str(), value) {
                ("time", Value::String(text)) => text.parse::<Timestamp>().is_ok(),
                ("subject" | "datacontenttype" | "dataschema", Value::String(text)) => {
                    !text.is_empty()
                }
                ("time" | "subject" | "datacontenttype" | "dataschema", _) => false,
                (_, Value::String(_) | Value::Bool(_)) => true,
                (_, Value::Number(number)) => number.is_i64(),
                (_, Value::Null | Value::Array(_) | Value::Object(_)) => false,
            };
            if !fits {
                return Err(match name.as_str() {
                    "time" => {
                        format!("time must be a timestamp like 2027-01-31T12:00:00Z, not {value}")
                    }
                    "subject" | "datacontenttype" | "dataschema" => {
                        format!("{name} must be a text that is not empty, not {value}")
                    }
                    _ => format!(
                        "{name} must be a text, a boolean or a whole number; put the rest under data"
                    ),
                });
            }
        }
        Ok(())
    }

    /// Checks the required attributes.
    ///
    /// # Errors
    /// Names the attribute that is missing, empty or wrong.
    pub fn check(&self) -> Result<(), String> {
        if self.specversion != "1.0" {
            return Err(format!("specversion must be \"1.0\", not {:?}", self.specversion));
        }
        for (name, value) in [("id", &self.id), ("source", &self.source), ("type", &self.kind)] {
            if value.is_empty() {
                return Err(format!("{name} must not be empty"));
            }
            if value.chars().any(char::is_control) {
                return Err(format!("{name} must not hold control characters"));
            }
        }
        if self.rest.values().any(|value| is_deeper_than(value, JSON_DEPTH_MAX)) {
            return Err(format!("the event is nested deeper than {JSON_DEPTH_MAX}: flatten it"));
        }
        Ok(())
    }
}
