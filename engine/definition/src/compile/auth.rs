//! Authentication policies of `call: http` and `call: openapi`.

use super::Compiler;
use super::name::{Position, Variables};
use crate::expression::Expression;
use crate::parse::web::SCHEMES;
use crate::read::locate::locate;
use crate::read::{Entry, Node};
use crate::template::Template;
use crate::uri::UriTemplate;

/// A policy as an argument of the call, and its scheme as `$authorization` shows it.
pub(super) struct Policy {
    pub(super) template: Template,
    pub(super) scheme: &'static str,
}

impl<'n> Compiler<'_, 'n> {
    /// A policy, written in its place or by its name in `use.authentications`.
    pub(super) fn policy(&mut self, node: &'n Node, variables: &Variables) -> Option<Policy> {
        let node = match node.get("use") {
            Some(reference) => {
                let uses = self.uses;
                let known =
                    uses.authentications.iter().map(|(entry, node)| (entry.key.as_str(), *node));
                self.named(&reference.node, "authentications", known)?
            }
            None => node,
        };
        let way = node.entries()?.iter().find(|way| SCHEMES.contains(&way.key.as_str()))?;
        let (scheme, token) = match way.key.as_str() {
            "basic" => ("Basic", false),
            "bearer" => ("Bearer", false),
            _ => ("Bearer", true),
        };
        let fields = match way.node.get("use") {
            Some(secret) => {
                Template::Object(vec![("secret".to_owned(), self.secret(&secret.node)?)])
            }
            None if token => self.oauth(way, variables)?,
            None => self.template(&way.node, Position::Arguments, variables)?,
        };
        let template = Template::Object(vec![(way.key.clone(), fields)]);
        Some(Policy { template, scheme })
    }

    /// The secret a policy names: its value is the whole policy.
    fn secret(&mut self, node: &Node) -> Option<Template> {
        let name = node.text()?;
        if !self.knows_secret(name, &node.at) {
            return None;
        }
        let source = format!("$secrets[{}]", serde_json::Value::from(name));
        // A name may hold anything, but it is quoted as JSON, which jq reads as it is.
        Expression::compile(&source, &["secrets"]).ok().map(Template::Expression)
    }

    /// `oauth2` and `oidc`: like any template, but addresses are URI templates.
    fn oauth(&mut self, way: &'n Entry, variables: &Variables) -> Option<Template> {
        let fields: Vec<Option<(String, Template)>> = way
            .node
            .entries()?
            .iter()
            .map(|field| {
                let value = match field.key.as_str() {
                    "authority" => self.uri(&field.node, variables),
                    "endpoints" => self.addresses(&field.node, variables),
                    _ => self.template(&field.node, Position::Arguments, variables),
                };
                value.map(|value| (field.key.clone(), value))
            })
            .collect();
        fields.into_iter().collect::<Option<_>>().map(Template::Object)
    }

    fn addresses(&mut self, node: &'n Node, variables: &Variables) -> Option<Template> {
        let fields: Vec<Option<(String, Template)>> = node
            .entries()?
            .iter()
            .map(|field| Some((field.key.clone(), self.uri(&field.node, variables)?)))
            .collect();
        fields.into_iter().collect::<Option<_>>().map(Template::Object)
    }

    /// A URI: a template of it, or text with `${ }`.
    pub(super) fn uri(&mut self, node: &'n Node, variables: &Variables) -> Option<Template> {
        let text = node.text()?;
        if text.contains("${") {
            return self.template(node, Position::Arguments, variables);
        }
        match UriTemplate::parse(text) {
            Ok(uri) => Some(match uri.constant() {
                Some(constant) => Template::Constant(constant.into()),
                None => Template::Uri(uri),
            }),
            Err(fault) => {
                let at = locate(self.lines, node, &fault.range);
                self.report.error("bad-uri", &at, fault.message).help(fault.help);
                None
            }
        }
    }

    /// Policies under `use` are compiled where they are named; here each is looked at once.
    pub(super) fn check_policies(&mut self, variables: &Variables) {
        let uses = self.uses;
        for (_, node) in &uses.authentications {
            self.policy(node, variables);
        }
    }
}
