//! OpenAPI documents: read, kept for a while, asked again by their ETag.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::{Method, Url};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tenure_adapter::Outcome;

use crate::http::{Body, Budget};
use crate::web::answer::retry_after_ms;
use crate::web::auth::Auth;
use crate::web::input::Endpoint;
use crate::web::mask;
use crate::web::proof::{Promise, configuration};
use crate::web::request::absolute;
use crate::web::send::{Outgoing, Sender, masked};

/// Largest document, in bytes.
pub(crate) const DOCUMENT_MAX_BYTES: usize = 4 * 1024 * 1024;
/// Kept documents together, in bytes of their text; the one that was used longest ago goes first.
const KEPT_MAX_BYTES: usize = 16 * 1024 * 1024;
/// Most kept documents.
const KEPT_MAX: usize = 64;
/// A kept document is believed this long before its server is asked whether it changed.
const FRESH: Duration = Duration::from_secs(300);
/// Most `$ref`s from one place to what it means.
const REFS_MAX: usize = 16;
/// Most values of a document in YAML, counting what aliases repeat.
const NODES_MAX: usize = 500_000;

/// A document that was read.
#[derive(Debug)]
pub(crate) struct Document {
    /// Where it was found in the end: relative servers are relative to this.
    pub(crate) url: Url,
    /// Its root.
    pub(crate) root: Value,
    /// Swagger 2.0, not OpenAPI 3.
    pub(crate) is_swagger: bool,
}

/// The kept documents, by a digest of URI and credentials: who may not read one does not get
/// another definition's copy.
#[derive(Default)]
pub(crate) struct Documents(Mutex<BTreeMap<[u8; 32], Kept>>);

#[derive(Clone)]
struct Kept {
    document: Arc<Document>,
    etag: Option<String>,
    bytes: usize,
    checked_at: Instant,
    used_at: Instant,
}

impl std::fmt::Debug for Documents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Documents").finish_non_exhaustive()
    }
}

impl Documents {
    /// The document of an endpoint.
    ///
    /// # Errors
    /// Never `Unknown`: without the document the operation was not called.
    pub(crate) async fn get(
        &self,
        endpoint: &Endpoint,
        sender: &Sender,
        budget: &Budget,
    ) -> Result<Arc<Document>, Outcome> {
        let policy = endpoint.authentication.as_ref().map(Value::to_string).unwrap_or_default();
        let digest = Sha256::digest(format!("{}\n{policy}", endpoint.uri)).into();
        let kept = self.touch(&digest);
        if let Some(kept) = &kept
            && kept.checked_at.elapsed() < FRESH
        {
            return Ok(Arc::clone(&kept.document));
        }
        let fresh = fetch(endpoint, kept, sender, budget).await?;
        let document = Arc::clone(&fresh.document);
        self.keep(digest, fresh);
        Ok(document)
    }

    fn touch(&self, digest: &[u8; 32]) -> Option<Kept> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = all.get_mut(digest)?;
        kept.used_at = Instant::now();
        Some(kept.clone())
    }

    fn keep(&self, digest: [u8; 32], fresh: Kept) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(digest, fresh);
        while all.len() > KEPT_MAX || all.values().map(|k| k.bytes).sum::<usize>() > KEPT_MAX_BYTES
        {
            let oldest = all.iter().min_by_key(|(_, kept)| kept.used_at).map(|(key, _)| *key);
            let Some(oldest) = oldest else { break };
            all.remove(&oldest);
        }
    }
}

