//! The definitions that come with the binary, or those of a folder.

use std::path::Path;

use anyhow::Context as _;
use rust_embed::RustEmbed;
use tenure_definition::Source;
use tenure_runtime::Engine;
use tenure_runtime::engine::Error;
use tenure_store::port::Registered;

use crate::exit::{Exit, Stop};
use crate::term;

/// File name of a definition in its folder.
const FILE: &str = "workflow.yaml";

#[derive(RustEmbed)]
#[folder = "../workflows"]
struct Embedded;

/// The texts, in order of their folders: those of `folder`, else the embedded ones.
///
/// # Errors
/// When the folder cannot be read or holds no definition.
pub fn sources(folder: Option<&Path>) -> anyhow::Result<Vec<Source>> {
    let mut sources = match folder {
        Some(folder) => of_folder(folder)?,
        None => embedded(),
    };
    sources.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(sources)
}

fn embedded() -> Vec<Source> {
    Embedded::iter()
        .filter(|path| path.ends_with("/workflow.yaml"))
        .filter_map(|path| {
            let file = Embedded::get(&path)?;
            let text = String::from_utf8_lossy(&file.data).into_owned();
            Some(Source { name: format!("workflows/{path}"), text })
        })
        .collect()
}

fn of_folder(folder: &Path) -> anyhow::Result<Vec<Source>> {
    let shown = folder.display();
    let mut sources = Vec::new();
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("the folder of workflows {shown} cannot be read"))?;
    for entry in entries {
        let path = entry?.path().join(FILE);
        if path.is_file() {
            let name = path.display().to_string();
            let text =
                std::fs::read_to_string(&path).with_context(|| format!("{name} cannot be read"))?;
            sources.push(Source { name, text });
        }
    }
    if sources.is_empty() {
        anyhow::bail!("{shown} holds no NAME/{FILE}");
    }
    Ok(sources)
}

/// Registers all of them; warnings and errors go to stderr with their places.
///
/// # Errors
/// When one does not register: its text has errors, or its version is taken by another text.
pub async fn register(engine: &Engine, sources: Vec<Source>) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for source in sources {
        let file = source.name.clone();
        match engine.register(source).await {
            Ok((stored, Registered::New | Registered::Same, warnings)) => {
                let text = warnings.render(term::has_color());
                if !text.is_empty() {
                    term::talk(text.trim_end());
                }
                names.push(format!("{} {}", stored.name, stored.version));
            }
            Ok((stored, Registered::Conflict { .. }, _warnings)) => {
                let (name, version) = (&stored.name, &stored.version);
                return Err(Stop::new(
                    Exit::Conflict,
                    format!(
                        "{file}: version {version} of {name} is registered with another text; \
                         raise document.version (or, in tenure dev, start anew with --reset)"
                    ),
                )
                .into());
            }
            Err(Error::Invalid(diagnostics)) => {
                term::talk(diagnostics.render(term::has_color()).trim_end());
                return Err(Stop::new(Exit::Invalid, format!("{file} does not register")).into());
            }
            Err(error) => return Err(error).with_context(|| format!("{file} does not register")),
        }
    }
    Ok(names)
}
