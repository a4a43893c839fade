//! The threads where jq runs: few, with large stacks, outside of the async runtime.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

/// Expressions recurse; their fences count on this much stack.
pub(crate) const STACK_BYTES: usize = 64 * 1024 * 1024;
/// Jobs that wait for a thread. The spine never has more than one per hot instance.
pub(crate) const QUEUE_MAX: usize = 32_768;
/// More threads than this only fight over the cores.
const THREADS_MAX: usize = 4;

type Job = Box<dyn FnOnce() + Send>;

/// A job was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Undone {
    /// The queue is full, or the threads are gone.
    Full,
    /// The job panicked: a bug of ours, told apart so that one instance pays for it and no other.
    Panicked,
}

/// The pool. The threads end when it is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Steppers {
    /// `None` does every job at once, on the thread that hands it over.
    jobs: Option<SyncSender<Job>>,
}

impl Steppers {
    /// Starts a thread per core, at most [`THREADS_MAX`].
    pub(crate) fn new() -> std::io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let (jobs, queue) = sync_channel::<Job>(QUEUE_MAX);
        let queue = Arc::new(Mutex::new(queue));
        for number in 0..cores.min(THREADS_MAX) {
            let queue = Arc::clone(&queue);
            std::thread::Builder::new()
                .name(format!("tenure-step-{number}"))
                .stack_size(STACK_BYTES)
                .spawn(move || work(&queue))?;
        }
        Ok(Self { jobs: Some(jobs) })
    }

    /// No threads: who hands a job over does it, and has [`STACK_BYTES`] of stack.
    pub(crate) fn inline() -> Self {
        Self { jobs: None }
    }

    /// Hands a job over; `done` is called on the thread with its result.
    pub(crate) fn hand<T, W, D>(&self, work: W, done: D) -> Result<(), Undone>
    where
        W: FnOnce() -> T + Send + 'static,
        D: FnOnce(Result<T, Undone>) + Send + 'static,
    {
        let job = move || {
            done(catch_unwind(AssertUnwindSafe(work)).map_err(|_| Undone::Panicked));
        };
        let Some(jobs) = &self.jobs else {
            job();
            return Ok(());
        };
        jobs.try_send(Box::new(job)).map_err(|refused| match refused {
            TrySendError::Full(_) | TrySendError::Disconnected(_) => Undone::Full,
        })
    }

    /// Does a job and gives its result.
    pub(crate) async fn run<T, W>(&self, work: W) -> Result<T, Undone>
    where
        T: Send + 'static,
        W: FnOnce() -> T + Send + 'static,
    {
        let (answer, result) = oneshot::channel();
        // Nobody may wait for the answer any more; then it is not needed either.
        self.hand(work, move |done| drop(answer.send(done)))?;
        result.await.unwrap_or(Err(Undone::Full))
    }
}

/// One thread: takes jobs until the pool is dropped.
fn work(queue: &Mutex<Receiver<Job>>) {
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        job();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_told_and_the_thread_goes_on() {
        let steppers = Steppers::new().unwrap();
        for _ in 0..2 * THREADS_MAX {
            let result = steppers.run(|| -> u8 { panic!("on purpose") }).await;
            assert_eq!(result, Err(Undone::Panicked));
        }
        assert_eq!(steppers.run(|| 7).await, Ok(7));
    }

    #[tokio::test]
    async fn deep_recursion_fits() {
        fn depth(left: u32) -> u64 {
            let room = std::hint::black_box([u64::from(left); 64]);
            if left == 0 { 0 } else { depth(left - 1) + room[0] / room[63].max(1) }
        }
        let steppers = Steppers::new().unwrap();
        assert!(steppers.run(|| depth(30_000)).await.is_ok());
    }
}
