//! Authentication policies, as the language writes them.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tenure_adapter::Outcome;

use super::input::plain;
use super::mask::Mask;
use super::proof::configuration;

/// The credentials of a request. No `Debug`: it is made of them.
#[derive(Clone)]
pub(crate) enum Auth {
    Basic { username: String, password: String },
    Bearer { token: String },
    Token(Box<OAuth>),
}

/// A token that has to be fetched.
#[derive(Clone, Deserialize)]
pub(crate) struct OAuth {
    /// Base of the token endpoint, or of the discovery document.
    pub(crate) authority: String,
    pub(crate) grant: String,
    #[serde(default)]
    pub(crate) client: OAuthClient,
    #[serde(default)]
    pub(crate) scopes: Vec<String>,
    #[serde(default)]
    pub(crate) audiences: Vec<String>,
    /// Who may have issued the token; anyone when empty.
    #[serde(default)]
    pub(crate) issuers: Vec<String>,
    #[serde(default)]
    pub(crate) endpoints: Endpoints,
    #[serde(default)]
    pub(crate) request: TokenRequest,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<String>,
    /// Whether the token endpoint is found by discovery (`oidc`).
    #[serde(skip)]
    pub(crate) discover: bool,
}

/// Who asks for the token.
#[derive(Clone, Default, Deserialize)]
pub(crate) struct OAuthClient {
    pub(crate) id: Option<String>,
    pub(crate) secret: Option<String>,
    pub(crate) assertion: Option<String>,
    #[serde(default)]
    pub(crate) authentication: ClientAuthentication,
}

/// How the client proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ClientAuthentication {
    ClientSecretBasic,
    #[default]
    ClientSecretPost,
    ClientSecretJwt,
    PrivateKeyJwt,
    None,
}

/// Where the authority answers, below its own address.
#[derive(Clone, Deserialize)]
pub(crate) struct Endpoints {
    #[serde(default = "token_path")]
    pub(crate) token: String,
}

impl Default for Endpoints {
    fn default() -> Self {
        Self { token: token_path() }
    }
}

fn token_path() -> String {
    "/oauth2/token".to_owned()
}

/// How the token is asked for.
#[derive(Clone, Default, Deserialize)]
pub(crate) struct TokenRequest {
    pub(crate) encoding: Option<String>,
}

#[derive(Deserialize)]
struct Basic {
    username: String,
    password: String,
}

#[derive(Deserialize)]
struct Bearer {
    token: String,
}

impl Auth {
    /// Reads `{scheme: {…}}` or `{scheme: {secret: "the same as JSON text"}}`.
    ///
    /// # Errors
    /// `configuration`, in words that never quote a value.
    pub(crate) fn read(policy: &Value) -> Result<Self, Outcome> {
        let Some((scheme, fields)) =
            policy.as_object().filter(|policy| policy.len() == 1).and_then(|p| p.iter().next())
        else {
            return Err(configuration(
                "an authentication policy has exactly one scheme: basic, bearer, oauth2 or oidc",
            ));
        };
        match scheme.as_str() {
            "basic" => {
                let Basic { username, password } = read(scheme, fields)?;
                if username.contains(':') {
                    return Err(configuration("a `basic` username cannot contain a colon"));
                }
                Ok(Self::Basic { username, password })
            }
            "bearer" => read(scheme, fields).map(|Bearer { token }| Self::Bearer { token }),
            "oauth2" => Ok(Self::Token(Box::new(read(scheme, fields)?))),
            "oidc" => {
                let policy: OAuth = read(scheme, fields)?;
                Ok(Self::Token(Box::new(OAuth { discover: true, ..policy })))
            }
            "digest" => Err(configuration(
                "`digest` authentication is not supported: use basic over https, bearer or oauth2",
            )),
            "use" => Err(configuration("`authentication.use` was not resolved to its policy")),
            other => Err(configuration(format!(
                "there is no authentication scheme `{other}`: use basic, bearer, oauth2 or oidc"
            ))),
        }
    }

