//! Many scenarios: found, read, played side by side, and counted.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::num::NonZero;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tenure_adapter::Registry;
use tenure_definition::tree::Tree;
use tenure_definition::{Diagnostics, Plan, Source, compile};
use tenure_runtime::local::STACK_BYTES;

use super::coverage::{Coverage, Map};
use super::model::Scenario;
use super::play::{Cast, play};
use super::record::Record;
use super::result::{Failure, Played};
use super::update::{self, Update, Written};

/// Scenario files of one run.
pub const FILES_MAX: usize = 10_000;
/// Largest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Deepest folder that is looked into.
const DEPTH_MAX: usize = 16;
/// Runs that must agree with what is to be written, besides the one it was taken from.
const UPDATE_RUNS: usize = 2;
/// The folder of scenarios beside a definition.
const FOLDER: &str = "scenarios";
/// More threads than this only fight over the cores.
const THREADS_MAX: usize = 16;

/// What to play.
pub struct Settings<'a> {
    /// Scenario files, or folders that hold `scenarios/*.yaml` at any depth.
    pub paths: Vec<PathBuf>,
    /// Plays only scenarios whose file or title contains this.
    pub filter: Option<String>,
    /// Plays only this order of each exploration; scenarios that explore nothing are played as they
    /// are.
    pub seed: Option<u64>,
    /// Writes what happened into the `expect` of scenarios that expected something else.
    pub update: bool,
    /// Makes the plugs of one scenario, from its number: what local functions keep (licenses) is
    /// its own.
    pub registry: &'a (dyn Fn(usize) -> io::Result<Registry> + Sync),
}

impl std::fmt::Debug for Settings<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("paths", &self.paths)
            .field("filter", &self.filter)
            .field("seed", &self.seed)
            .field("update", &self.update)
            .finish_non_exhaustive()
    }
}

/// How it went.
#[derive(Debug)]
pub struct Summary {
    /// The scenarios, in order of their files.
    pub played: Vec<Played>,
    /// Files that cannot be played: scenarios or definitions with mistakes.
    pub broken: Vec<Diagnostics>,
    /// What became of the files of scenarios that failed, where they were to be updated.
    pub updates: Vec<Update>,
    /// What was gone of each definition that a scenario is about.
    pub coverage: Vec<Coverage>,
    /// Real time of all.
    pub took: Duration,
}

impl Summary {
    /// Whether everything was as expected.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.broken.is_empty() && self.played.iter().all(Played::passed)
    }
}

/// Finds, reads and plays.
///
/// # Errors
/// When a path or a file cannot be read, or the plugs cannot be made.
pub fn test(settings: &Settings<'_>) -> io::Result<Summary> {
    let began = Instant::now();
    let catalog = (settings.registry)(0)?;
    let mut broken = Vec::new();
    let mut plans = Plans { registry: &catalog, known: BTreeMap::new(), sources: BTreeMap::new() };
    let mut jobs = Vec::new();
    for path in find(&settings.paths)? {
        let source = text(&path)?;
        let scenario = match on_big_stack(|| super::read(&source))? {
            Ok(scenario) => scenario,
            Err(found) => {
                broken.push(found);
                continue;
            }
        };
        if settings.filter.as_ref().is_some_and(|filter| {
            !scenario.title.contains(filter.as_str()) && !scenario.file.contains(filter.as_str())
        }) {
            continue;
        }
        match plans.cast(&scenario, &path)? {
            Ok(cast) => jobs.push((scenario, cast)),
            Err(found) => broken.extend(found),
        }
    }
    let mut done = play_all(&jobs, settings)?;
    let updates =
        if settings.update { update_all(&jobs, &mut done, settings)? } else { Vec::new() };
    // A deep definition is read again for its lines.
    let coverage = on_big_stack(|| covered(&jobs, &done, &plans.sources))?;
    let played = done.into_iter().map(|(one, _record)| one).collect();
    Ok(Summary { played, broken, updates, coverage, took: began.elapsed() })
}

/// What the runs have gone of each definition that a scenario is about.
fn covered(
    jobs: &[(Scenario, Cast)],
    done: &[(Played, Record)],
    sources: &BTreeMap<String, Source>,
) -> Vec<Coverage> {
    let mut maps: BTreeMap<&str, Map> = BTreeMap::new();
    for ((_, cast), (_, record)) in jobs.iter().zip(done) {
        for plan in std::iter::once(&cast.plan).chain(&cast.with) {
            let is_about = jobs.iter().any(|(_, other)| other.plan.digest == plan.digest);
            if is_about {
                let map = maps.entry(&plan.digest);
                map.or_insert_with(|| Map::new(Arc::clone(plan))).add(record);
            }
        }
    }
    let one = |(digest, map): (&&str, &Map)| {
        let source = sources.get(*digest);
        let tree = source.and_then(|source| Tree::read(source).ok());
        map.coverage(source.map_or("", |source| &source.name), tree.as_ref())
    };
    let mut coverage: Vec<Coverage> = maps.iter().map(one).collect();
    coverage.sort_by(|left, right| left.definition.cmp(&right.definition));
    coverage
}

