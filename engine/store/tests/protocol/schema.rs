//! The schema and its rules.

use sqlx::{Connection as _, PgConnection};
use tenure_store::Store as _;
use tenure_store::ladder::TestCluster;
use tenure_store::migrate::{self, Error, Locking};

#[tokio::test]
async fn a_migrated_database_is_left_as_it_is() {
    let database = TestCluster::shared().await.unwrap().database().await.unwrap();
    migrate::migrate(&database.url(), Locking::Advisory).await.unwrap();
    migrate::migrate(&database.url(), Locking::None).await.unwrap();
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let database = TestCluster::shared().await.unwrap().database().await.unwrap();
    let mut connection = PgConnection::connect(&database.url()).await.unwrap();
    sqlx::raw_sql(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
         values (9999, 'from the future', true, '', 0)",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    let error = migrate::migrate(&database.url(), Locking::Advisory).await.unwrap_err();
    assert!(matches!(error, Error::TooNew { version: 9999, .. }), "{error:?}");
    assert!(error.to_string().contains("newer than this binary"), "{error}");
    let error = migrate::check(&database.url()).await.unwrap_err();
    assert!(matches!(error, Error::TooNew { version: 9999, .. }), "{error:?}");
}

#[tokio::test]
async fn an_empty_database_is_told_to_migrate() {
    let database = TestCluster::shared().await.unwrap().database().await.unwrap();
    migrate::check(&database.url()).await.unwrap();
    let mut connection = PgConnection::connect(&database.url()).await.unwrap();
    sqlx::raw_sql("delete from _sqlx_migrations where version = 4")
        .execute(&mut connection)
        .await
        .unwrap();
    let error = migrate::check(&database.url()).await.unwrap_err();
    assert!(matches!(error, Error::TooOld { version: 4 }), "{error:?}");
    sqlx::raw_sql("drop table _sqlx_migrations").execute(&mut connection).await.unwrap();
    let error = migrate::check(&database.url()).await.unwrap_err();
    assert!(matches!(error, Error::TooOld { .. }), "{error:?}");
}

#[tokio::test]
async fn a_test_server_admits_that_it_may_lose_work() {
    let database = TestCluster::shared().await.unwrap().database().await.unwrap();
    let durability = database.store().await.unwrap().durability().await.unwrap();
    assert_eq!(durability.grade, 'C');
    assert_eq!(durability.settings["fsync"], "off");
}

#[test]
fn migrations_keep_to_what_every_engine_can_do() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations");
    let mut seen = 0;
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap().to_lowercase();
        let code: Vec<&str> =
            text.lines().map(|line| line.split("--").next().unwrap_or_default()).collect();
        let code = code.join("\n");
        for word in [
            "trigger",
            "serial",
            "sequence",
            "deferrable",
            "function",
            "procedure",
            "clock_timestamp",
            "gen_random_uuid",
            "now()",
            "advisory",
            "listen",
            "notify",
            "create type",
            "varchar",
            "jsonb",
        ] {
            assert!(!code.contains(word), "{}: {word}", path.display());
        }
        seen += 1;
    }
    assert!(seen >= 4);
}
