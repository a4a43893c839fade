//! The node tree to the language model: shapes, types and names, one module per family of tasks.
//!
//! Nothing here stops at the first mistake. What the language knows and this server does not do
//! (yet, or for good) is accepted in its shape and refused by name, so that a definition written
//! for another server gets an answer about its features and not about its syntax.

use crate::diagnostic::{Place, Report, did_you_mean};
use crate::plan::Document;
use crate::read::{Entry, Node, Yaml};

pub(crate) mod model;

mod call;
mod control;
mod event;
mod metadata;
mod recovery;
mod schedule;
mod task;
mod uses;
pub(crate) mod web;

use model::{Data, Definition, Timeout, Uses};

/// Version of the language we follow; the patch level does not matter to the parser.
const DSL: &str = "1.0";
/// Longest namespace or name, as for a DNS label.
const LABEL_MAX: usize = 63;

/// Reads the model of a definition. Findings say what is missing in it.
pub(crate) fn parse<'n>(root: &'n Node, report: &mut Report) -> Option<Definition<'n>> {
    Parser { report }.definition(root)
}

/// Where findings go, with the checks every family needs.
pub(crate) struct Parser<'r> {
    report: &'r mut Report,
}

impl Parser<'_> {
    fn definition<'n>(&mut self, root: &'n Node) -> Option<Definition<'n>> {
        const KNOWN: &[&str] =
            &["document", "input", "use", "do", "timeout", "output", "schedule", "evaluate"];
        self.object(root, "a definition", KNOWN)?;
        let document_node = self.required(root, "document", "a definition");
        let (document, metadata) =
            document_node.map_or((None, None), |node| (self.document(node), node.get("metadata")));
        self.evaluate(root);
        let uses = root.get("use").map(|entry| self.uses(&entry.node)).unwrap_or_default();
        let schedule = self.schedule(root);
        let body = self
            .required(root, "do", "a definition")
            .map(|node| self.block(node, "do"))
            .unwrap_or_default();
        let metadata =
            metadata.map(|entry| self.document_metadata(&entry.node)).unwrap_or_default();
        Some(Definition {
            document,
            metadata,
            input: self.data(root, "input", "from"),
            output: self.data(root, "output", "as"),
            timeout: self.timeout(root),
            uses,
            schedule,
            body,
        })
    }

    fn document(&mut self, node: &Node) -> Option<Document> {
        const KNOWN: &[&str] =
            &["dsl", "namespace", "name", "version", "title", "summary", "tags", "metadata"];
        self.object(node, "document", KNOWN)?;
        let dsl = self.version(node, "dsl");
        if let Some((dsl, node)) = &dsl
            && !dsl.starts_with(DSL)
        {
            self.report
                .error("bad-value", &node.at, format!("the DSL version {dsl} is not supported"))
                .help("write 1.0.3");
        }
        let namespace = self.label(node, "namespace");
        let name = self.label(node, "name");
        let version = self.version(node, "version");
        let title = self.optional_text(node, "title");
        let summary = self.optional_text(node, "summary");
        Some(Document {
            dsl: dsl?.0,
            namespace: namespace?,
            name: name?,
            version: version?.0,
            title,
            summary,
        })
    }

    fn version<'n>(&mut self, parent: &'n Node, key: &str) -> Option<(String, &'n Node)> {
        let node = self.required(parent, key, "document")?;
        let text = self.text(node, key)?;
        if let Err(error) = semver::Version::parse(text) {
            let message = format!("`{text}` is not a semantic version: {error}");
            self.report
                .error("bad-value", &node.at, message)
                .help("write it like '1.0.0', in quotes");
            return None;
        }
        Some((text.to_owned(), node))
    }

    fn label(&mut self, parent: &Node, key: &str) -> Option<String> {
        let node = self.required(parent, key, "document")?;
        self.label_text(node, key)
    }

    /// A DNS label, as names of namespaces and definitions are.
    fn label_text(&mut self, node: &Node, what: &str) -> Option<String> {
        let text = self.text(node, what)?;
        let inner = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let edges = !text.starts_with('-') && !text.ends_with('-');
        if text.is_empty() || text.len() > LABEL_MAX || !text.chars().all(inner) || !edges {
            self.report.error("bad-value", &node.at, format!("`{text}` cannot be a {what}")).help(
                format!("use up to {LABEL_MAX} letters, digits and hyphens, not at the ends"),
            );
            return None;
        }
        Some(text.to_owned())
    }

    /// Keys that promise something this server does not do yet must not be passed over.
    fn metadata_without_effect(&mut self, node: &Node, keys: &[&str]) {
        for key in keys {
            if let Some(entry) = node.get(key) {
                let what = format!("metadata.{key}");
                self.not_yet(&entry.at, &what, "remove it; a later version will honor it");
            }
        }
    }

    fn evaluate(&mut self, root: &Node) {
        let Some(entry) = root.get("evaluate") else { return };
        if self.object(&entry.node, "evaluate", &["language", "mode"]).is_none() {
            return;
        }
        for (key, only) in [("language", "jq"), ("mode", "strict")] {
            let Some(entry) = entry.node.get(key) else { continue };
            match self.text(&entry.node, key) {
                Some(text) if text != only => {
                    let what = format!("evaluate.{key}: {text}");
                    let why = "expressions are jq in strict mode, so that each means one thing";
                    self.refuse(&entry.node.at, &what, why, &format!("use `{only}`, the default"));
                }
                _ => {}
            }
        }
    }

    fn uses<'n>(&mut self, node: &'n Node) -> Uses<'n> {
        const KNOWN: &[&str] = &[
            "authentications",
            "errors",
            "extensions",
            "functions",
            "retries",
            "secrets",
            "timeouts",
            "catalogs",
        ];
        let mut uses = Uses::default();
        if self.object(node, "use", KNOWN).is_none() {
            return uses;
        }
        for entry in self.named(node, "errors") {
            self.error_object(&entry.node);
            uses.errors.push((entry, &entry.node));
        }
        for entry in self.named(node, "retries") {
            if let Some(retry) = self.retry(&entry.node) {
                uses.retries.push((entry, retry));
            }
        }
        for entry in self.named(node, "timeouts") {
            if let Some(after) = self.timeout_object(&entry.node) {
                uses.timeouts.push((entry, after));
            }
        }
        if let Some(entry) = node.get("secrets") {
            for item in self.list(&entry.node, "use.secrets") {
                uses.secrets.extend(self.text(item, "a secret's name").map(str::to_owned));
            }
        }
        self.uses_tasks(node, &mut uses);
        uses
    }

    /// The entries of an object of `use`; none when it is absent or no object.
    fn named<'n>(&mut self, node: &'n Node, key: &str) -> &'n [Entry] {
        node.get(key)
            .and_then(|entry| self.object_of_any(&entry.node, &format!("use.{key}")))
            .unwrap_or_default()
    }

    /// `input`, `output` or `export` of a task or of the definition.
    fn data<'n>(&mut self, parent: &'n Node, key: &str, transform: &str) -> Data<'n> {
        let Some(entry) = parent.get(key) else { return Data::default() };
        if self.object(&entry.node, key, &["schema", transform]).is_none() {
            return Data::default();
        }
        let schema = entry.node.get("schema").and_then(|entry| self.schema(&entry.node));
        let transform = entry.node.get(transform).and_then(|entry| match &entry.node.value {
            Yaml::Text(_) | Yaml::Map(_) => Some(&entry.node),
            Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) | Yaml::List(_) => {
                self.wrong_type(&entry.node, &entry.key, "an expression or an object");
                None
            }
        });
        Data { transform, schema }
    }

    /// The document of a schema.
    fn schema<'n>(&mut self, node: &'n Node) -> Option<&'n Node> {
        self.object(node, "schema", &["format", "document", "resource"])?;
        if let Some(format) = node.get("format")
            && let Some(text) = self.text(&format.node, "format")
            && text.split(':').next() != Some("json")
        {
            let what = format!("the schema format {text}");
            let why = "values of a workflow are JSON";
            self.refuse(&format.node.at, &what, why, "use JSON Schema (`json`)");
            return None;
        }
        if let Some(resource) = node.get("resource") {
            let why = "a definition must not change with a file elsewhere";
            self.refuse(&resource.at, "schema.resource", why, "write the schema under `document`");
            return None;
        }
        self.required(node, "document", "a schema")
    }

    fn timeout<'n>(&mut self, parent: &'n Node) -> Option<Timeout<'n>> {
        let entry = parent.get("timeout")?;
        match &entry.node.value {
            Yaml::Text(_) => Some(Timeout::Named(&entry.node)),
            Yaml::Map(_) => self.timeout_object(&entry.node).map(Timeout::Inline),
            Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) | Yaml::List(_) => {
                self.wrong_type(&entry.node, "timeout", "{after: ...} or a name of `use.timeouts`");
                None
            }
        }
    }

    fn timeout_object<'n>(&mut self, node: &'n Node) -> Option<&'n Node> {
        self.object(node, "a timeout", &["after"])?;
        self.required(node, "after", "a timeout")
    }
}

