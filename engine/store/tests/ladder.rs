//! The private server: made, held, adopted after a kill -9, and stopped.
#![expect(
    clippy::unwrap_used,
    reason = "test code: a panic is a failed test, also in the helpers clippy does not recognize"
)]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sqlx::{Connection as _, PgConnection};
use tenure_store::Store as _;
use tenure_store::ladder::{Error, Ladder, Provider};
use tenure_store::migrate::{self, Locking};
use tenure_store::{Options, Postgres};

/// Names the data directory to the process that will be killed.
const VICTIM: &str = "TENURE_TEST_VICTIM";

fn ladder(dir: &Path) -> Ladder {
    Ladder { database_url: Some(String::new()), data_dir: dir.to_owned() }
}

fn fresh_dir(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("tenure-ladder-{name}-{}", std::process::id()));
    if dir.exists() {
        std::fs::remove_dir_all(&dir).unwrap();
    }
    dir
}

async fn answers(url: &str) -> bool {
    PgConnection::connect(url).await.is_ok()
}

/// Not a test: the process that holds the ladder until it is killed.
#[tokio::test]
#[ignore = "started and killed by the test below"]
async fn victim() {
    let Some(dir) = std::env::var_os(VICTIM).map(PathBuf::from) else { return };
    let database = ladder(&dir).open().await.unwrap();
    println!("\nready {}", database.url);
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_server_left_by_kill_9_is_adopted_and_then_stopped() {
    let dir = fresh_dir("adopt");
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "victim", "--ignored"])
        .arg("--nocapture")
        .env(VICTIM, &dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let url = BufReader::new(victim.stdout.take().unwrap())
        .lines()
        .find_map(|line| line.unwrap().strip_prefix("ready ").map(str::to_owned))
        .expect("the victim holds the ladder");
    let error = ladder(&dir).open().await.unwrap_err();
    let Error::InUse { holder, .. } = &error else { panic!("{error:?}") };
    assert_eq!(holder, &format!("process {}", victim.id()));

    victim.kill().unwrap();
    victim.wait().unwrap();
    assert!(answers(&url).await, "the server lives on");

    let database = ladder(&dir).open().await.unwrap();
    assert!(matches!(database.provider, Provider::Private { adopted: true, .. }));
    assert_eq!(database.url, url);
    migrate::migrate(&database.url, Locking::Advisory).await.unwrap();
    let store = Postgres::connect(&database.url, Options::default()).await.unwrap();
    assert_eq!(store.durability().await.unwrap().grade, 'B');
    store.close().await;
    database.stop().await.unwrap();
    assert!(!answers(&url).await, "stopped");

    // A pid file whose process has become another program.
    let stale = format!("{}\n{}\n0\n1\n", std::process::id(), dir.display());
    std::fs::write(dir.join("pg/postmaster.pid"), stale).unwrap();
    let database = ladder(&dir).open().await.unwrap();
    assert!(matches!(database.provider, Provider::Private { adopted: false, .. }));
    assert_eq!(database.url, url, "the same port and password as before");
    let stranger = database.url.replacen("postgres://tenure:", "postgres://tenure:x", 1);
    assert!(!answers(&stranger).await, "a wrong password is refused");
    drop(database);
    assert!(!answers(&url).await, "stopped by the drop");
    std::fs::remove_dir_all(&dir).unwrap();
}

#[tokio::test]
async fn a_directory_of_somebody_else_is_left_alone() {
    let dir = fresh_dir("foreign");
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("thesis.txt"), "mine").unwrap();
    let error = ladder(&dir).open().await.unwrap_err();
    assert!(matches!(error, Error::Foreign { .. }), "{error:?}");
    assert!(error.to_string().contains("choose another data directory"));
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 1);
    std::fs::remove_dir_all(&dir).unwrap();
}

#[tokio::test]
async fn data_of_a_version_that_is_not_installed_is_refused() {
    let dir = fresh_dir("version");
    std::fs::create_dir_all(dir.join("pg")).unwrap();
    std::fs::write(dir.join("lock"), "").unwrap();
    std::fs::write(dir.join("pg/PG_VERSION"), "9\n").unwrap();
    let error = ladder(&dir).open().await.unwrap_err();
    assert!(matches!(&error, Error::Version { data, .. } if data == "9"), "{error:?}");
    std::fs::remove_dir_all(&dir).unwrap();
}
