//! `try`, retry policies, and what is defined under `use`.

use super::Compiler;
use super::name::{Position, Variables};
use super::task::Siblings;
use crate::parse::model::{self, RetryUse};
use crate::plan::{ErrorFilter, Retry, TaskId, TaskKind, Try};
use crate::read::Node;

impl<'n> Compiler<'_, 'n> {
    pub(super) fn try_catch(
        &mut self,
        tried: &model::Try<'n>,
        own: TaskId,
        siblings: &Siblings<'_>,
        variables: &Variables,
    ) -> Option<TaskKind> {
        let inside = variables.with([&tried.bind]);
        let body = self.block(&tried.body, Some(own), variables);
        let when = tried.when.and_then(|node| self.expression(node, Position::Body, &inside));
        let except_when =
            tried.except_when.and_then(|node| self.expression(node, Position::Body, &inside));
        let retry = match &tried.retry {
            Some(RetryUse::Inline(retry)) => Some(*retry),
            Some(RetryUse::Named(node)) => {
                let uses = self.uses;
                let known = uses.retries.iter().map(|(entry, retry)| (entry.key.as_str(), *retry));
                self.named(node, "retries", known)
            }
            None => None,
        };
        let retry = retry.map(|retry| self.retry(&retry, &inside));
        let handler =
            tried.handler.as_ref().map(|tasks| self.block(tasks, Some(own), &inside.in_catch()));
        let then = tried.then.and_then(|node| self.flow(node, siblings));
        let filter = ErrorFilter {
            kind: tried.filter.kind.clone(),
            status: tried.filter.status,
            instance: tried.filter.instance.clone(),
            title: tried.filter.title.clone(),
            detail: tried.filter.detail.clone(),
        };
        Some(TaskKind::Try(Box::new(Try {
            body,
            filter,
            bind: tried.bind.clone(),
            when,
            except_when,
            retry,
            handler,
            then,
        })))
    }

    fn retry(&mut self, retry: &model::Retry<'n>, variables: &Variables) -> Retry {
        let mut duration = |node: Option<&Node>| {
            node.and_then(|node| self.duration(node, Position::Body, variables))
        };
        let delay = duration(retry.delay);
        let attempt_timeout = duration(retry.attempt_timeout);
        let total_max = duration(retry.total_max);
        let jitter =
            retry.jitter.and_then(|(from, to)| duration(Some(from)).zip(duration(Some(to))));
        let mut expression = |node: Option<&Node>| {
            node.and_then(|node| self.expression(node, Position::Body, variables))
        };
        Retry {
            when: expression(retry.when),
            except_when: expression(retry.except_when),
            delay,
            backoff: retry.backoff,
            jitter,
            retries_max: retry.retries_max,
            attempt_timeout,
            total_max,
        }
    }

    /// Entries of `use` are compiled where they are named; unnamed ones are checked here, so that
    /// a mistake in them does not wait for its first use. The default name of a caught error is
    /// known, because a policy may look at it.
    pub(super) fn check_uses(&mut self) {
        let uses = self.uses;
        let none = Variables::none();
        let caught = none.with(&self.bound.clone());
        for (_, error) in &uses.errors {
            self.template(error, Position::Body, &caught);
        }
        for (_, retry) in &uses.retries {
            self.retry(retry, &caught.with([&"error".to_owned()]));
        }
        for (_, after) in &uses.timeouts {
            self.duration(after, Position::Body, &caught);
        }
    }
}