/// The scenario files, in order.
fn find(paths: &[PathBuf]) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_file() {
            files.push(path.clone());
            continue;
        }
        for entry in walkdir::WalkDir::new(path).max_depth(DEPTH_MAX).sort_by_file_name() {
            let entry = entry.map_err(|error| unreadable(path, error))?;
            let is_yaml =
                entry.path().extension().is_some_and(|kind| kind == "yaml" || kind == "yml");
            let folder = entry.path().parent().and_then(Path::file_name);
            if entry.file_type().is_file() && is_yaml && folder.is_some_and(|name| name == FOLDER) {
                files.push(entry.into_path());
            }
            if files.len() > FILES_MAX {
                return Err(io::Error::other(format!("more than {FILES_MAX} scenarios")));
            }
        }
    }
    files.sort();
    files.dedup();
    Ok(files)
}

fn unreadable(path: &Path, error: walkdir::Error) -> io::Error {
    let at = error.path().unwrap_or(path).display().to_string();
    let error = io::Error::from(error);
    let is_absent = error.kind() == io::ErrorKind::NotFound;
    let cause =
        if is_absent { "there is no such file or folder".to_owned() } else { error.to_string() };
    io::Error::new(error.kind(), format!("{at} cannot be read: {cause}"))
}

fn text(path: &Path) -> io::Result<Source> {
    let name = path.display().to_string();
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{name}: {error}"));
    let length = fs::metadata(path).map_err(named)?.len();
    if length > FILE_BYTES_MAX {
        return Err(io::Error::other(format!("{name} is longer than {FILE_BYTES_MAX} bytes")));
    }
    let text = fs::read_to_string(path).map_err(named)?;
    Ok(Source { name, text })
}

/// Definitions by their path: each is compiled once, however many scenarios it has.
struct Plans<'r> {
    registry: &'r Registry,
    known: BTreeMap<PathBuf, Result<Arc<Plan>, Diagnostics>>,
    /// The text of each plan, by its digest.
    sources: BTreeMap<String, Source>,
}

impl Plans<'_> {
    /// The definitions of a scenario; findings are told once.
    fn cast(
        &mut self,
        scenario: &Scenario,
        file: &Path,
    ) -> io::Result<Result<Cast, Vec<Diagnostics>>> {
        let folder = file.parent().unwrap_or(Path::new(""));
        let mut found = Vec::new();
        let mut plans = Vec::new();
        for name in std::iter::once(&scenario.definition).chain(&scenario.with) {
            let path = tidy(&folder.join(name));
            if let Some(known) = self.known.get(&path) {
                match known {
                    Ok(plan) => plans.push(Arc::clone(plan)),
                    Err(_told_before) => {}
                }
                continue;
            }
            let source = text(&path)?;
            let catalog = self.registry.catalog();
            let compiled = on_big_stack(|| compile(&source, catalog))?;
            let compiled = compiled.map(|(plan, _warnings)| Arc::new(plan));
            match &compiled {
                Ok(plan) => {
                    self.sources.insert(plan.digest.clone(), source);
                    plans.push(Arc::clone(plan));
                }
                Err(diagnostics) => found.push(diagnostics.clone()),
            }
            self.known.insert(path, compiled);
        }
        if plans.len() <= scenario.with.len() {
            return Ok(Err(found));
        }
        let mut plans = plans.into_iter();
        Ok(match plans.next() {
            Some(plan) => Ok(Cast { plan, with: plans.collect() }),
            None => Err(found),
        })
    }
}

/// A path without `..` where that can be said without the disk.
fn tidy(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir if clean.file_name().is_some_and(|name| name != "..") => {
                clean.pop();
            }
            Component::CurDir => {}
            Component::ParentDir
            | Component::Normal(_)
            | Component::Prefix(_)
            | Component::RootDir => clean.push(part),
        }
    }
    clean
}

fn on_big_stack<T: Send>(work: impl FnOnce() -> T + Send) -> io::Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
        let panicked = |_panic| io::Error::other("the thread panicked");
        thread.spawn_scoped(scope, work)?.join().map_err(panicked)
    })
}

