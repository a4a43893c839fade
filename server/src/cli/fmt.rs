//! `tenure fmt`: definitions in the one form, in place.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use tenure_author::format::{self, Error};
use tenure_definition::Source;

use super::read;
use crate::exit::{Exit, Stop};
use crate::limit;
use crate::term;

/// Options of `tenure fmt`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tenure fmt workflows/*/workflow.yaml
  tenure fmt --check --diff workflows/*/workflow.yaml
  tenure fmt - < flow.yaml

Comments are kept and the meaning never changes. Exit code 0 when all is formatted, 1 when --check
finds a file that is not, 3 when a file is missing, 5 when one cannot be read as YAML.")]
pub(super) struct FmtOptions {
    /// Definitions, or `-` for stdin to stdout
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Change nothing; list the files that would change, and exit 1 when there are any
    #[arg(long)]
    check: bool,
    /// Change nothing; print what would change
    #[arg(long)]
    diff: bool,
}

/// Formats the files. A file that cannot be read, formatted or written is told and left as it is;
/// the others are done all the same, and the first failure is the exit code.
pub(super) fn run(options: &FmtOptions) -> anyhow::Result<Exit> {
    let (mut changes, mut failed) = (false, None);
    for path in &options.files {
        let is_stdin = path == Path::new("-");
        let source = match if is_stdin { stdin() } else { read::source(path) } {
            Ok(source) => source,
            Err(error) => {
                failed = failed.or(Some(super::report(&error)));
                continue;
            }
        };
        let formatted = match format::format(&source) {
            Ok(formatted) => formatted,
            Err(error) => {
                failed = failed.or(Some(Exit::Invalid));
                if let Error::Unreadable(diagnostics) = &error {
                    term::talk(diagnostics.render(term::has_color()).trim_end());
                    term::talk(&format!("{}: left as it is", source.name));
                } else {
                    term::talk(&format!("{}: {error}", source.name));
                }
                continue;
            }
        };
        let differs = formatted != source.text;
        changes |= differs;
        if options.diff && differs {
            term::data(&format::diff(&source.name, &source.text, &formatted))?;
        }
        if options.check && differs && !options.diff {
            term::data(&source.name)?;
        }
        if options.check || options.diff {
            continue;
        }
        if is_stdin {
            term::data(&formatted)?;
        } else if differs {
            match format::replace(path, &formatted).map_err(Into::into) {
                Ok(()) => term::talk(&format!("{}: formatted", source.name)),
                Err(error) => failed = failed.or(Some(super::report(&error))),
            }
        }
    }
    let unformatted = (options.check && changes).then_some(Exit::Failure);
    Ok(failed.or(unformatted).unwrap_or(Exit::Ok))
}

fn stdin() -> anyhow::Result<Source> {
    let mut text = String::new();
    let mut limited = std::io::stdin().lock().take(limit::FILE_BYTES_MAX + 1);
    limited.read_to_string(&mut text).context("stdin cannot be read")?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > limit::FILE_BYTES_MAX {
        let limit = limit::FILE_BYTES_MAX;
        return Err(Stop::new(Exit::Invalid, format!("stdin is longer than {limit} bytes")).into());
    }
    Ok(Source { name: "<stdin>".to_owned(), text })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(file: &Path, check: bool) -> FmtOptions {
        FmtOptions { files: vec![file.to_owned()], check, diff: false }
    }

    #[test]
    fn the_files_after_an_unreadable_one_are_formatted_too() {
        let folder = std::env::temp_dir().join(format!("tenure-fmt-on-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = |name: &str, text: &[u8]| {
            let path = folder.join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let last = |first: PathBuf, name: &str| {
            let last = file(name, b"a:   1\n");
            let files = vec![first, last.clone()];
            let exit = run(&FmtOptions { files, check: false, diff: false }).unwrap();
            assert_eq!(std::fs::read_to_string(last).unwrap(), "a: 1\n", "{name}");
            exit
        };
        assert_eq!(last(folder.join("missing.yaml"), "1.yaml"), Exit::NotFound);
        assert_eq!(last(file("odd.yaml", b"a: \xff\n"), "2.yaml"), Exit::Failure);
        assert_eq!(last(file("broken.yaml", b"a: [\n"), "3.yaml"), Exit::Invalid);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_file_is_replaced_and_then_stays() {
        let folder = std::env::temp_dir().join(format!("tenure-fmt-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("flow.yaml");
        std::fs::write(&file, "a:   1\n").unwrap();
        assert_eq!(run(&options(&file, true)).unwrap(), Exit::Failure, "--check tells");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "a:   1\n", "and changes nothing");
        assert_eq!(run(&options(&file, false)).unwrap(), Exit::Ok);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "a: 1\n");
        assert_eq!(run(&options(&file, true)).unwrap(), Exit::Ok);
        std::fs::write(&file, "a: [\n").unwrap();
        assert_eq!(run(&options(&file, false)).unwrap(), Exit::Invalid);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "a: [\n", "what is broken stays");
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "nothing is left behind");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
