//! Tasks that hold or order other tasks: `for`, `fork`, `switch`.

use super::Parser;
use super::model::{Case, For, Kind};
use crate::read::{Node, Yaml};

impl Parser<'_> {
    pub(super) fn for_each<'n>(&mut self, node: &'n Node, task: &'n Node) -> Kind<'n> {
        let body = self.required(task, "do", "for").map(|node| self.block(node, "do"));
        let condition = self.code(task, "while");
        if self.object(node, "for", &["each", "in", "at"]).is_none() {
            let (each, at) = ("item".to_owned(), "index".to_owned());
            let body = body.unwrap_or_default();
            return Kind::For(For { each, at, items: None, condition, body });
        }
        let each = self.variable(node, "each", "item");
        let at = self.variable(node, "at", "index");
        if each == at {
            self.report
                .error("bad-value", &node.at, format!("`each` and `at` are both named `{each}`"))
                .label("they need two names");
        }
        let items = self.required(node, "in", "for").filter(|items| match &items.value {
            Yaml::Text(_) | Yaml::List(_) => true,
            Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) | Yaml::Map(_) => {
                self.wrong_type(items, "in", "an expression or a list");
                false
            }
        });
        match body {
            Some(body) => Kind::For(For { each, at, items, condition, body }),
            None => Kind::Refused,
        }
    }

    /// The name of a variable the author chooses, without `$`.
    pub(super) fn variable(&mut self, parent: &Node, key: &str, default: &str) -> String {
        let Some(entry) = parent.get(key) else { return default.to_owned() };
        let Some(name) = self.text(&entry.node, key) else { return default.to_owned() };
        let first = |c: char| c.is_ascii_alphabetic() || c == '_';
        let rest = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if !name.starts_with(first) || !name.chars().all(rest) || name.starts_with("__") {
            self.report
                .error("bad-value", &entry.node.at, format!("`{name}` cannot name a variable"))
                .help("use letters, digits and `_`, without the `$`");
            return default.to_owned();
        }
        if crate::compile::GLOBALS.contains(&name) {
            self.report
                .error("bad-value", &entry.node.at, format!("`${name}` exists already"))
                .help("choose another name");
        }
        name.to_owned()
    }

    pub(super) fn fork<'n>(&mut self, node: &'n Node) -> Kind<'n> {
        if self.object(node, "fork", &["branches", "compete"]).is_none() {
            return Kind::Refused;
        }
        let compete = self.flag(node, "compete", false);
        match self.required(node, "branches", "fork") {
            Some(branches) => Kind::Fork { branches: self.block(branches, "branches"), compete },
            None => Kind::Refused,
        }
    }

    pub(super) fn switch<'n>(&mut self, node: &'n Node) -> Kind<'n> {
        let items = self.list(node, "switch");
        if items.is_empty() && node.items().is_some() {
            self.report.error("bad-value", &node.at, "a switch needs at least one case");
        }
        let mut cases: Vec<Case<'n>> = Vec::new();
        for item in items {
            let Some(entry) = self.only_entry(item, "a case") else { continue };
            if self.object(&entry.node, "a case", &["when", "then"]).is_none() {
                continue;
            }
            let when = self.code(&entry.node, "when");
            self.required(&entry.node, "then", "a case");
            let Some(then) = self.directive(&entry.node) else { continue };
            if let Some(first) = cases.iter().find(|case| case.when.is_none()) {
                let default = &first.entry.key;
                let code = if when.is_none() { "two-defaults" } else { "unreachable-case" };
                self.report
                    .error(code, &entry.at, format!("the case `{}` is never tried", entry.key))
                    .label("after the default case")
                    .help(format!("`{default}` has no `when` and always fits; put it last"));
            }
            cases.push(Case { entry, when, then });
        }
        Kind::Switch(cases)
    }
}
