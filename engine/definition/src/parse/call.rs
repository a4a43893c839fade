//! `call`.

use super::Parser;
use super::model::Kind;
use crate::read::{Node, Yaml};

/// Protocols the language calls by a word of its own.
pub(super) const PROTOCOLS: [&str; 6] = ["asyncapi", "grpc", "http", "openapi", "a2a", "mcp"];

impl Parser<'_> {
    pub(super) fn call<'n>(&mut self, node: &'n Node, task: &'n Node) -> Kind<'n> {
        let Some(name) = self.text(node, "call") else { return Kind::Refused };
        match name {
            "http" => return self.http(node, task),
            "openapi" => return self.openapi(node, task),
            _ => {}
        }
        if PROTOCOLS.contains(&name) {
            let why = "the server speaks HTTP to other systems, and functions of its catalog";
            let instead = match name {
                "asyncapi" => "use `emit` and `listen`, or write an adapter for the broker",
                "grpc" => "use `call: http` where the service has a gateway, or write an adapter",
                _ => "use `call: http`, or write an adapter",
            };
            self.refuse(&node.at, &format!("call: {name}"), why, instead);
            return Kind::Refused;
        }
        let bare = name.split([':', '@']).next().unwrap_or(name);
        if PROTOCOLS.contains(&bare) && !name.contains("://") {
            self.report
                .error("bad-value", &node.at, format!("`{bare}` has no versions to choose from"))
                .help(format!("write `call: {bare}`"));
            return Kind::Refused;
        }
        if name.contains("://") {
            let why = "a function from elsewhere can change without notice";
            self.refuse(&node.at, "a call by URL", why, "call a function of the default catalog");
            return Kind::Refused;
        }
        let with = task.get("with").map(|entry| &entry.node);
        match with.map(|with| (&with.value, with)) {
            None | Some((Yaml::Map(_), _)) => {}
            // `with` may be one expression that gives the whole object.
            Some((Yaml::Text(text), _)) if text.trim_start().starts_with("${") => {}
            Some((
                Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) | Yaml::List(_) | Yaml::Text(_),
                with,
            )) => {
                self.wrong_type(with, "with", "an object or a `${ }` expression");
                return Kind::Refused;
            }
        }
        Kind::Call { function: node, with }
    }
}
