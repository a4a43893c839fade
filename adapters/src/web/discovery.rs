//! `oidc`: the token endpoint as the authority's discovery document names it.

use reqwest::{Method, Url};
use serde_json::Value;
use tenure_adapter::Outcome;

use super::auth::OAuth;
use super::proof::authentication;
use super::token::{ANSWER_MAX_BYTES, before, refused};
use crate::http::{Budget, Call, Client};

/// Where OpenID Connect Discovery puts the document.
const WELL_KNOWN: &str = "/.well-known/openid-configuration";

/// Reads the document. It is read whenever a token is fetched, which is rare enough not to keep it.
pub(crate) async fn token_endpoint(
    policy: &OAuth,
    client: &Client,
    budget: &Budget,
) -> Result<String, Outcome> {
    let authority = policy.authority.trim_end_matches('/');
    let call = Call {
        answer_max: ANSWER_MAX_BYTES,
        ..Call::new(Method::GET, format!("{authority}{WELL_KNOWN}"))
    };
    let answer = client.send(call, budget).await.map_err(|failure| before(authority, failure))?;
    if !(200..300).contains(&answer.status) {
        return Err(refused(&format!("{authority}{WELL_KNOWN}"), &answer));
    }
    let document = answer.json().unwrap_or(Value::Null);
    let field = |name: &str| document.get(name).and_then(Value::as_str);
    let (Some(issuer), Some(endpoint)) = (field("issuer"), field("token_endpoint")) else {
        return Err(authentication(format!(
            "the discovery document of {authority} names no `issuer` and `token_endpoint`"
        )));
    };
    // Whoever can answer in the authority's place must not be able to send the secret elsewhere.
    let expected = |name: &String| name.trim_end_matches('/') == issuer.trim_end_matches('/');
    if !expected(&policy.authority) && !policy.issuers.iter().any(expected) {
        return Err(authentication(format!(
            "the discovery document of {authority} was issued by {issuer}: list it under `issuers` if that is right"
        )));
    }
    let is_plain =
        |text: &str| Url::parse(text).is_ok_and(|url| url.scheme().eq_ignore_ascii_case("http"));
    if is_plain(endpoint) && !is_plain(authority) {
        return Err(authentication(format!(
            "the discovery document of {authority} names a token endpoint without https"
        )));
    }
    Ok(endpoint.to_owned())
}
