//! `call: http` and `call: openapi`, and the authentication they use.

use super::Parser;
use super::model::Kind;
use crate::diagnostic::did_you_mean;
use crate::read::{Node, Yaml};

/// Methods of HTTP that a call can use.
pub(crate) const METHODS: [&str; 7] = ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "POST", "PATCH"];
/// Schemes of authentication, as the language names them.
pub(crate) const SCHEMES: [&str; 4] = ["basic", "bearer", "oauth2", "oidc"];
/// Forms of what a call gives.
const OUTPUTS: [&str; 3] = ["raw", "content", "response"];
/// Fields of `oauth2` and `oidc`.
const OAUTH: [&str; 11] = [
    "authority",
    "grant",
    "client",
    "request",
    "issuers",
    "scopes",
    "audiences",
    "username",
    "password",
    "subject",
    "actor",
];

impl Parser<'_> {
    pub(super) fn http<'n>(&mut self, function: &'n Node, task: &'n Node) -> Kind<'n> {
        const KNOWN: &[&str] =
            &["method", "endpoint", "headers", "body", "query", "output", "redirect"];
        let Some(with) = self.web_fields(task, "call: http", KNOWN) else { return Kind::Refused };
        let method = self.required(with, "method", "call: http");
        if let Some(method) = method {
            self.method(method);
        }
        let endpoint = self.required(with, "endpoint", "call: http");
        for key in ["headers", "query"] {
            self.object_or_expression(with, key);
        }
        let fits = endpoint.is_some_and(|endpoint| self.endpoint(endpoint));
        if !fits || method.is_none() {
            return Kind::Refused;
        }
        Kind::Call { function, with: Some(with) }
    }

    pub(super) fn openapi<'n>(&mut self, function: &'n Node, task: &'n Node) -> Kind<'n> {
        const KNOWN: &[&str] =
            &["document", "operationId", "parameters", "authentication", "output", "redirect"];
        let Some(with) = self.web_fields(task, "call: openapi", KNOWN) else {
            return Kind::Refused;
        };
        let operation = self.required(with, "operationId", "call: openapi");
        let named = operation.is_some_and(|node| self.text(node, "operationId").is_some());
        self.object_or_expression(with, "parameters");
        if let Some(policy) = with.get("authentication") {
            self.authentication(&policy.node, true);
        }
        let fits = self
            .required(with, "document", "call: openapi")
            .is_some_and(|document| self.resource(document, "document"));
        if !fits || !named {
            return Kind::Refused;
        }
        Kind::Call { function, with: Some(with) }
    }

    fn web_fields<'n>(&mut self, task: &'n Node, what: &str, known: &[&str]) -> Option<&'n Node> {
        let with = self.required(task, "with", what)?;
        self.object(with, what, known)?;
        if let Some(output) = with.get("output")
            && let Some(text) = self.text(&output.node, "output")
            && !OUTPUTS.contains(&text)
        {
            self.report
                .error("bad-value", &output.node.at, format!("`{text}` is not a form of output"))
                .help("use raw, content or response");
        }
        self.flag(with, "redirect", false);
        Some(with)
    }

    fn method(&mut self, node: &Node) {
        let Some(text) = self.text(node, "method") else { return };
        if text.contains("${") || METHODS.contains(&text.to_ascii_uppercase().as_str()) {
            return;
        }
        let near = did_you_mean(&text.to_ascii_uppercase(), METHODS);
        self.report
            .error("bad-value", &node.at, format!("`{text}` is not a method of HTTP"))
            .help(near.unwrap_or_else(|| format!("use one of {}", METHODS.join(", "))));
    }

    fn object_or_expression(&mut self, parent: &Node, key: &str) {
        let Some(entry) = parent.get(key) else { return };
        match &entry.node.value {
            Yaml::Map(_) => {}
            Yaml::Text(text) if text.trim_start().starts_with("${") => {}
            Yaml::Text(_) | Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) | Yaml::List(_) => {
                self.wrong_type(&entry.node, key, "an object or a `${ }` expression");
            }
        }
    }

    /// An external resource: an optional name, and where it is.
    fn resource(&mut self, node: &Node, what: &str) -> bool {
        if self.object(node, what, &["name", "endpoint"]).is_none() {
            return false;
        }
        self.optional_text(node, "name");
        self.required(node, "endpoint", what).is_some_and(|endpoint| self.endpoint(endpoint))
    }

    /// An address: a URI, or an object with it. Says whether there is one.
    pub(super) fn endpoint(&mut self, node: &Node) -> bool {
        match &node.value {
            Yaml::Text(_) => true,
            Yaml::Map(_) => {
                self.object(node, "endpoint", &["uri", "authentication"]);
                if let Some(policy) = node.get("authentication") {
                    self.authentication(&policy.node, true);
                }
                self.required(node, "uri", "endpoint")
                    .is_some_and(|uri| self.text(uri, "uri").is_some())
            }
            Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) | Yaml::List(_) => {
                self.wrong_type(node, "endpoint", "a URI or an object with one");
                false
            }
        }
    }

    /// An authentication policy; `named` where it may be a reference.
    pub(super) fn authentication(&mut self, node: &Node, named: bool) {
        let mut known = SCHEMES.to_vec();
        known.extend(["digest", "certificate"]);
        if named {
            known.push("use");
        }
        let Some(entries) = self.object(node, "authentication", &known) else { return };
        let mut ways = entries.iter().filter(|entry| known.contains(&entry.key.as_str()));
        let Some(way) = ways.next() else {
            self.report
                .error("missing-field", &node.at, "an authentication needs its scheme")
                .help(format!("give one of {}", SCHEMES.join(", ")));
            return;
        };
        if let Some(second) = ways.next() {
            let message = format!("`{}` and `{}` exclude each other", way.key, second.key);
            self.report.error("bad-value", &second.at, message).label("the second one");
        }
        let (what, policy) = (way.key.as_str(), &way.node);
        match what {
            "use" => _ = self.text(policy, "authentication.use"),
            "digest" | "certificate" => {
                let why = "the server sends no credentials of that kind";
                let instead = "use basic over https, bearer, oauth2 or oidc";
                self.refuse(&way.at, &format!("authentication.{what}"), why, instead);
            }
            _ if policy.get("use").is_some() => {
                self.object(policy, what, &["use"]);
                self.optional_text(policy, "use");
            }
            "basic" => self.credentials(policy, what, &["username", "password"]),
            "bearer" => self.credentials(policy, what, &["token"]),
            _ => self.oauth(policy, what),
        }
    }

    fn credentials(&mut self, node: &Node, what: &str, fields: &[&str]) {
        if self.object(node, what, fields).is_none() {
            return;
        }
        for field in fields {
            if let Some(value) = self.required(node, field, what) {
                self.text(value, field);
            }
        }
    }

    fn oauth(&mut self, node: &Node, what: &str) {
        let mut known = OAUTH.to_vec();
        if what == "oauth2" {
            known.push("endpoints");
        }
        if self.object(node, what, &known).is_none() {
            return;
        }
        if let Some(authority) = self.required(node, "authority", what) {
            self.text(authority, "authority");
        }
        if let Some(grant) = self.required(node, "grant", what) {
            self.grant(grant);
        }
        for key in ["username", "password"] {
            self.optional_text(node, key);
        }
        for key in ["scopes", "audiences", "issuers"] {
            if let Some(entry) = node.get(key) {
                for item in self.list(&entry.node, key) {
                    self.text(item, key);
                }
            }
        }
        self.oauth_parts(node);
    }

    fn oauth_parts(&mut self, node: &Node) {
        const CLIENT: &[&str] = &["id", "secret", "assertion", "authentication"];
        const PROOFS: [&str; 5] = [
            "client_secret_basic",
            "client_secret_post",
            "client_secret_jwt",
            "private_key_jwt",
            "none",
        ];
        let parts: [(&str, &[&str]); 5] = [
            ("client", CLIENT),
            ("request", &["encoding"]),
            ("endpoints", &["token", "revocation", "introspection"]),
            ("subject", &["token", "type"]),
            ("actor", &["token", "type"]),
        ];
        for (key, known) in parts {
            let Some(entry) = node.get(key) else { continue };
            if self.object(&entry.node, key, known).is_some() {
                for field in known {
                    self.optional_text(&entry.node, field);
                }
            }
        }
        if let Some(proof) = node.get("client").and_then(|client| client.node.get("authentication"))
            && let Some(text) = proof.node.text()
            && !PROOFS.contains(&text)
        {
            self.report
                .error("bad-value", &proof.node.at, format!("`{text}` is no way to prove a client"))
                .help(
                    did_you_mean(text, PROOFS)
                        .unwrap_or_else(|| format!("use one of {}", PROOFS.join(", "))),
                );
        }
    }

    fn grant(&mut self, node: &Node) {
        const DONE: [&str; 2] = ["client_credentials", "password"];
        const REFUSED: [&str; 3] = [
            "authorization_code",
            "refresh_token",
            "urn:ietf:params:oauth:grant-type:token-exchange",
        ];
        let Some(text) = self.text(node, "grant") else { return };
        if REFUSED.contains(&text) {
            let why = "a definition has no person and no earlier token to get one with";
            self.refuse(&node.at, &format!("the grant {text}"), why, "use client_credentials");
        } else if !DONE.contains(&text) {
            self.report.error("bad-value", &node.at, format!("`{text}` is not a grant")).help(
                did_you_mean(text, DONE).unwrap_or_else(|| "use client_credentials".to_owned()),
            );
        }
    }
}
