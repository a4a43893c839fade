//! Kill -9 of `tenure` at every write of the played purchase, one run per point, then a restart:
//! the same single order, payment, license and mails at the vendors' ledgers, and nothing left live.
//!
//! The points are found by the test itself: a first run counts the writes, and every later run ends
//! before or after one of them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, ensure};
use tenure_adapters::sandbox::{Action, LedgerEntry};
use tenure_machine::Status;
use tenure_store::Store as _;
use tenure_store::ladder::{TestCluster, TestDatabase};

/// Runs at the same time. They mostly wait for settle times, so more than there are cores.
const WORKERS: usize = 6;

/// Of ten points, how many must really have killed the process.
const KILLED_OF_TEN: usize = 9;

/// What one purchase leaves at the vendors: how many new things of each kind.
type Effects = std::collections::BTreeMap<String, usize>;

struct Place {
    dir: PathBuf,
    database: TestDatabase,
}

impl Place {
    async fn new(name: &str) -> anyhow::Result<Self> {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("crash").join(name);
        if dir.exists() {
            std::fs::remove_dir_all(&dir)?;
        }
        std::fs::create_dir_all(&dir)?;
        let database = TestCluster::shared().await?.database().await?;
        Ok(Self { dir, database })
    }

    /// One life of the process. Gives whether it came to its end by itself.
    fn live(&self, point: Option<&str>) -> anyhow::Result<bool> {
        let log = std::fs::File::options().create(true).append(true).open(self.dir.join("log"))?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_tenure-crash"));
        command
            .args(["--once", "--api", "127.0.0.1:0", "--portal", "127.0.0.1:0"])
            .args(["--sandbox", "127.0.0.1:0", "--data-dir"])
            .arg(self.dir.join("data"))
            .env("DATABASE_URL", self.database.url())
            .env("TENURE_CRASH_COUNT", self.dir.join("count"))
            .env_remove("TENURE_CRASH_POINT")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        // What was played to its end is not played again; the next start only finishes what is left.
        if self.finished() {
            command.arg("--quiet");
        }
        if let Some(point) = point {
            command.env("TENURE_CRASH_POINT", point);
        }
        let status = command.status()?;
        ensure!(
            status.success() || status.code().is_none(),
            "{point:?}: ended with {status}; see {}",
            self.dir.join("log").display()
        );
        Ok(status.success())
    }

    fn finished(&self) -> bool {
        std::fs::read_to_string(self.dir.join("data/purchase.json"))
            .is_ok_and(|text| text.contains("\"finished\":true"))
    }

    /// What the vendors' ledgers hold.
    fn effects(&self) -> anyhow::Result<Effects> {
        let mut effects = Effects::new();
        for vendor in ["zuora", "salesforce", "marketo", "mailgun"] {
            let path = self.dir.join("data/sandbox").join(format!("{vendor}.jsonl"));
            let text =
                std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            for line in text.lines() {
                let entry: LedgerEntry = serde_json::from_str(line)?;
                // A repeated upsert is an update of the same thing, not a second one.
                for effect in entry.effects.iter().filter(|e| e.action == Action::Created) {
                    *effects.entry(format!("{vendor} {}", effect.kind)).or_insert(0) += 1;
                }
            }
        }
        let issued = std::fs::read_dir(self.dir.join("data/license/issued"))?.count();
        effects.insert("license".to_owned(), issued);
        Ok(effects)
    }

    /// Nothing is left live, nothing is an orphan.
    async fn nothing_lives(&self) -> anyhow::Result<()> {
        let store = self.database.store().await?;
        let orphans = store.doctor().await?;
        ensure!(orphans.is_empty(), "orphans: {orphans:?}");
        for stored in store.list("tenure", None, 100).await? {
            ensure!(stored.instance.is_terminal(), "still lives: {:?}", stored.instance.id);
            ensure!(
                matches!(stored.instance.status, Status::Completed { .. }),
                "did not complete: {:?}",
                stored.instance.status
            );
        }
        Ok(())
    }
}

/// Dies at a point, comes back until the purchase is complete, and compares the ledgers.
async fn survive(point: &str, expected: &Effects) -> anyhow::Result<bool> {
    let place = Place::new(&point.replace(':', "-")).await?;
    // Batches depend on timing: a run may have fewer writes than the first one had, and end alive.
    let killed = !place.live(Some(point))?;
    ensure!(!killed || place.live(None)?, "{point}: the restart was killed");
    let effects = place.effects()?;
    ensure!(effects == *expected, "{point}: {effects:?} instead of {expected:?}");
    place.nothing_lives().await?;
    std::fs::remove_dir_all(&place.dir)?;
    Ok(killed)
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_at_every_write_of_a_purchase_doubles_nothing_and_loses_nothing()
-> anyhow::Result<()> {
    let place = Place::new("whole").await?;
    assert!(place.live(None)?, "the purchase completes undisturbed");
    let expected = place.effects()?;
    place.nothing_lives().await?;
    let writes: usize = std::fs::read_to_string(place.dir.join("count"))?.trim().parse()?;
    println!("{writes} writes; the ledgers of an undisturbed purchase: {expected:?}");
    assert!(writes > 30, "a purchase has many durable points, not {writes}");
    assert!(expected.values().all(|count| *count > 0));
    assert_eq!(expected.get("zuora order"), Some(&1));
    assert_eq!(expected.get("zuora payment"), Some(&1));
    assert_eq!(expected.get("license"), Some(&1));

    let points: Vec<String> =
        (1..=writes).flat_map(|n| [format!("before:{n}"), format!("after:{n}")]).collect();
    let next = AtomicUsize::new(0);
    let (kills, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let (points, next, expected) = (&points, &next, &expected);
    let (kills, failures) = (&kills, &failures);
    let handle = tokio::runtime::Handle::current();
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            let handle = handle.clone();
            scope.spawn(move || {
                while let Some(point) = points.get(next.fetch_add(1, Ordering::SeqCst)) {
                    match handle.block_on(survive(point, expected)) {
                        Ok(killed) => _ = kills.fetch_add(usize::from(killed), Ordering::SeqCst),
                        Err(error) => failures.lock().unwrap().push(format!("{error:#}")),
                    }
                }
            });
        }
    });
    let failures = failures.lock().unwrap();
    assert!(
        failures.is_empty(),
        "{} of {}:\n{}",
        failures.len(),
        points.len(),
        failures.join("\n")
    );
    let kills = kills.load(Ordering::SeqCst);
    println!("{} points, {kills} kills survived", points.len());
    assert!(
        kills * 10 >= points.len() * KILLED_OF_TEN,
        "too few runs were killed to prove anything"
    );
    Ok(())
}
