//! A list of tasks, a task's common fields, and the small tasks.

use std::collections::BTreeMap;

use super::Parser;
use super::model::{Kind, Run, Task};
use crate::diagnostic::did_you_mean;
use crate::read::{Entry, Node, Yaml};

/// Fields of every task.
const BASE: [&str; 7] = ["if", "input", "output", "export", "timeout", "then", "metadata"];

/// The key that makes a task what it is, with the further fields of that kind.
const KINDS: [(&str, &[&str]); 12] = [
    ("call", &["with"]),
    ("do", &[]),
    ("emit", &[]),
    ("for", &["while", "do"]),
    ("fork", &[]),
    ("listen", &["foreach"]),
    ("raise", &[]),
    ("run", &[]),
    ("set", &[]),
    ("switch", &[]),
    ("try", &["catch"]),
    ("wait", &[]),
];

/// Words with a meaning of their own in `then`.
pub(super) const DIRECTIVES: [&str; 3] = ["continue", "exit", "end"];

impl Parser<'_> {
    /// A list of named tasks.
    pub(super) fn block<'n>(&mut self, node: &'n Node, what: &str) -> Vec<Task<'n>> {
        let items = self.list(node, what);
        if node.items().is_some_and(<[Node]>::is_empty) {
            self.report
                .error("bad-value", &node.at, format!("{what} has no tasks"))
                .help("write at least one, as `- name: {...}`");
        }
        let mut lines: BTreeMap<&str, usize> = BTreeMap::new();
        let mut tasks = Vec::new();
        for item in items {
            let Some(entry) = self.only_entry(item, "a task") else { continue };
            if let Some(line) = lines.insert(&entry.key, entry.at.span.line) {
                self.report
                    .error(
                        "duplicate-task",
                        &entry.at,
                        format!("the task `{}` exists already", entry.key),
                    )
                    .label("the second one of this list")
                    .help(format!(
                        "the first one is on line {line}; `then` could not tell them apart"
                    ));
            }
            if DIRECTIVES.contains(&entry.key.as_str()) {
                self.report
                    .error(
                        "bad-value",
                        &entry.at,
                        format!("a task cannot be named `{}`", entry.key),
                    )
                    .help("the word has a meaning of its own in `then`; choose another name");
            }
            tasks.push(self.task(entry));
        }
        tasks
    }

    /// The one entry of a list item like `- name: {...}`.
    pub(super) fn only_entry<'n>(&mut self, item: &'n Node, what: &str) -> Option<&'n Entry> {
        match self.object_of_any(item, what)? {
            [entry] => Some(entry),
            [] => {
                self.report.error("bad-value", &item.at, format!("{what} needs a name"));
                None
            }
            [first, second, ..] => {
                self.report
                    .error(
                        "bad-value",
                        &second.at,
                        format!("{what} has one name, this one has two"),
                    )
                    .label(format!("the first one is `{}`", first.key))
                    .help("begin a new list item with `- `, or indent the fields below the name");
                Some(first)
            }
        }
    }

    fn task<'n>(&mut self, entry: &'n Entry) -> Task<'n> {
        let node = &entry.node;
        let kind = self.kind(entry);
        let metadata = node.get("metadata").map(|entry| &entry.node);
        let own = metadata.map(|metadata| self.task_metadata(metadata, node)).unwrap_or_default();
        Task {
            entry,
            condition: self.code(node, "if"),
            input: self.data(node, "input", "from"),
            output: self.data(node, "output", "as"),
            export: self.data(node, "export", "as"),
            timeout: self.timeout(node),
            then: self.directive(node),
            metadata,
            own,
            kind,
        }
    }

    /// `then`: a directive or a task's name.
    pub(super) fn directive<'n>(&mut self, parent: &'n Node) -> Option<&'n Node> {
        let entry = parent.get("then")?;
        self.text(&entry.node, "then").map(|_| &entry.node)
    }

    fn kind<'n>(&mut self, entry: &'n Entry) -> Kind<'n> {
        let node = &entry.node;
        let what = format!("the task `{}`", entry.key);
        let Some(entries) = self.object_of_any(node, &what) else { return Kind::Refused };
        let looped = node.get("for").is_some();
        let mut found = entries.iter().filter_map(|field| {
            let kind = KINDS.iter().find(|(kind, _)| *kind == field.key)?;
            (!(looped && field.key == "do")).then_some((kind, field))
        });
        let Some(((kind, more), field)) = found.next() else {
            self.without_kind(entry, entries);
            return Kind::Refused;
        };
        let second = found.next();
        if let Some((_, second)) = second {
            self.report
                .error(
                    "bad-value",
                    &second.at,
                    format!("a task does one thing: `{kind}` or `{}`", second.key),
                )
                .label(format!("{what} already has `{kind}`"))
                .help("make two tasks of it");
        }
        let mut known = BASE.to_vec();
        known.push(kind);
        known.extend(*more);
        // A second kind was already told; its fields are not unknown as well.
        if second.is_none() {
            self.object(node, &what, &known);
        }
        self.body(kind, &field.node, node)
    }

    fn without_kind(&mut self, entry: &Entry, entries: &[Entry]) {
        let kinds: Vec<&str> = KINDS.iter().map(|(kind, _)| *kind).collect();
        let near = entries
            .iter()
            .find_map(|field| Some((field, did_you_mean(&field.key, kinds.iter().copied())?)));
        if let Some((field, help)) = near {
            let message = format!("the task `{}` has no field `{}`", entry.key, field.key);
            self.report
                .error("unknown-field", &field.at, message)
                .label("not a kind of task")
                .help(help);
            return;
        }
        self.report
            .error("missing-field", &entry.at, format!("the task `{}` does nothing", entry.key))
            .label("it has no kind")
            .help(format!("give it one of {}", kinds.join(", ")));
    }

    fn body<'n>(&mut self, kind: &str, node: &'n Node, task: &'n Node) -> Kind<'n> {
        match kind {
            "call" => self.call(node, task),
            "do" => Kind::Do(self.block(node, "do")),
            "emit" => self.emit(node),
            "for" => self.for_each(node, task),
            "fork" => self.fork(node),
            "listen" => self.listen(node, task),
            "raise" => self.raise(node),
            "run" => self.run(node),
            "set" => self.set(node),
            "switch" => self.switch(node),
            "try" => self.try_catch(node, task),
            "wait" => Kind::Wait(node),
            _ => unreachable!("KINDS lists the kinds, {kind} is none of them"),
        }
    }

    fn set<'n>(&mut self, node: &'n Node) -> Kind<'n> {
        match &node.value {
            Yaml::Map(entries) if entries.is_empty() => {
                self.report.error("bad-value", &node.at, "set needs at least one field");
                Kind::Refused
            }
            Yaml::Map(_) | Yaml::Text(_) => Kind::Set(node),
            Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) | Yaml::List(_) => {
                self.wrong_type(node, "set", "an object with fields, or an expression");
                Kind::Refused
            }
        }
    }

    fn raise<'n>(&mut self, node: &'n Node) -> Kind<'n> {
        if self.object(node, "raise", &["error"]).is_none() {
            return Kind::Refused;
        }
        let Some(error) = self.required(node, "error", "raise") else { return Kind::Refused };
        if error.text().is_none() {
            self.error_object(error);
        }
        Kind::Raise(error)
    }

    /// An error of `raise` or `use.errors`.
    pub(super) fn error_object(&mut self, node: &Node) {
        const KNOWN: &[&str] = &["type", "status", "title", "detail", "instance"];
        if self.object(node, "an error", KNOWN).is_none() {
            return;
        }
        if let Some(kind) = self.required(node, "type", "an error") {
            self.text(kind, "type");
        }
        if let Some(status) = self.required(node, "status", "an error") {
            self.status(status);
        }
        for key in ["title", "detail", "instance"] {
            self.optional_text(node, key);
        }
        if let Some(instance) = node.get("instance") {
            self.report
                .warning("without-effect", &instance.at, "`instance` is always set by the server")
                .label("this is ignored");
        }
    }

    /// An HTTP-like status, as a number or an expression.
    fn status(&mut self, node: &Node) {
        let fits = match &node.value {
            Yaml::Number(number) => {
                number.as_u64().is_some_and(|value| (100..=599).contains(&value))
            }
            Yaml::Text(text) => text.contains("${"),
            Yaml::Null | Yaml::Bool(_) | Yaml::List(_) | Yaml::Map(_) => false,
        };
        if !fits {
            self.report
                .error("bad-value", &node.at, "a status is a number from 100 to 599")
                .label("not a status");
        }
    }

    fn run<'n>(&mut self, node: &'n Node) -> Kind<'n> {
        const KNOWN: &[&str] = &["workflow", "container", "script", "shell", "await", "return"];
        if self.object(node, "run", KNOWN).is_none() {
            return Kind::Refused;
        }
        for key in ["container", "script", "shell"] {
            if let Some(entry) = node.get(key) {
                let why = "a definition must not run programs on the server";
                let instead =
                    "call a function of the catalog; write an adapter for what is missing";
                self.refuse(&entry.at, &format!("run.{key}"), why, instead);
                return Kind::Refused;
            }
        }
        if let Some(entry) = node.get("return") {
            self.report
                .error("unknown-field", &entry.at, "`return` is for processes, not for workflows")
                .help("shape the output with `output.as`");
        }
        let wait = self.flag(node, "await", true);
        let Some(workflow) = self.required(node, "workflow", "run") else { return Kind::Refused };
        if self
            .object(workflow, "run.workflow", &["namespace", "name", "version", "input"])
            .is_none()
        {
            return Kind::Refused;
        }
        let namespace = self
            .required(workflow, "namespace", "run.workflow")
            .and_then(|node| self.label_text(node, "namespace"));
        let name = self
            .required(workflow, "name", "run.workflow")
            .and_then(|node| self.label_text(node, "name"));
        let version = workflow.get("version").map(|entry| &entry.node);
        let version = match version {
            None => Some("latest".to_owned()),
            Some(node) => self.child_version(node),
        };
        let (Some(namespace), Some(name), Some(version)) = (namespace, name, version) else {
            return Kind::Refused;
        };
        let input = workflow.get("input").map(|entry| &entry.node);
        Kind::Run(Run { namespace, name, version, input, wait })
    }

    fn child_version(&mut self, node: &Node) -> Option<String> {
        let text = self.text(node, "version")?;
        if text != "latest" && semver::Version::parse(text).is_err() {
            self.report
                .error("bad-value", &node.at, format!("`{text}` is not a semantic version"))
                .help("write it like '1.0.0', in quotes, or `latest`");
            return None;
        }
        Some(text.to_owned())
    }
}