async fn fetch(
    endpoint: &Endpoint,
    kept: Option<Kept>,
    sender: &Sender,
    budget: &Budget,
) -> Result<Kept, Outcome> {
    let url = absolute(&endpoint.uri)?;
    let place = mask::place(&url);
    let auth = endpoint.authentication.as_ref().map(Auth::read).transpose()?;
    let accept = "application/json, application/yaml;q=0.9, */*;q=0.8";
    let mut headers = vec![("accept".to_owned(), accept.to_owned())];
    let etag = kept.as_ref().and_then(|kept| kept.etag.clone());
    headers.extend(etag.map(|etag| ("if-none-match".to_owned(), etag)));
    let mut outgoing = Outgoing::new(Method::GET, url, headers, Body::Empty, auth)?;
    outgoing.answer_max = DOCUMENT_MAX_BYTES;
    let mut mask = outgoing.mask();
    let received = sender
        .exchange(outgoing, true, budget, &mut mask)
        .await
        .map_err(|stopped| masked(stopped, &mask))?;
    let now = Instant::now();
    let answer = received.answer;
    if let Some(kept) = kept.filter(|_| answer.status == 304) {
        return Ok(Kept { checked_at: now, used_at: now, ..kept });
    }
    if !(200..300).contains(&answer.status) {
        let detail = format!("the OpenAPI document {place} was answered {}", answer.status);
        let wish = retry_after_ms(&answer, jiff::Timestamp::now());
        return Err(Promise::Safe.status(answer.status, detail, wish));
    }
    let etag = answer.header("etag").map(str::to_owned);
    let bytes = answer.body.len();
    // Megabytes are read for longer than other tasks should wait.
    let root = tokio::task::spawn_blocking(move || read(&answer.body)).await;
    let root = match root {
        Ok(root) => root,
        Err(error) => Err(format!("reading it failed: {error}")),
    };
    let root = root.map_err(|why| configuration(format!("the OpenAPI document {place}: {why}")))?;
    let is_swagger = version(&root)
        .map_err(|why| configuration(format!("the OpenAPI document {place}: {why}")))?;
    let document = Arc::new(Document { url: received.url, root, is_swagger });
    Ok(Kept { document, etag, bytes, checked_at: now, used_at: now })
}

/// JSON, or YAML 1.2 within a budget.
fn read(body: &[u8]) -> Result<Value, String> {
    let text = std::str::from_utf8(body).map_err(|_| "it is not UTF-8".to_owned())?;
    let text = text.trim_start_matches('\u{FEFF}');
    if text.trim_start().starts_with('{') {
        match serde_json::from_str(text) {
            Ok(root) => return Ok(root),
            // A flow mapping of YAML begins alike; a broken JSON gets JSON's own words.
            Err(json) => return yaml(text).map_err(|_| format!("it is not JSON: {json}")),
        }
    }
    yaml(text)
}

fn yaml(text: &str) -> Result<Value, String> {
    let options = serde_saphyr::options! {
        strict_booleans: true,
        budget: serde_saphyr::budget! { max_nodes: NODES_MAX },
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options)
        .map_err(|error| format!("it is neither JSON nor YAML: {error}"))
}

/// Whether it is Swagger 2.0, or OpenAPI 3.
fn version(root: &Value) -> Result<bool, String> {
    let text = |name: &str| match root.get(name) {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) | None => None,
    };
    match (text("swagger"), text("openapi")) {
        (Some(version), _) if version.starts_with("2.") => Ok(true),
        (_, Some(version)) if version.starts_with("3.0") || version.starts_with("3.1") => Ok(false),
        (Some(version), _) | (_, Some(version)) => {
            Err(format!("its version {version} is not supported: 2.0, 3.0 and 3.1 are"))
        }
        (None, None) => {
            Err("it has neither `swagger` nor `openapi`: it is no OpenAPI document".to_owned())
        }
    }
}

impl Document {
    /// What a place means: follows `$ref` within the document.
    ///
    /// # Errors
    /// `configuration`, when it leads elsewhere, nowhere or in circles.
    pub(crate) fn resolve<'a>(&'a self, place: &'a Value) -> Result<&'a Value, Outcome> {
        self.meaning(place).map_err(configuration)
    }

