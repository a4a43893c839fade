//! Compiling a definition and running jq recurse deeply: both get a thread with a big stack.

use crate::limit;

/// Runs `work` on a thread with [`limit::STACK_BYTES`] of stack and waits for it.
///
/// # Errors
/// When the thread cannot be started, or `work` panicked.
pub fn deep<T: Send>(work: impl FnOnce() -> T + Send) -> std::io::Result<T> {
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("compile".to_owned())
            .stack_size(limit::STACK_BYTES)
            .spawn_scoped(scope, work)?
            .join()
            .map_err(|_panic| std::io::Error::other("the thread panicked"))
    })
}
