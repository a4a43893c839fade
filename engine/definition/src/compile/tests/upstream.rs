//! The 68 example definitions of the specification, found through `TENURE_SHARED` or beside the
//! repository. Each compiles, or every error names a feature this server does not have.

use std::path::{Path, PathBuf};

use super::run;

/// Number of examples at upstream commit 4d42471.
const EXAMPLES: usize = 68;

/// Mistakes of the examples themselves, which the upstream schema refuses too or the text forbids.
const KNOWN: [&str; 2] = ["not-supported-yet", "refused"];

fn examples() -> Option<PathBuf> {
    let folder = "serverless-workflow/examples";
    if let Some(shared) = std::env::var_os("TENURE_SHARED") {
        let path = Path::new(&shared).join(folder);
        assert!(path.is_dir(), "TENURE_SHARED is set, but {} is missing", path.display());
        return Some(path);
    }
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = here.ancestors().map(|above| above.join("shared").join(folder));
    found.into_iter().find(|path| path.is_dir())
}

#[test]
fn upstream_examples_are_understood() {
    let Some(folder) = examples() else {
        println!("skipped: {EXAMPLES} upstream examples (set TENURE_SHARED to find them)");
        return;
    };
    let mut seen = 0;
    let mut wrong = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        seen += 1;
        if let Err(mut found) = run(&std::fs::read_to_string(&path).unwrap()) {
            found.source.name = path.file_name().unwrap().to_string_lossy().into_owned();
            found.items.retain(|item| {
                item.severity == crate::Severity::Error && !KNOWN.contains(&item.code)
            });
            wrong.push_str(&found.render(false));
        }
    }
    assert_eq!(seen, EXAMPLES, "the examples are not those of the pinned commit");
    assert!(wrong.is_empty(), "{wrong}");
}
