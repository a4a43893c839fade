//! `use`: functions, extensions, authentications and catalogs.

use super::Parser;
use super::call::PROTOCOLS;
use super::model::{Extension, Target, Task, Uses};
use crate::diagnostic::did_you_mean;
use crate::read::Node;

/// What `extend` can name.
const TARGETS: [(&str, Target); 14] = [
    ("all", Target::All),
    ("call", Target::Call),
    ("composite", Target::Composite),
    ("do", Target::Do),
    ("emit", Target::Emit),
    ("for", Target::For),
    ("fork", Target::Fork),
    ("listen", Target::Listen),
    ("raise", Target::Raise),
    ("run", Target::Run),
    ("set", Target::Set),
    ("switch", Target::Switch),
    ("try", Target::Try),
    ("wait", Target::Wait),
];

impl Parser<'_> {
    pub(super) fn uses_tasks<'n>(&mut self, node: &'n Node, uses: &mut Uses<'n>) {
        uses.functions = self.functions(node);
        uses.extensions = self.extensions(node);
        for entry in self.named(node, "authentications") {
            self.authentication(&entry.node, false);
            uses.authentications.push((entry, &entry.node));
        }
        self.catalogs(node);
    }

    fn functions<'n>(&mut self, node: &'n Node) -> Vec<Task<'n>> {
        let mut tasks = Vec::new();
        for entry in self.named(node, "functions") {
            if PROTOCOLS.contains(&entry.key.as_str()) {
                self.report
                    .error(
                        "bad-value",
                        &entry.at,
                        format!("a function cannot be named `{}`", entry.key),
                    )
                    .label("`call` has a meaning of its own for it")
                    .help("choose another name");
            }
            tasks.push(self.task(entry));
        }
        tasks
    }

    fn extensions<'n>(&mut self, node: &'n Node) -> Vec<Extension<'n>> {
        const KNOWN: &[&str] = &["extend", "when", "before", "after"];
        let Some(list) = node.get("extensions") else { return Vec::new() };
        let mut found = Vec::new();
        for item in self.list(&list.node, "use.extensions") {
            let Some(entry) = self.only_entry(item, "an extension") else { continue };
            let body = &entry.node;
            if self.object(body, "an extension", KNOWN).is_none() {
                continue;
            }
            let target = self.required(body, "extend", "an extension").and_then(|n| self.target(n));
            let mut tasks = |key: &str| {
                body.get(key).map(|entry| self.block(&entry.node, key)).unwrap_or_default()
            };
            let (before, after) = (tasks("before"), tasks("after"));
            if body.get("before").is_none() && body.get("after").is_none() {
                let message = format!("the extension `{}` does nothing", entry.key);
                self.report
                    .warning("without-effect", &entry.at, message)
                    .help("give it tasks under `before` or `after`");
            }
            let when = self.code(body, "when");
            found.push(Extension { entry, target, when, before, after });
        }
        found
    }

    fn target(&mut self, node: &Node) -> Option<Target> {
        let text = self.text(node, "extend")?;
        let found = TARGETS.iter().find(|(name, _)| *name == text).map(|(_, target)| *target);
        if found.is_none() {
            let names = || TARGETS.iter().map(|(name, _)| *name);
            let help = did_you_mean(text, names());
            self.report.error("bad-value", &node.at, format!("`{text}` is no type of task")).help(
                help.unwrap_or_else(|| {
                    format!("use one of {}", names().collect::<Vec<_>>().join(", "))
                }),
            );
        }
        found
    }

    fn catalogs(&mut self, node: &Node) {
        for entry in self.named(node, "catalogs") {
            if entry.key == "default" {
                if self.object(&entry.node, "a catalog", &["endpoint"]).is_some()
                    && let Some(endpoint) = entry.node.get("endpoint")
                {
                    self.endpoint(&endpoint.node);
                    self.report
                        .warning("without-effect", &endpoint.at, "the endpoint is not asked")
                        .label("the catalog `default` ships with the server");
                }
                continue;
            }
            let why = "a function from elsewhere can change without notice";
            let instead = "only the catalog `default` exists; its functions ship with the server";
            self.refuse(&entry.at, &format!("the catalog {}", entry.key), why, instead);
        }
    }
}