    /// Hides all secrets of the policy.
    pub(crate) fn hide(&self, mask: &mut Mask) {
        match self {
            Self::Basic { username, password } => {
                mask.hide(password);
                mask.hide(&format!("{username}:{password}"));
            }
            Self::Bearer { token } => mask.hide(token),
            Self::Token(policy) => {
                let secrets = [&policy.client.secret, &policy.client.assertion, &policy.password];
                secrets.into_iter().flatten().for_each(|secret| mask.hide(secret));
            }
        }
    }
}

/// The fields of a scheme, or those that its secret holds as JSON text.
fn read<T: DeserializeOwned>(scheme: &str, fields: &Value) -> Result<T, Outcome> {
    let Some(text) = fields.get("secret") else {
        return decode(scheme, fields.clone());
    };
    let kept = text.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
    match kept {
        Some(kept @ Value::Object(_)) => decode(scheme, kept),
        _ => Err(configuration(format!(
            "the secret of the `{scheme}` authentication must be a JSON object with the fields of that scheme"
        ))),
    }
}

fn decode<T: DeserializeOwned>(scheme: &str, fields: Value) -> Result<T, Outcome> {
    serde_json::from_value(fields)
        .map_err(|error| configuration(format!("the `{scheme}` authentication: {}", plain(&error))))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn words(policy: &Value) -> String {
        match Auth::read(policy) {
            Ok(Auth::Basic { username, password }) => format!("basic {username} {password}"),
            Ok(Auth::Bearer { token }) => format!("bearer {token}"),
            Ok(Auth::Token(policy)) => {
                let kind = if policy.discover { "oidc" } else { "oauth2" };
                format!("{kind} {} {} {}", policy.authority, policy.endpoints.token, policy.grant)
            }
            Err(Outcome::Failed { error }) => {
                assert_eq!(error.status, 400);
                error.detail.unwrap()
            }
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn policies_are_read_inline_and_from_a_secret() {
        for (policy, expected) in [
            (json!({"basic": {"username": "u", "password": "p"}}), "basic u p"),
            (json!({"basic": {"secret": "{\"username\":\"u\",\"password\":\"p\"}"}}), "basic u p"),
            (json!({"bearer": {"token": "t"}}), "bearer t"),
            (json!({"bearer": {"secret": "{\"token\":\"t\"}"}}), "bearer t"),
            (
                json!({"oauth2": {"authority": "https://a", "grant": "client_credentials"}}),
                "oauth2 https://a /oauth2/token client_credentials",
            ),
            (
                json!({"oidc": {"authority": "https://a", "grant": "password"}}),
                "oidc https://a /oauth2/token password",
            ),
        ] {
            assert_eq!(words(&policy), expected, "{policy}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_refused_without_quoting_it() {
        for (policy, expected) in [
            (json!({}), "exactly one scheme"),
            (json!({"basic": {}, "bearer": {}}), "exactly one scheme"),
            (json!({"use": "name"}), "was not resolved"),
            (json!({"hmac": {}}), "no authentication scheme `hmac`"),
            (json!({"digest": {"username": "u", "password": "p"}}), "`digest`"),
            (json!({"basic": {"username": "u"}}), "missing field `password`"),
            (json!({"basic": {"secret": "s3cret"}}), "must be a JSON object"),
            (json!({"basic": {"secret": "\"s3cret\""}}), "must be a JSON object"),
            (json!({"basic": {"secret": "{\"username\":\"u\"}"}}), "missing field `password`"),
            (json!({"basic": "s3cret"}), "wrong type"),
            (json!({"bearer": {"token": ["s3cret"]}}), "wrong type"),
            (json!({"basic": {"username": "a:b", "password": "s3cret"}}), "colon"),
        ] {
            let found = words(&policy);
            assert!(found.contains(expected), "{policy}: {found}");
            assert!(!found.contains("s3cret"), "{found}");
        }
    }
}
