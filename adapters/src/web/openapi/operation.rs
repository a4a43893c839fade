//! One operation of a document: where it is and what it talks.

use reqwest::Method;
use serde_json::Value;
use tenure_adapter::Outcome;

use super::document::Document;
use crate::web::answer::is_json;
use crate::web::proof::configuration;

/// Most names that a message suggests.
const SUGGESTIONS_MAX: usize = 5;

/// An operation, with all it inherits.
#[derive(Debug)]
pub(crate) struct Operation<'a> {
    pub(crate) document: &'a Document,
    pub(crate) id: &'a str,
    pub(crate) method: Method,
    /// The path with its `{parameters}`.
    pub(crate) path: &'a str,
    pub(crate) item: &'a Value,
    pub(crate) fields: &'a Value,
}

impl<'a> Operation<'a> {
    /// Finds an operation by its id. A path that means nothing here is not in the way of the
    /// others, and is named only when the operation is missed.
    ///
    /// # Errors
    /// `configuration`, when none or several have it.
    pub(crate) fn find(document: &'a Document, id: &str) -> Result<Self, Outcome> {
        let mut found: Vec<Self> = Vec::new();
        let mut known = Vec::new();
        let mut unread = Unread::default();
        let paths = document.root.get("paths").and_then(Value::as_object);
        for (path, item) in paths.into_iter().flatten() {
            let item = match document.meaning(item) {
                Ok(item) => item,
                Err(why) => {
                    unread.add(path, why);
                    continue;
                }
            };
            for method in METHODS {
                let Some(fields) = item.get(method.as_str().to_ascii_lowercase()) else { continue };
                let Some(own) = fields.get("operationId").and_then(Value::as_str) else { continue };
                known.push(own);
                if own == id {
                    found.push(Self { document, id: own, method, path, item, fields });
                }
            }
        }
        if found.len() > 1 {
            return Err(configuration(format!(
                "the OpenAPI document has more than one operation `{id}`"
            )));
        }
        found.pop().ok_or_else(|| {
            configuration(format!(
                "the OpenAPI document has no operation `{id}`{}{}",
                suggestion(id, &known),
                unread.words()
            ))
        })
    }

    /// The base of all paths, without a trailing slash.
    pub(crate) fn server(&self) -> Result<String, Outcome> {
        let text = if self.document.is_swagger { self.host() } else { self.servers()? };
        let url = self.document.url.join(&text).map_err(|error| {
            configuration(format!("the server `{text}` of the OpenAPI document: {error}"))
        })?;
        if url.query().is_some() {
            return Err(configuration(format!(
                "the server `{text}` of the OpenAPI document has a query, which no server can have"
            )));
        }
        Ok(url.as_str().trim_end_matches('/').to_owned())
    }

    /// Swagger 2.0: scheme, host and base path, each as the document's own when absent.
    fn host(&self) -> String {
        let root = &self.document.root;
        let text = |name: &str| root.get(name).and_then(Value::as_str);
        let own = self.document.url.scheme();
        let schemes = self.fields.get("schemes").or_else(|| root.get("schemes"));
        let schemes: Vec<_> = schemes
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let scheme = if schemes.is_empty() || schemes.contains(&own) {
            own
        } else if schemes.contains(&"https") {
            "https"
        } else {
            "http"
        };
        let base = text("basePath").unwrap_or("/");
        let slash = if base.starts_with('/') { "" } else { "/" };
        match text("host") {
            Some(host) => format!("{scheme}://{host}{slash}{base}"),
            None => format!("{slash}{base}"),
        }
    }

    /// OpenAPI 3: the first server of the operation, its path or the document.
    fn servers(&self) -> Result<String, Outcome> {
        let first = |place: &'a Value| place.get("servers").and_then(|servers| servers.get(0));
        let server =
            first(self.fields).or_else(|| first(self.item)).or_else(|| first(&self.document.root));
        let Some(server) = server else { return Ok("/".to_owned()) };
        let mut text = server.get("url").and_then(Value::as_str).unwrap_or("/").to_owned();
        let variables = server.get("variables").and_then(Value::as_object);
        for (name, variable) in variables.into_iter().flatten() {
            let default = variable.get("default").and_then(Value::as_str).unwrap_or_default();
            text = text.replace(&format!("{{{name}}}"), default);
        }
        if text.contains('{') {
            return Err(configuration(format!(
                "the server `{text}` of the OpenAPI document has a variable without a default"
            )));
        }
        Ok(text)
    }

    /// The JSON type that it answers with, when the document names one.
    pub(crate) fn accept(&self) -> Option<String> {
        if self.document.is_swagger {
            let produces =
                self.fields.get("produces").or_else(|| self.document.root.get("produces"))?;
            let mut types = produces.as_array()?.iter().filter_map(Value::as_str);
            return types.find(|kind| is_json(essence(kind))).map(str::to_owned);
        }
        let responses = self.fields.get("responses")?.as_object()?;
        responses
            .iter()
            .filter(|(status, _)| status.starts_with('2') || *status == "default")
            .filter_map(|(_, response)| self.document.resolve(response).ok()?.get("content"))
            .filter_map(Value::as_object)
            .flat_map(|content| content.keys())
            .find(|kind| is_json(essence(kind)))
            .cloned()
    }
}

/// The paths of a document that mean nothing here.
#[derive(Default)]
struct Unread<'a> {
    count: usize,
    first: Option<(&'a str, String)>,
}

impl<'a> Unread<'a> {
    fn add(&mut self, path: &'a str, why: String) {
        self.count += 1;
        self.first.get_or_insert((path, why));
    }

    fn words(&self) -> String {
        let Some((path, why)) = &self.first else { return String::new() };
        let others = match self.count - 1 {
            0 => String::new(),
            n => format!(" (and {n} more like it)"),
        };
        format!("; its path {path} could not be read{others}: {why}")
    }
}

/// A media type without its parameters.
pub(crate) fn essence(kind: &str) -> &str {
    kind.split(';').next().unwrap_or(kind).trim()
}

/// What an operation may be. TRACE echoes credentials back and is left out.
const METHODS: [Method; 7] = [
    Method::GET,
    Method::PUT,
    Method::POST,
    Method::DELETE,
    Method::OPTIONS,
    Method::HEAD,
    Method::PATCH,
];

/// Names that differ in case, or contain one another; all when there are few.
fn suggestion(id: &str, known: &[&str]) -> String {
    let lower = id.to_ascii_lowercase();
    let mut near: Vec<_> = known
        .iter()
        .filter(|name| {
            let name = name.to_ascii_lowercase();
            name.contains(&lower) || lower.contains(&name)
        })
        .take(SUGGESTIONS_MAX)
        .copied()
        .collect();
    if near.is_empty() && known.len() <= SUGGESTIONS_MAX {
        near = known.to_vec();
    }
    if near.is_empty() { String::new() } else { format!("; it has {}", near.join(", ")) }
}
