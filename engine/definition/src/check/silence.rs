//! `metadata.silence`: warnings an author turns off for a task and what is inside, with a reason.

use crate::Severity;
use crate::diagnostic::Report;
use crate::read::{Node, Yaml};

/// One entry of a `silence` list.
struct Silence<'n> {
    code: &'n str,
    /// The pointer of what it covers; empty for the document.
    under: String,
    node: &'n Node,
}

/// Takes away the warnings that are silenced. `complete` says that all checks ran, so that a
/// silence without a warning is one itself.
pub(crate) fn silence(root: &Node, report: &mut Report, complete: bool) {
    let mut found = Vec::new();
    if let Some(list) = super::task::field(root, &["document", "metadata", "silence"]) {
        read(list, "", report, &mut found);
    }
    let uses = [["use", "functions"], ["use", "extensions"]];
    let blocks = uses.iter().map(|keys| super::task::field(root, keys));
    for block in blocks.chain([super::task::field(root, &["do"])]).flatten() {
        tasks(block, report, &mut found);
    }
    for silence in found {
        let covered = |pointer: &str| {
            pointer
                .strip_prefix(silence.under.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let before = report.len();
        report.retain(|item| {
            item.severity == Severity::Error || item.code != silence.code || !covered(&item.pointer)
        });
        // Warnings that were left out may have been these.
        if complete && !report.is_full() && report.len() == before {
            let code = silence.code;
            report
                .warning(
                    "unused-silence",
                    &silence.node.at,
                    format!("there is no warning `{code}` here"),
                )
                .label("silences nothing")
                .help("remove it; errors cannot be silenced");
        }
    }
}

/// Every task below has its own list.
fn tasks<'n>(node: &'n Node, report: &mut Report, found: &mut Vec<Silence<'n>>) {
    match &node.value {
        Yaml::List(items) => items.iter().for_each(|item| tasks(item, report, found)),
        Yaml::Map(entries) => {
            if let Some(list) = super::task::field(node, &["metadata", "silence"]) {
                read(list, &node.at.pointer, report, found);
            }
            entries.iter().for_each(|entry| tasks(&entry.node, report, found));
        }
        Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) | Yaml::Text(_) => {}
    }
}

fn read<'n>(list: &'n Node, under: &str, report: &mut Report, found: &mut Vec<Silence<'n>>) {
    const FORM: &str = "write `silence: [{code: dropped-field, reason: \"why it is right here\"}]`";
    let Some(items) = list.items() else {
        let message = format!("`silence` is a list, not {}", list.describe());
        report.error("bad-value", &list.at, message).help(FORM);
        return;
    };
    for node in items {
        let text = |key: &str| node.get(key).and_then(|entry| entry.node.text());
        let reason = text("reason").is_some_and(|reason| !reason.trim().is_empty());
        match (text("code"), reason) {
            (Some(code), true) => found.push(Silence { code, under: under.to_owned(), node }),
            (Some(_), false) => {
                report
                    .error("bad-value", &node.at, "a silenced warning needs a `reason`")
                    .help(FORM);
            }
            (None, _) => {
                report
                    .error("bad-value", &node.at, "a silence needs the `code` of a warning")
                    .help(FORM);
            }
        }
    }
}
