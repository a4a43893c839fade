//! Which keys come first: the order in which a definition is read.
//!
//! Only keys with a meaning of the language are ordered; a `set`, a `with`, a schema keep the
//! order of their author, whom it may mean something. What is not listed stays behind what is.

/// Where in a definition something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Context {
    /// The definition.
    Root,
    /// `document`.
    Document,
    /// `use`.
    Use,
    /// `use.retries` or `use.functions`: names with a value of this context.
    Retries,
    /// Names with tasks: `use.functions`, and an item of a list of tasks.
    Named,
    /// A retry policy.
    Retry,
    /// A list of tasks.
    Tasks,
    /// A task.
    Task,
    /// `fork`.
    Fork,
    /// `foreach` of a `listen`.
    Foreach,
    /// `catch`.
    Catch,
    /// `input`, `output`, `export`.
    Data,
    /// Anything else.
    Plain,
}

impl Context {
    /// The order of the keys here.
    pub(super) fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Root => {
                &["document", "input", "use", "schedule", "timeout", "evaluate", "do", "output"]
            }
            Self::Document => {
                &["dsl", "namespace", "name", "version", "title", "summary", "tags", "metadata"]
            }
            Self::Use => &[
                "secrets",
                "authentications",
                "catalogs",
                "functions",
                "errors",
                "retries",
                "timeouts",
                "extensions",
            ],
            // Whether, with what, what, what of it, and then where to.
            Self::Task => &[
                "if", "input", "call", "with", "emit", "for", "while", "fork", "listen", "foreach",
                "raise", "run", "set", "switch", "try", "wait", "do", "catch", "output", "export",
                "timeout", "then", "metadata",
            ],
            Self::Fork => &["compete", "branches"],
            Self::Foreach => &["item", "at", "do", "output", "export"],
            Self::Catch => &["errors", "as", "when", "exceptWhen", "retry", "do", "then"],
            Self::Data => &["schema", "from", "as"],
            Self::Retry => &["delay", "backoff", "jitter", "when", "exceptWhen", "limit"],
            Self::Retries | Self::Named | Self::Tasks | Self::Plain => &[],
        }
    }

    /// Where the value of a key stands.
    pub(super) fn below(self, key: &str) -> Self {
        match (self, key) {
            (Self::Root, "document") => Self::Document,
            (Self::Root, "use") => Self::Use,
            (Self::Root | Self::Task | Self::Catch | Self::Foreach, "do")
            | (Self::Task, "try")
            | (Self::Fork, "branches") => Self::Tasks,
            (Self::Root | Self::Task | Self::Foreach, "input" | "output" | "export") => Self::Data,
            (Self::Use, "functions") => Self::Named,
            (Self::Use, "retries") => Self::Retries,
            (Self::Retries, _) | (Self::Catch, "retry") => Self::Retry,
            (Self::Named, _) => Self::Task,
            (Self::Task, "fork") => Self::Fork,
            (Self::Task, "foreach") => Self::Foreach,
            (Self::Task, "catch") => Self::Catch,
            _ => Self::Plain,
        }
    }

    /// Where an item of a list stands.
    pub(super) fn item(self) -> Self {
        if self == Self::Tasks { Self::Named } else { Self::Plain }
    }
}
