use ordered_postgres::{PostgresErrorKind, TABLES_VERSION, check_tables, migrate, migrations};

use crate::support::{connect, database, empty_database};

#[tokio::test]
async fn migrations_run_once_however_many_programs_start_at_once() {
    let url = empty_database().await;
    let all: Vec<i32> = migrations().map(|(version, ..)| version).collect();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let url = url.clone();
        tasks.spawn(async move { migrate(&mut connect(&url).await).await.unwrap() });
    }
    let mut applied = tasks.join_all().await;
    applied.sort();
    assert_eq!(applied, [vec![], vec![], vec![], all]);
    check_tables(&connect(&url).await).await.unwrap();
}

#[tokio::test]
async fn the_files_alone_do_no_harm_when_they_run_again() {
    let url = database().await;
    let client = connect(&url).await;
    for (_, name, sql) in migrations() {
        client.batch_execute(sql).await.expect(name);
    }
}

#[tokio::test]
async fn missing_tables_and_those_of_another_version_are_told_with_what_to_do() {
    let url = empty_database().await;
    let mut client = connect(&url).await;
    let missing = check_tables(&client).await.unwrap_err();
    assert_eq!(missing.kind(), PostgresErrorKind::NotMigrated);
    assert!(
        missing.to_string().contains("ordered outbox migrate"),
        "{missing}"
    );

    migrate(&mut client).await.unwrap();
    let versions = "update ordered_migrations set version = version + 100";
    client.batch_execute(versions).await.unwrap();
    let later = check_tables(&client).await.unwrap_err();
    assert_eq!(later.kind(), PostgresErrorKind::OtherVersion);
    assert!(later.to_string().contains("use a later version"), "{later}");
    let later = migrate(&mut client).await.unwrap_err();
    assert_eq!(later.kind(), PostgresErrorKind::OtherVersion);

    let versions = "update ordered_migrations set version = version - 200";
    client.batch_execute(versions).await.unwrap();
    let earlier = check_tables(&client).await.unwrap_err();
    assert_eq!(earlier.kind(), PostgresErrorKind::OtherVersion);
    assert!(
        earlier
            .to_string()
            .contains(&format!("needs {TABLES_VERSION}")),
        "{earlier}"
    );
}

#[tokio::test]
async fn a_user_without_rights_is_told_which_are_missing() {
    let url = empty_database().await;
    let role = ordered_testkit::unique("reader").replace('-', "_");
    let client = connect(&url).await;
    client
        .batch_execute(&format!("create role {role} login"))
        .await
        .unwrap();
    let error = migrate(&mut connect(&url.replace("ordered@", &format!("{role}@"))).await)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), PostgresErrorKind::Denied, "{error}");
    assert!(error.to_string().contains("create"), "{error}");
}