/// The checks every family needs.
impl Parser<'_> {
    /// The entries of an object that may have only `known` keys.
    fn object<'n>(&mut self, node: &'n Node, what: &str, known: &[&str]) -> Option<&'n [Entry]> {
        let entries = self.object_of_any(node, what)?;
        for entry in entries.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
            let near = did_you_mean(&entry.key, known.iter().copied());
            self.report
                .error("unknown-field", &entry.at, format!("{what} has no field `{}`", entry.key))
                .label("not known here")
                .help(near.unwrap_or_else(|| format!("known here: {}", known.join(", "))));
        }
        Some(entries)
    }

    fn object_of_any<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n [Entry]> {
        let entries = node.entries();
        if entries.is_none() {
            self.wrong_type(node, what, "an object");
        }
        entries
    }

    fn list<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        let items = node.items();
        if items.is_none() {
            self.wrong_type(node, what, "a list");
        }
        items.unwrap_or_default()
    }

    fn text<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        let text = node.text();
        if text.is_none() {
            self.wrong_type(node, what, "text");
        }
        text
    }

    fn optional_text(&mut self, parent: &Node, key: &str) -> Option<String> {
        let entry = parent.get(key)?;
        self.text(&entry.node, key).map(str::to_owned)
    }

    /// A field that holds an expression.
    fn code<'n>(&mut self, parent: &'n Node, key: &str) -> Option<&'n Node> {
        let entry = parent.get(key)?;
        if entry.node.text().is_none() {
            self.wrong_type(&entry.node, key, "a jq expression");
            return None;
        }
        Some(&entry.node)
    }

    fn flag(&mut self, parent: &Node, key: &str, default: bool) -> bool {
        let Some(entry) = parent.get(key) else { return default };
        match &entry.node.value {
            Yaml::Bool(value) => *value,
            Yaml::Null | Yaml::Number(_) | Yaml::Text(_) | Yaml::List(_) | Yaml::Map(_) => {
                self.wrong_type(&entry.node, key, "true or false");
                default
            }
        }
    }

    fn required<'n>(&mut self, parent: &'n Node, key: &str, what: &str) -> Option<&'n Node> {
        let found = parent.get(key);
        if found.is_none() && parent.entries().is_some() {
            self.report
                .error("missing-field", &parent.at, format!("{what} needs `{key}`"))
                .label("it is missing here");
        }
        found.map(|entry| &entry.node)
    }

    fn wrong_type(&mut self, node: &Node, what: &str, expected: &str) {
        let found = node.describe();
        self.report
            .error("wrong-type", &node.at, format!("{what} must be {expected}, not {found}"))
            .label(format!("this is {found}"));
    }

    /// The language has it, this version of the server does not.
    fn not_yet(&mut self, at: &Place, what: &str, instead: &str) {
        self.report
            .error("not-supported-yet", at, format!("{what} is not supported yet"))
            .label("known to the language, but not done here yet")
            .help(instead);
    }

    /// The language has it, this server will not do it.
    fn refuse(&mut self, at: &Place, what: &str, why: &str, instead: &str) {
        self.report.error("refused", at, format!("{what} is refused: {why}")).help(instead);
    }
}
