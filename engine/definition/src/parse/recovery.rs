//! `try`, `catch` and retry policies.

use super::Parser;
use super::model::{Kind, Retry, RetryUse, Try};
use crate::plan::{Backoff, ErrorFilter};
use crate::read::{Node, Yaml};

impl Parser<'_> {
    pub(super) fn try_catch<'n>(&mut self, node: &'n Node, task: &'n Node) -> Kind<'n> {
        const KNOWN: &[&str] = &["errors", "as", "when", "exceptWhen", "retry", "do", "then"];
        let body = self.block(node, "try");
        // Without its `catch` the body is looked at all the same.
        let Some(catch) = self.required(task, "catch", "try") else { return Kind::Do(body) };
        if self.object(catch, "catch", KNOWN).is_none() {
            return Kind::Do(body);
        }
        let retry = catch.get("retry").and_then(|entry| match &entry.node.value {
            Yaml::Text(_) => Some(RetryUse::Named(&entry.node)),
            Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) | Yaml::List(_) | Yaml::Map(_) => {
                self.retry(&entry.node).map(RetryUse::Inline)
            }
        });
        Kind::Try(Box::new(Try {
            body,
            filter: catch
                .get("errors")
                .map(|entry| self.error_filter(&entry.node))
                .unwrap_or_default(),
            bind: self.variable(catch, "as", "error"),
            when: self.code(catch, "when"),
            except_when: self.code(catch, "exceptWhen"),
            retry,
            handler: catch.get("do").map(|entry| self.block(&entry.node, "catch.do")),
            then: self.directive(catch),
        }))
    }

    fn error_filter(&mut self, node: &Node) -> ErrorFilter {
        const KNOWN: &[&str] = &["type", "status", "instance", "title", "detail", "details"];
        let mut filter = ErrorFilter::default();
        if self.object(node, "errors", &["with"]).is_none() {
            return filter;
        }
        let Some(with) = self.required(node, "with", "errors") else { return filter };
        if self.object(with, "errors.with", KNOWN).is_none() {
            return filter;
        }
        for key in ["type", "instance", "title", "detail"] {
            if let Some(entry) = with.get(key)
                && entry.node.text().is_some_and(|text| text.contains("${"))
            {
                self.report
                    .error("bad-value", &entry.node.at, "a filter of errors is constant")
                    .help("use `catch.when` for what must be computed");
            }
        }
        filter.kind = self.optional_text(with, "type");
        filter.instance = self.optional_text(with, "instance");
        filter.title = self.optional_text(with, "title");
        // Earlier versions of the language wrote `details`.
        filter.detail =
            self.optional_text(with, "detail").or_else(|| self.optional_text(with, "details"));
        if let Some(entry) = with.get("status") {
            let number = match &entry.node.value {
                Yaml::Number(number) => {
                    number.as_u64().and_then(|status| u16::try_from(status).ok())
                }
                Yaml::Null | Yaml::Bool(_) | Yaml::Text(_) | Yaml::List(_) | Yaml::Map(_) => None,
            };
            if number.is_none() {
                self.wrong_type(&entry.node, "status", "a status number");
            }
            filter.status = number;
        }
        filter
    }

    pub(super) fn retry<'n>(&mut self, node: &'n Node) -> Option<Retry<'n>> {
        const KNOWN: &[&str] = &["when", "exceptWhen", "delay", "backoff", "limit", "jitter"];
        self.object(node, "retry", KNOWN)?;
        let (retries_max, attempt_timeout, total_max) = self.limit(node);
        let retry = Retry {
            when: self.code(node, "when"),
            except_when: self.code(node, "exceptWhen"),
            delay: node.get("delay").map(|entry| &entry.node),
            backoff: self.backoff(node),
            jitter: self.jitter(node),
            retries_max,
            attempt_timeout,
            total_max,
        };
        if retry.delay.is_none() {
            self.report
                .warning("no-delay", &node.at, "without `delay` every retry starts at once")
                .label("no delay")
                .help("give a delay, for example `delay: {seconds: 5}`");
        }
        if retries_max.is_none() && total_max.is_none() {
            self.report
                .warning("no-limit", &node.at, "without a limit the retries never end")
                .label("no limit")
                .help("give a limit, for example `limit: {attempt: {count: 5}}`");
        }
        Some(retry)
    }

    fn backoff(&mut self, node: &Node) -> Backoff {
        let Some(entry) = node.get("backoff") else { return Backoff::Constant };
        let known = ["constant", "exponential", "linear"];
        let entries = self.object(&entry.node, "backoff", &known).unwrap_or_default();
        let mut found = entries.iter().filter(|entry| known.contains(&entry.key.as_str()));
        let kind = found.next();
        if found.next().is_some() || (kind.is_none() && entry.node.entries().is_some()) {
            self.report.error(
                "bad-value",
                &entry.node.at,
                "a backoff is one of constant, exponential, linear",
            );
        }
        if let Some(parameters) = kind.filter(|kind| !matches!(&kind.node.value, Yaml::Null))
            && let Some(first) =
                self.object_of_any(&parameters.node, &parameters.key).and_then(<[_]>::first)
        {
            self.report
                .error(
                    "unknown-field",
                    &first.at,
                    format!("`{}` takes no parameters", parameters.key),
                )
                .help("the delay grows from `delay`");
        }
        match kind.map(|kind| kind.key.as_str()) {
            Some("exponential") => Backoff::Exponential,
            Some("linear") => Backoff::Linear,
            _ => Backoff::Constant,
        }
    }

    fn limit<'n>(&mut self, node: &'n Node) -> (Option<u32>, Option<&'n Node>, Option<&'n Node>) {
        let Some(limit) = node.get("limit").map(|entry| &entry.node) else {
            return (None, None, None);
        };
        if self.object(limit, "limit", &["attempt", "duration"]).is_none() {
            return (None, None, None);
        }
        let total = limit.get("duration").map(|entry| &entry.node);
        let Some(attempt) = limit.get("attempt").map(|entry| &entry.node) else {
            return (None, None, total);
        };
        self.object(attempt, "limit.attempt", &["count", "duration"]);
        let count = attempt.get("count").and_then(|entry| {
            let count = match &entry.node.value {
                Yaml::Number(number) => number.as_u64().and_then(|count| u32::try_from(count).ok()),
                Yaml::Null | Yaml::Bool(_) | Yaml::Text(_) | Yaml::List(_) | Yaml::Map(_) => None,
            };
            if count.is_none() {
                self.wrong_type(&entry.node, "count", "a whole number from 0 on");
            }
            count
        });
        (count, attempt.get("duration").map(|entry| &entry.node), total)
    }

    fn jitter<'n>(&mut self, node: &'n Node) -> Option<(&'n Node, &'n Node)> {
        let jitter = &node.get("jitter")?.node;
        self.object(jitter, "jitter", &["from", "to"])?;
        self.required(jitter, "from", "jitter").zip(self.required(jitter, "to", "jitter"))
    }
}
