//! Secrets: names that `use.secrets` does not list, values on their way to where they are kept.

use super::Checker;
use crate::diagnostic::{Place, did_you_mean};
use crate::shape::Shape;

impl Checker<'_, '_> {
    /// What `$secrets` holds.
    pub(super) fn secret_shapes(&self) -> Shape {
        Shape::record(
            self.plan.secrets.iter().map(|name| (name.clone(), Shape::text().tainted(true))),
        )
    }

    pub(super) fn unknown_secret(&mut self, place: &Place, name: &str) {
        let known = self.plan.secrets.iter().map(String::as_str);
        let near = did_you_mean(name, known);
        self.report
            .error("unknown-secret", place, format!("`use.secrets` does not list `{name}`"))
            .help(near.unwrap_or_else(|| format!("declare it: `use: {{secrets: [{name}]}}`")));
    }

    pub(super) fn leak(&mut self, place: &Place, to: &str) {
        self.report
            .error("leaked-secret", place, format!("a secret would go into {to}"))
            .label("holds a secret, by `input.from`")
            .help(
                "hand secrets to the arguments of calls only; what is put here is stored or sent",
            );
    }

    /// Secrets that are declared and never read.
    pub(super) fn secrets(&mut self) {
        let Some(list) = super::task::field(self.root, &["use", "secrets"]) else { return };
        for item in list.items().unwrap_or_default() {
            let Some(name) = item.text() else { continue };
            if !super::unused::mentions(self.root, name, list) {
                self.report
                    .warning(
                        "unused-definition",
                        &item.at,
                        format!("the secret `{name}` is never used"),
                    )
                    .help("remove it, so that nobody has to provide it");
            }
        }
    }
}