/// Results by the number of their job.
type Done = BTreeMap<usize, (Played, Record)>;

/// Plays the jobs on a few threads, each with a big stack and everything of a run on it.
fn play_all(
    jobs: &[(Scenario, Cast)],
    settings: &Settings<'_>,
) -> io::Result<Vec<(Played, Record)>> {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let next = AtomicUsize::new(0);
    let done: Mutex<Done> = Mutex::new(BTreeMap::new());
    let work = || -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some((scenario, cast)) = jobs.get(number) else { return Ok(()) };
            let registry = (settings.registry)(number + 1)?;
            let result = runtime.block_on(play(scenario, cast, &registry, settings.seed));
            done.lock().unwrap_or_else(PoisonError::into_inner).insert(number, result);
        }
    };
    std::thread::scope(|scope| {
        let threads = (0..cores.min(THREADS_MAX).min(jobs.len()))
            .map(|_| std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work))
            .collect::<io::Result<Vec<_>>>()?;
        for thread in threads {
            // A thread that broke leaves its scenario without a result, which is told below.
            if let Ok(ended) = thread.join() {
                ended?;
            }
        }
        Ok::<(), io::Error>(())
    })?;
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    let numbered = jobs.iter().enumerate();
    Ok(numbered
        .map(|(number, (scenario, cast))| {
            done.remove(&number).unwrap_or_else(|| (panicked(scenario, cast), Record::default()))
        })
        .collect())
}

/// Updates the files of the scenarios that failed, one after another.
fn update_all(
    jobs: &[(Scenario, Cast)],
    done: &mut [(Played, Record)],
    settings: &Settings<'_>,
) -> io::Result<Vec<Update>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut updates = Vec::new();
    // Numbers of plugs that no run has had.
    let mut number = jobs.len() + 1;
    for ((scenario, cast), result) in jobs.iter().zip(done) {
        if result.0.passed() {
            continue;
        }
        let mut again = |scenario: &Scenario| {
            number += 1;
            let registry = (settings.registry)(number)?;
            Ok(runtime.block_on(play(scenario, cast, &registry, settings.seed)))
        };
        let outcome = on_big_stack(|| update_one(scenario, result, &mut again))??;
        updates.push(Update { file: scenario.file.clone(), outcome });
    }
    Ok(updates)
}

/// Updates the file of one scenario, when what happened happens again.
fn update_one(
    scenario: &Scenario,
    result: &mut (Played, Record),
    again: &mut (dyn FnMut(&Scenario) -> io::Result<(Played, Record)> + Send),
) -> io::Result<Result<Written, String>> {
    let path = Path::new(&scenario.file);
    let old = text(path)?;
    let (new, keys) = match update::propose(scenario, &old.text, &result.0, &result.1) {
        Ok(proposed) => proposed,
        Err(why) => return Ok(Err(why)),
    };
    let diff = crate::format::changes(&scenario.file, &old.text, &new);
    let source = Source { name: old.name, text: new };
    let updated = match super::read(&source) {
        Ok(updated) => updated,
        Err(found) => {
            let first = found.items.first().map_or("", |item| item.message.as_str());
            return Ok(Err(format!("what happened cannot be written as an expectation: {first}")));
        }
    };
    for _ in 0..UPDATE_RUNS {
        let (played, record) = again(&updated)?;
        if let Some(failure) = played.failures.first() {
            let message = failure.message.lines().next().unwrap_or_default();
            let miss = failure.mismatches.first().map(|miss| {
                format!(" ({}: once {}, then {})", miss.path, miss.expected, miss.found)
            });
            return Ok(Err(format!(
                "another run gives something else, so it is not written: {message}{}; name what is \
                 always the same, or use a matcher like $any",
                miss.unwrap_or_default()
            )));
        }
        *result = (played, record);
    }
    crate::format::replace(path, &source.text)?;
    Ok(Ok(Written { keys, diff }))
}

/// The result of a scenario that broke its player.
fn panicked(scenario: &Scenario, cast: &Cast) -> Played {
    let message = "the player broke in this scenario, or in one before it on the same thread; \
                   please report it";
    Played {
        file: scenario.file.clone(),
        title: scenario.title.clone(),
        definition: cast.plan.document.name.clone(),
        failures: vec![Failure::new(scenario, "", message)],
        seed: None,
        story: Vec::new(),
        took: Duration::ZERO,
        covered: jiff::SignedDuration::ZERO,
        runs: 0,
    }
}
