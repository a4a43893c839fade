//! Calls: the function of the catalog, and its arguments against the manifest.

use serde_json::{Value, json};
use tenure_adapter::{EffectClass, Manifest, ResolveError};

use super::Compiler;
use super::effect::Effect;
use super::name::{Position, Variables};
use crate::builtin;
use crate::diagnostic::did_you_mean;
use crate::parse::model;
use crate::plan::{Call, TaskId, TaskKind};
use crate::read::Node;
use crate::schema::Schema;
use crate::template::Template;

/// The arguments of a call.
pub(super) struct Arguments {
    pub(super) with: Template,
    /// The scheme of its authentication.
    pub(super) scheme: Option<&'static str>,
    /// The class of the effect, where the call decides it and not the function.
    pub(super) class: Option<EffectClass>,
}

impl Arguments {
    fn plain(with: Template) -> Self {
        Self { with, scheme: None, class: None }
    }
}

impl<'n> Compiler<'_, 'n> {
    /// A call of a catalog function with arguments that are computed as a whole.
    pub(super) fn call_with(&mut self, function: &Node, with: Template) -> Option<TaskKind> {
        let manifest = self.function(function)?;
        if builtin::has(&manifest.name) {
            let message = format!("`{}` cannot be called by its name alone", manifest.name);
            self.report
                .error("bad-value", &function.at, message)
                .help("write a list of tasks with a `call` in it");
            return None;
        }
        self.check_effect(&manifest, function, None, &Effect::Silent);
        let input = self.input_schema(&manifest, function)?;
        Some(TaskKind::Call(Box::new(Call {
            function: manifest,
            input,
            with,
            scheme: None,
            idempotency_key: None,
        })))
    }

    fn input_schema(&mut self, manifest: &Manifest, function: &Node) -> Option<Schema> {
        match Schema::compile(manifest.input.clone(), self.catalog.formats()) {
            Ok(schema) => Some(schema),
            Err(violation) => {
                let name = manifest.reference();
                let message =
                    format!("the input schema of {name} is broken: {}", violation.message);
                self.report
                    .error("bad-manifest", &function.at, message)
                    .help("this is a fault of the adapter");
                None
            }
        }
    }

    pub(super) fn call(
        &mut self,
        task: &model::Task<'n>,
        own: TaskId,
        function: &'n Node,
        with: Option<&'n Node>,
        variables: &Variables,
    ) -> Option<TaskKind> {
        let key = task.own.idempotency_key;
        if let Some(called) = function.text().and_then(|name| self.weave.function(name)) {
            self.no_effect(task, "the calls inside the function have their own");
            if let Some(key) = key {
                let message = "a function of the definition has no idempotency key";
                self.report
                    .error("unknown-field", &key.at, message)
                    .help("give one to each call inside it that needs one");
            }
            return self.function_call(called, with, own, variables);
        }
        if let Some(own) = self.engine_call(function, with, variables) {
            return own;
        }
        let manifest = self.function(function);
        if let Some(manifest) = &manifest
            && manifest.name == builtin::HUMAN_TASK
        {
            return self.human(manifest, function, with, variables);
        }
        let effect = self.effect(task);
        let idempotency_key = key.map(|node| self.expression(node, Position::Body, variables));
        let arguments = self.call_arguments(function, with, &effect, variables);
        let mut manifest = manifest?;
        let arguments = arguments?;
        match arguments.class {
            Some(class) => manifest.class = class,
            None => self.check_effect(&manifest, function, Some(task), &effect),
        }
        let input = self.input_schema(&manifest, function)?;
        self.arguments(&manifest, &input, &arguments.with, with.unwrap_or(function));
        let idempotency_key = match idempotency_key {
            Some(key) => Some(key?),
            None => None,
        };
        Some(TaskKind::Call(Box::new(Call {
            function: manifest,
            input,
            with: arguments.with,
            scheme: arguments.scheme,
            idempotency_key,
        })))
    }

    fn call_arguments(
        &mut self,
        function: &'n Node,
        with: Option<&'n Node>,
        effect: &Effect,
        variables: &Variables,
    ) -> Option<Arguments> {
        let Some(with) = with else {
            return Some(Arguments::plain(Template::Constant(json!({}))));
        };
        match function.text() {
            Some("http") => self.http(with, effect, variables),
            Some("openapi") => self.openapi(with, effect, variables),
            _ => self.template(with, Position::Arguments, variables).map(Arguments::plain),
        }
    }

    fn function(&mut self, node: &Node) -> Option<Manifest> {
        let reference = node.text()?;
        let name = reference.split([':', '@']).next().unwrap_or(reference);
        let known = if builtin::has(name) { builtin::catalog() } else { self.catalog };
        let error = match known.resolve(reference) {
            Ok(manifest) => return Some(manifest.clone()),
            Err(error) => error,
        };
        match error {
            ResolveError::UnknownName { near } => {
                let own = self.uses.functions.iter().map(|task| task.entry.key.as_str());
                let known = self.catalog.functions().chain(builtin::catalog().functions());
                let known = known.map(|manifest| manifest.name.as_str()).chain(own);
                let help = did_you_mean(name, known).or_else(|| {
                    (!near.is_empty()).then(|| format!("the catalog has {}", near.join(", ")))
                });
                self.report
                    .error(
                        "unknown-function",
                        &node.at,
                        format!("the catalog has no function `{name}`"),
                    )
                    .maybe_help(help);
            }
            ResolveError::UnknownVersion { known } => {
                self.report
                    .error(
                        "unknown-version",
                        &node.at,
                        format!("there is no such version of `{name}`"),
                    )
                    .help(format!("known versions: {}", known.join(", ")));
            }
            ResolveError::UnknownCatalog(catalog) => {
                self.report
                    .error("unknown-catalog", &node.at, format!("there is no catalog `{catalog}`"))
                    .help("only the catalog `default` exists");
            }
        }
        None
    }

    /// Checks what is known of the arguments before any instance runs. Computed parts stand as
    /// `null` and are left out of the findings; what an object must have or must not have is
    /// known all the same, unless the object itself is computed.
    pub(super) fn arguments(
        &mut self,
        manifest: &Manifest,
        schema: &Schema,
        with: &Template,
        node: &Node,
    ) {
        let mut computed = Vec::new();
        let value = known(with, "", &mut computed);
        if computed.iter().any(String::is_empty) {
            return;
        }
        let under = |pointer: &str, place: &str| {
            pointer == place
                || pointer.strip_prefix(place).is_some_and(|rest| rest.starts_with('/'))
        };
        for (violation, of_keys) in schema.violations(&value) {
            let inside = computed.iter().any(|place| under(&violation.pointer, place));
            let around = computed.iter().any(|place| under(place, &violation.pointer));
            if inside || (around && !of_keys) {
                continue;
            }
            let at = node.at_pointer(&violation.pointer).unwrap_or(node).at.clone();
            self.report
                .error(
                    "bad-argument",
                    &at,
                    format!("{} refuses this: {}", manifest.name, violation.message),
                )
                .help(format!("see the input of {}", manifest.reference()));
        }
    }
}

/// The value with `null` for what is computed, and the pointers of those places.
fn known(template: &Template, pointer: &str, computed: &mut Vec<String>) -> Value {
    match template {
        Template::Constant(value) => value.clone(),
        Template::Expression(_) | Template::Text(_) | Template::Uri(_) => {
            computed.push(pointer.to_owned());
            Value::Null
        }
        Template::Array(items) => items
            .iter()
            .enumerate()
            .map(|(index, item)| known(item, &format!("{pointer}/{index}"), computed))
            .collect(),
        Template::Object(fields) => {
            let field = |(key, value): &(String, Template)| {
                (key.clone(), known(value, &crate::read::child(pointer, key), computed))
            };
            Value::Object(fields.iter().map(field).collect())
        }
    }
}
