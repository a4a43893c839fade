//! `metadata`, of the document and of tasks: our extensions. Keys we do not know are the author's.

use jiff::tz::TimeZone;

use super::Parser;
use super::model::{Compensate, DocumentMetadata, TaskMetadata};
use crate::diagnostic::did_you_mean;
use crate::plan::{KeyPolicy, Lifecycle, OnCancel};
use crate::read::{Entry, Node, Yaml};

/// Most attributes an instance can be searched by.
const SEARCHABLE_MAX: usize = 16;

/// Keys of ours that belong to a task and do nothing on the document, and the other way round.
const OF_TASKS: [&str; 3] = ["idempotencyKey", "compensate", "effect"];
const OF_DOCUMENT: [&str; 7] =
    ["businessKey", "zone", "onCancel", "searchable", "sensitive", "lifecycle", "migrateFrom"];

impl Parser<'_> {
    /// `document.metadata`.
    pub(super) fn document_metadata<'n>(&mut self, node: &'n Node) -> DocumentMetadata<'n> {
        let mut read = DocumentMetadata::default();
        if self.object_of_any(node, "metadata").is_none() {
            return read;
        }
        self.misplaced(node, &OF_TASKS, "a task");
        if let Some(zone) = node.get("zone")
            && let Some(name) = self.text(&zone.node, "zone")
        {
            read.zone = Some(&zone.node);
            if TimeZone::get(name).is_err() {
                self.report
                    .error("bad-value", &zone.node.at, format!("`{name}` is not a time zone"))
                    .help("use an IANA name like Europe/Berlin");
            }
        }
        if let Some(entry) = node.get("businessKey") {
            self.business_key(&entry.node, &mut read);
        }
        read.exclusive = self.lock_name(node);
        read.expect = self.expect(node);
        if let Some(word) = self.word(node, "onCancel", &["stop", "compensate"]) {
            read.on_cancel =
                if word == "compensate" { OnCancel::Compensate } else { OnCancel::Stop };
        }
        read.lifecycle = match self.word(node, "lifecycle", &["off", "workflow", "tasks"]) {
            Some("workflow") => Lifecycle::Workflow,
            Some("tasks") => Lifecycle::Tasks,
            Some(_) | None => Lifecycle::Off,
        };
        read.searchable = self.searchable(node);
        if let Some(entry) = node.get("sensitive") {
            for item in self.list(&entry.node, "sensitive") {
                read.sensitive.extend(self.text(item, "a sensitive field").map(str::to_owned));
            }
        }
        if let (KeyPolicy::Queue, Some(exclusive)) = (read.business_key_policy, read.exclusive) {
            self.report
                .error(
                    "bad-value",
                    &exclusive.at,
                    "`exclusive` and the policy `queue` exclude each other",
                )
                .label("one lock for the whole instance is enough")
                .help(
                    "use `exclusive` with the business key in its name, and leave the policy away",
                );
        }
        self.metadata_without_effect(node, &["migrateFrom"]);
        read
    }

    /// An expression, or `{key, policy}`.
    fn business_key<'n>(&mut self, node: &'n Node, read: &mut DocumentMetadata<'n>) {
        if node.text().is_some() {
            read.business_key = Some(node);
            return;
        }
        if self.object(node, "businessKey", &["key", "policy"]).is_none() {
            return;
        }
        read.business_key = self.required(node, "key", "businessKey");
        let words = ["allow", "reject", "return-existing", "queue"];
        read.business_key_policy = match self.word(node, "policy", &words) {
            Some("reject") => KeyPolicy::Reject,
            Some("return-existing") => KeyPolicy::ReturnExisting,
            Some("queue") => KeyPolicy::Queue,
            Some(_) | None => KeyPolicy::Allow,
        };
    }

    /// The name of a lock: text, mostly with `${ }` in it.
    fn lock_name<'n>(&mut self, node: &'n Node) -> Option<&'n Node> {
        let entry = node.get("exclusive")?;
        self.text(&entry.node, "exclusive").map(|_| &entry.node)
    }

    /// A duration, or `{within: duration}`.
    fn expect<'n>(&mut self, node: &'n Node) -> Option<&'n Node> {
        let entry = node.get("expect")?;
        if entry.node.get("within").is_none() {
            return Some(&entry.node);
        }
        self.object(&entry.node, "expect", &["within"])?;
        entry.node.get("within").map(|within| &within.node)
    }

    fn searchable<'n>(&mut self, node: &'n Node) -> Vec<&'n Entry> {
        let Some(entry) = node.get("searchable") else { return Vec::new() };
        let entries = self.object_of_any(&entry.node, "searchable").unwrap_or_default();
        if entries.len() > SEARCHABLE_MAX {
            self.report.error(
                "too-large",
                &entry.at,
                format!("more than {SEARCHABLE_MAX} searchable attributes"),
            );
        }
        let mut kept: Vec<&Entry> = entries.iter().collect();
        kept.sort_by(|one, other| one.key.cmp(&other.key));
        kept
    }

    /// A text that is one of some words.
    fn word<'n>(&mut self, parent: &'n Node, key: &str, known: &[&str]) -> Option<&'n str> {
        let entry = parent.get(key)?;
        let text = self.text(&entry.node, key)?;
        if known.contains(&text) {
            return Some(text);
        }
        let near = did_you_mean(text, known.iter().copied());
        self.report
            .error("bad-value", &entry.node.at, format!("`{text}` is no value of `{key}`"))
            .help(near.unwrap_or_else(|| format!("use one of {}", known.join(", "))));
        None
    }

    /// Keys of ours at a place where they would do nothing.
    fn misplaced(&mut self, node: &Node, keys: &[&str], place: &str) {
        for entry in keys.iter().filter_map(|key| node.get(key)) {
            self.report
                .error("unknown-field", &entry.at, format!("`{}` belongs to {place}", entry.key))
                .label("it would do nothing here")
                .help(format!("move it to the metadata of {place}"));
        }
    }

    /// `metadata` of a task.
    pub(super) fn task_metadata<'n>(
        &mut self,
        metadata: &'n Node,
        task: &Node,
    ) -> TaskMetadata<'n> {
        let mut read = TaskMetadata::default();
        if self.object_of_any(metadata, "metadata").is_none() {
            return read;
        }
        self.misplaced(metadata, &OF_DOCUMENT, "the document");
        if let Some(entry) = metadata.get("idempotencyKey") {
            if task.get("call").is_some() {
                read.idempotency_key =
                    self.text(&entry.node, "idempotencyKey").map(|_| &entry.node);
            } else {
                self.report
                    .error("unknown-field", &entry.at, "only a `call` has an idempotency key")
                    .label("this task calls nothing");
            }
        }
        if let Some(entry) = metadata.get("exclusive") {
            if task.get("do").is_some() && task.get("for").is_none() {
                read.exclusive = self.lock_name(metadata);
            } else {
                self.report
                    .error(
                        "unknown-field",
                        &entry.at,
                        "only a `do` or the document can be exclusive",
                    )
                    .label("this task takes no lock")
                    .help("put the tasks that need the lock into one `do`");
            }
        }
        read.expect = self.expect(metadata);
        read.compensate = self.compensate(metadata);
        read
    }

    /// A list of tasks, or the name of a function.
    fn compensate<'n>(&mut self, metadata: &'n Node) -> Option<Compensate<'n>> {
        let entry = metadata.get("compensate")?;
        match &entry.node.value {
            Yaml::List(_) => Some(Compensate::Tasks(self.block(&entry.node, "compensate"))),
            Yaml::Text(_) => Some(Compensate::Function(&entry.node)),
            Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) | Yaml::Map(_) => {
                let expected = "a list of tasks, or the name of a function that takes the output";
                self.wrong_type(&entry.node, "compensate", expected);
                None
            }
        }
    }
}
