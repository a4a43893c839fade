//! Mail templates: built in from `workflows/*/mail`, replaced one by one by files of a folder.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind};
use std::path::Path;

use minijinja::{
    AutoEscape, Environment, ErrorKind as JinjaKind, UndefinedBehavior, Value as Jinja,
};
use rust_embed::RustEmbed;
use serde_json::Value;

use crate::money;

/// Longest subject line.
const SUBJECT_MAX_CHARS: usize = 200;
/// Largest rendered body, HTML or text.
const BODY_MAX_BYTES: usize = 256 * 1024;
/// Largest template file.
const TEMPLATE_MAX_BYTES: usize = 256 * 1024;
/// Beginning of a text template's first line.
const SUBJECT: &str = "Subject:";

#[derive(RustEmbed)]
#[folder = "../workflows"]
#[allow_missing = true]
struct Workflows;

/// A mail ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// HTML.
    pub html: String,
}

/// Why a mail cannot be rendered. Repeating it cannot help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// No template of this name.
    #[error("there is no mail template `{name}`; known are {}", known.join(", "))]
    Unknown {
        /// The name.
        name: String,
        /// All names.
        known: Vec<String>,
    },
    /// A part of the template fails with these variables.
    #[error("the mail template `{part}` cannot be rendered: {detail}")]
    Broken {
        /// The file, without its folder.
        part: String,
        /// The engine's words.
        detail: String,
    },
    /// The subject would not be one line of a fair length.
    #[error("the subject of the mail template `{0}` is empty, too long or not one line")]
    Subject(String),
    /// The mail would be too large.
    #[error("the mail made from `{0}` exceeds {BODY_MAX_BYTES} bytes")]
    TooLarge(String),
}

/// All templates, compiled.
#[derive(Debug)]
pub struct Templates {
    environment: Environment<'static>,
    names: Vec<String>,
}

impl Templates {
    /// Compiles the built-in templates and those of a folder, which replace built-in ones of the
    /// same file name.
    ///
    /// # Errors
    /// When a file cannot be read or compiled, when a text has no subject line, or when one of
    /// HTML and text is missing.
    pub fn open(overrides: Option<&Path>) -> Result<Self, Error> {
        let mut files = built_in()?;
        if let Some(folder) = overrides {
            for entry in std::fs::read_dir(folder).map_err(|e| told(&folder.display(), &e))? {
                let path = entry?.path();
                let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                if is_template(name) {
                    let bytes = std::fs::read(&path)?;
                    files.insert(name.to_owned(), source(name, &bytes)?);
                }
            }
        }
        Self::compile(&files)
    }

    /// Names of all templates.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    fn compile(files: &BTreeMap<String, String>) -> Result<Self, Error> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        environment.set_auto_escape_callback(|name| {
            if name.ends_with(".html") { AutoEscape::Html } else { AutoEscape::None }
        });
        environment.add_filter("money", amount);
        let mut names = Vec::new();
        for (name, source) in files {
            let mut add = |name: String, source: &str| {
                environment
                    .add_template_owned(name.clone(), source.to_owned())
                    .map_err(|error| broken(&name, &error))
            };
            let Some(stem) = name.strip_suffix(".txt") else {
                add(name.clone(), source)?;
                continue;
            };
            let (first, body) = source.split_once('\n').unwrap_or((source, ""));
            let subject = first
                .strip_prefix(SUBJECT)
                .map(str::trim)
                .ok_or_else(|| told(&name, &format!("its first line must be `{SUBJECT} ...`")))?;
            add(format!("{stem}.subject"), subject)?;
            add(name.clone(), body.trim_start_matches(['\r', '\n']))?;
            if !files.contains_key(&format!("{stem}.html")) {
                return Err(told(&name, &format!("{stem}.html is missing beside it")));
            }
            names.push(stem.to_owned());
        }
        for name in files.keys().filter_map(|name| name.strip_suffix(".html")) {
            if !files.contains_key(&format!("{name}.txt")) {
                return Err(told(
                    &format!("{name}.html"),
                    &format!("{name}.txt is missing beside it"),
                ));
            }
        }
        Ok(Self { environment, names })
    }

    /// Renders a template, in the language when it exists in it.
    ///
    /// # Errors
    /// Says which part fails and why.
    pub fn render(
        &self,
        name: &str,
        language: Option<&str>,
        variables: &Value,
    ) -> Result<Rendered, TemplateError> {
        let known = |stem: &str| self.names.iter().any(|known| known == stem);
        let translated = language.map(|language| format!("{name}.{language}"));
        let stem = match translated.filter(|stem| known(stem)) {
            Some(stem) => stem,
            None if known(name) => name.to_owned(),
            None => {
                let known = self.names.clone();
                return Err(TemplateError::Unknown { name: name.to_owned(), known });
            }
        };
        let part = |suffix: &str| self.part(&format!("{stem}{suffix}"), variables);
        let subject = part(".subject")?.trim().to_owned();
        let fits = (1..=SUBJECT_MAX_CHARS).contains(&subject.chars().count());
        // A line break in a value would begin a header of its own.
        if !fits || subject.chars().any(char::is_control) {
            return Err(TemplateError::Subject(stem));
        }
        Ok(Rendered { subject, text: part(".txt")?, html: part(".html")? })
    }

    fn part(&self, part: &str, variables: &Value) -> Result<String, TemplateError> {
        let broken = |error: &minijinja::Error| TemplateError::Broken {
            part: part.to_owned(),
            detail: explained(error),
        };
        let template = self.environment.get_template(part).map_err(|error| broken(&error))?;
        let text = template.render(jinja(variables)).map_err(|error| broken(&error))?;
        if text.len() > BODY_MAX_BYTES {
            return Err(TemplateError::TooLarge(part.to_owned()));
        }
        Ok(text)
    }
}