    /// As [`Document::resolve`], for a place that may not matter.
    ///
    /// # Errors
    /// Why it means nothing here.
    pub(crate) fn meaning<'a>(&'a self, mut place: &'a Value) -> Result<&'a Value, String> {
        for _ in 0..REFS_MAX {
            let Some(reference) = place.get("$ref").and_then(Value::as_str) else {
                return Ok(place);
            };
            let Some(pointer) = reference.strip_prefix('#') else {
                return Err(format!(
                    "`$ref: {reference}` leads out of the OpenAPI document: bundle it into one"
                ));
            };
            let pointer = percent_encoding::percent_decode_str(pointer).decode_utf8_lossy();
            place = self.root.pointer(&pointer).ok_or_else(|| {
                format!("`$ref: {reference}` leads nowhere in the OpenAPI document")
            })?;
        }
        Err(format!("a `$ref` of the OpenAPI document needs more than {REFS_MAX} steps"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn documents_are_json_or_yaml() {
        let yaml = "openapi: 3.0.1\npaths:\n  /a:\n    get:\n      responses:\n        200: {description: on}\n";
        let root = read(yaml.as_bytes()).unwrap();
        assert_eq!(root["paths"]["/a"]["get"]["responses"]["200"]["description"], "on");
        assert_eq!(read(b"{\"swagger\": \"2.0\"}").unwrap(), json!({ "swagger": "2.0" }));
        assert_eq!(read(b"\xef\xbb\xbf{swagger: 2.0}").unwrap(), json!({ "swagger": 2.0 }));
        for (text, words) in [
            (&b"{\"a\": "[..], "not JSON"),
            (b"a: [1", "neither JSON nor YAML"),
            (b"\xff\xfe", "not UTF-8"),
            (b"a: 1\na: 2", "neither JSON nor YAML"),
        ] {
            assert!(read(text).unwrap_err().contains(words), "{words}");
        }
    }

    #[test]
    fn an_alias_bomb_is_refused() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..12 {
            let refs = vec![format!("*a{}", n - 1); 10].join(", ");
            text.push_str(&format!("a{n}: &a{n} [{refs}]\n"));
        }
        assert!(read(text.as_bytes()).is_err());
        assert!(read("[".repeat(100_000).as_bytes()).is_err());
    }

    #[test]
    fn versions_are_known() {
        for (root, expected) in [
            (json!({ "swagger": "2.0" }), Some(true)),
            (json!({ "swagger": 2.0 }), Some(true)),
            (json!({ "openapi": "3.0.3" }), Some(false)),
            (json!({ "openapi": "3.1.0" }), Some(false)),
            (json!({ "openapi": "4.0.0" }), None),
            (json!({ "swagger": "1.2" }), None),
            (json!([]), None),
        ] {
            assert_eq!(version(&root).ok(), expected, "{root}");
        }
    }

    #[test]
    fn references_stay_inside_and_end() {
        let root = json!({
            "a": { "$ref": "#/b~1c" }, "b/c": { "x": 1 }, "loop": { "$ref": "#/loop" },
            "out": { "$ref": "other.json#/a" }, "gone": { "$ref": "#/nowhere" },
        });
        let url = Url::parse("https://a.example/d.json").unwrap();
        let document = Document { url, root, is_swagger: false };
        assert_eq!(document.resolve(&document.root["a"]), Ok(&json!({ "x": 1 })));
        for (name, words) in [("loop", "steps"), ("out", "leads out"), ("gone", "nowhere")] {
            let Err(Outcome::Failed { error }) = document.resolve(&document.root[name]) else {
                panic!("{name}");
            };
            assert!(error.detail.unwrap().contains(words), "{name}");
        }
    }

    #[test]
    fn only_so_much_is_kept() {
        let documents = Documents::default();
        for n in 0..(KEPT_MAX + 8) {
            let url = Url::parse("https://a.example/d.json").unwrap();
            let now = Instant::now();
            let kept = Kept {
                document: Arc::new(Document { url, root: Value::Null, is_swagger: true }),
                etag: None,
                bytes: 1024 * 1024,
                checked_at: now,
                used_at: now,
            };
            let mut digest = [0; 32];
            digest[..8].copy_from_slice(&n.to_be_bytes());
            documents.keep(digest, kept);
        }
        assert_eq!(documents.0.lock().unwrap().len(), KEPT_MAX_BYTES / (1024 * 1024));
    }
}
