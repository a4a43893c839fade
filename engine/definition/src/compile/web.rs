//! `call: http` and `call: openapi`: the arguments the adapters take, and the class of the effect.

use tenure_adapter::EffectClass;

use super::Compiler;
use super::auth::Policy;
use super::call::Arguments;
use super::effect::Effect;
use super::name::{Position, Variables};
use crate::read::Node;
use crate::template::Template;

/// Arguments in the making.
type Fields = Vec<(String, Template)>;

impl<'n> Compiler<'_, 'n> {
    /// The arguments of `call: http`.
    pub(super) fn http(
        &mut self,
        with: &'n Node,
        effect: &Effect,
        variables: &Variables,
    ) -> Option<Arguments> {
        let endpoint = with.get("endpoint")?;
        let endpoint = self.endpoint(&endpoint.node, variables);
        let method = self.template(&with.get("method")?.node, Position::Arguments, variables);
        let rest = self.rest(with, &["headers", "query", "body", "output", "redirect"], variables);
        let (endpoint, scheme) = endpoint?;
        let method = match method? {
            Template::Constant(value) => {
                let upper = value.as_str().map(str::to_ascii_uppercase);
                Template::Constant(upper.map_or(value, Into::into))
            }
            computed @ (Template::Expression(_)
            | Template::Text(_)
            | Template::Uri(_)
            | Template::Array(_)
            | Template::Object(_)) => computed,
        };
        let natural = method
            .constant()
            .and_then(|method| method.as_str())
            .is_some_and(|method| matches!(method, "GET" | "HEAD" | "OPTIONS" | "PUT" | "DELETE"));
        let usual = if natural { EffectClass::Natural } else { EffectClass::AtMostOnce };
        let mut fields = vec![("method".to_owned(), method), ("endpoint".to_owned(), endpoint)];
        fields.extend(rest?);
        let class = declare(&mut fields, effect, usual);
        Some(Arguments { with: Template::Object(fields), scheme, class: Some(class) })
    }

    /// The arguments of `call: openapi`. Its method stands in a document that is read when it is
    /// called, so nothing is known of the effect but what the author says.
    pub(super) fn openapi(
        &mut self,
        with: &'n Node,
        effect: &Effect,
        variables: &Variables,
    ) -> Option<Arguments> {
        let document = with.get("document")?.node.get("endpoint")?;
        let document = self.endpoint(&document.node, variables);
        let policy = with.get("authentication").map(|node| self.policy(&node.node, variables));
        let known = ["operationId", "parameters", "output", "redirect"];
        let rest = self.rest(with, &known, variables);
        let document = Template::Object(vec![("endpoint".to_owned(), document?.0)]);
        let mut fields = vec![("document".to_owned(), document)];
        fields.extend(rest?);
        let scheme = match policy {
            Some(policy) => {
                let Policy { template, scheme } = policy?;
                fields.push(("authentication".to_owned(), template));
                Some(scheme)
            }
            None => None,
        };
        let class = declare(&mut fields, effect, EffectClass::AtMostOnce);
        Some(Arguments { with: Template::Object(fields), scheme, class: Some(class) })
    }

    fn rest(&mut self, with: &'n Node, keys: &[&str], variables: &Variables) -> Option<Fields> {
        let given = keys.iter().filter_map(|key| with.get(key));
        let fields: Vec<Option<(String, Template)>> = given
            .map(|entry| {
                let value = self.template(&entry.node, Position::Arguments, variables)?;
                Some((entry.key.clone(), value))
            })
            .collect();
        fields.into_iter().collect()
    }

    /// An address as an object with `uri` and perhaps `authentication`.
    fn endpoint(
        &mut self,
        node: &'n Node,
        variables: &Variables,
    ) -> Option<(Template, Option<&'static str>)> {
        let uri_node = node.get("uri").map_or(node, |entry| &entry.node);
        let policy = node.get("authentication").map(|entry| self.policy(&entry.node, variables));
        let uri = self.uri(uri_node, variables)?;
        self.absolute(uri_node, &uri);
        let mut fields = vec![("uri".to_owned(), uri)];
        let scheme = match policy {
            Some(policy) => {
                let Policy { template, scheme } = policy?;
                fields.push(("authentication".to_owned(), template));
                Some(scheme)
            }
            None => None,
        };
        Some((Template::Object(fields), scheme))
    }

    /// There is no base that a relative URI could be read against.
    fn absolute(&mut self, node: &Node, uri: &Template) {
        let beginning = match uri {
            Template::Constant(value) => value.as_str().unwrap_or_default(),
            Template::Uri(template) if !template.beginning().is_empty() => template.beginning(),
            Template::Uri(_)
            | Template::Expression(_)
            | Template::Text(_)
            | Template::Array(_)
            | Template::Object(_) => return,
        };
        let lower = beginning.to_ascii_lowercase();
        if !["http://", "https://"].iter().any(|scheme| lower.starts_with(scheme)) {
            self.report
                .error("bad-uri", &node.at, "the address of a call begins with http:// or https://")
                .label("there is nothing to read it against")
                .help("write the whole URI");
        }
    }
}

/// Adds what the adapter must know of a declaration, and gives the class. `repeatable` says that
/// twice is the same or acceptable. A key is no such thing: it protects a repetition under the same
/// key, while a new try after a failure has a new one.
fn declare(fields: &mut Fields, effect: &Effect, usual: EffectClass) -> EffectClass {
    let Effect::Declared(class, header) = effect else { return usual };
    let repeatable = match class {
        EffectClass::Natural | EffectClass::AtLeastOnce => true,
        EffectClass::Keyed { .. } | EffectClass::AtMostOnce | EffectClass::Lookup => false,
    };
    fields.push(("repeatable".to_owned(), Template::Constant(repeatable.into())));
    if let Some(header) = header {
        let header = Template::Constant(header.as_str().into());
        fields.push(("idempotency_header".to_owned(), header));
    }
    *class
}
