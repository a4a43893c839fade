//! Values of `$secrets`: read once, given to the engine, never shown.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use serde_json::Value;

use super::read;
use crate::exit::{Exit, Stop};

/// Where the values of `$secrets` are.
#[derive(Debug, Clone, Default, Args)]
pub struct SecretOptions {
    /// File with the values of $secrets: a JSON object of names and texts
    #[arg(long, env = "TENURE_SECRETS", value_name = "FILE")]
    pub secrets: Option<PathBuf>,
}

impl SecretOptions {
    /// The values by name; none without a file.
    ///
    /// # Errors
    /// When the file cannot be read or is not a JSON object. No error shows a value.
    pub fn read(&self) -> anyhow::Result<BTreeMap<String, String>> {
        let Some(path) = &self.secrets else { return Ok(BTreeMap::new()) };
        of_json("--secrets", read::json("--secrets", &format!("@{}", path.display()))?)
    }
}

/// The values of a JSON object; what is not a text is written as JSON.
pub(super) fn of_json(option: &str, value: Value) -> anyhow::Result<BTreeMap<String, String>> {
    let Value::Object(map) = value else {
        return Err(Stop::new(Exit::Invalid, format!("{option} is not a JSON object")).into());
    };
    let text = |value: Value| match value {
        Value::String(text) => text,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value.to_string()
        }
    };
    Ok(map.into_iter().map(|(name, value)| (name, text(value))).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_texts() {
        let found = of_json("--secrets", json!({ "a": "x", "b": { "c": 1 } })).unwrap();
        assert_eq!((found["a"].as_str(), found["b"].as_str()), ("x", "{\"c\":1}"));
        let error = of_json("--secrets", json!(["hunter2"])).unwrap_err().to_string();
        assert_eq!(error, "--secrets is not a JSON object");
    }

    #[test]
    fn a_file_of_secrets_is_read_and_its_absence_is_none() {
        assert!(SecretOptions::default().read().unwrap().is_empty());
        let name = format!("tenure-secrets-{}.json", uuid::Uuid::now_v7().simple());
        let options = SecretOptions { secrets: Some(std::env::temp_dir().join(name)) };
        let path = options.secrets.clone().unwrap();
        std::fs::write(&path, "{\"token\": \"hunter2\"}").unwrap();
        let found = options.read().unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(found["token"], "hunter2");
        let absent = options.read();
        assert_eq!(absent.unwrap_err().downcast_ref::<Stop>().unwrap().exit, Exit::NotFound);
    }
}