/// The files of all `workflows/*/mail` folders.
fn built_in() -> Result<BTreeMap<String, String>, Error> {
    let mut files = BTreeMap::new();
    for path in Workflows::iter() {
        let parts: Vec<&str> = path.split('/').collect();
        let [_, "mail", name] = parts.as_slice() else { continue };
        if !is_template(name) {
            continue;
        }
        let Some(file) = Workflows::get(&path) else { continue };
        if files.insert((*name).to_owned(), source(&path, &file.data)?).is_some() {
            return Err(told(&path, &"another workflow has a template of this name"));
        }
    }
    Ok(files)
}

fn is_template(name: &str) -> bool {
    name.ends_with(".html") || name.ends_with(".txt")
}

fn source(name: &str, bytes: &[u8]) -> Result<String, Error> {
    if bytes.len() > TEMPLATE_MAX_BYTES {
        return Err(told(&name, &format!("a template is at most {TEMPLATE_MAX_BYTES} bytes")));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| told(&name, &error))?;
    Ok(text.replace("\r\n", "\n"))
}

/// The filter `money`: minor units and a currency as `USD 1,740.00`.
fn amount(value: &Jinja, currency: &str) -> Result<String, minijinja::Error> {
    let minor = i64::try_from(value.clone()).map_err(|_not_integer| {
        minijinja::Error::new(
            JinjaKind::InvalidOperation,
            format!("money takes minor units, not {value}"),
        )
    })?;
    let text = money::major(minor, currency);
    let (sign, text) = text.strip_prefix('-').map_or(("", text.as_str()), |rest| ("-", rest));
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let point = if fraction.is_empty() { "" } else { "." };
    Ok(format!("{currency} {sign}{grouped}{point}{fraction}"))
}

/// A value as the template engine takes it.
fn jinja(value: &Value) -> Jinja {
    match value {
        Value::Null => Jinja::from(()),
        Value::Bool(truth) => Jinja::from(*truth),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(integer), _) => Jinja::from(integer),
            (None, Some(integer)) => Jinja::from(integer),
            (None, None) => Jinja::from(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => Jinja::from(text.as_str()),
        Value::Array(items) => items.iter().map(jinja).collect(),
        Value::Object(fields) => {
            Jinja::from_pairs(fields.iter().map(|(name, value)| (name.as_str(), jinja(value))))
        }
    }
}

fn explained(error: &minijinja::Error) -> String {
    match error.line() {
        Some(line) => format!("{error} (line {line})"),
        None => error.to_string(),
    }
}

fn broken(name: &str, error: &minijinja::Error) -> Error {
    told(&name, &explained(error))
}

fn told(what: &dyn std::fmt::Display, error: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::InvalidData, format!("mail template {what}: {error}"))
}
