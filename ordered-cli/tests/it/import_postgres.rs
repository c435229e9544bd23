//! How far keys are, from the inbox of their handlers.

use ordered_testkit::server::PostgresServer;

use crate::support::Fixture;

/// A database in which an inbox has recorded these keys: key, epoch, last seq and what was skipped.
async fn database(rows: &[(&str, u64, u64, &str)]) -> String {
    let server = PostgresServer::shared().await.unwrap();
    let url = server.database().await.unwrap();
    let name = url.rsplit('/').next().unwrap();
    for (version, name_of_it, sql) in ordered_postgres::migrations() {
        server.sql(name, sql).await.unwrap();
        let applied = format!(
            "create table if not exists ordered_migrations (version integer primary key, name text not null); \
             insert into ordered_migrations (version, name) values ({version}, '{name_of_it}')"
        );
        server.sql(name, &applied).await.unwrap();
    }
    for (key, epoch, last_seq, skipped) in rows {
        let insert = format!(
            "insert into ordered_progress (group_name, key, epoch, last_seq, skipped, event_id, fence) \
             values ('orders', '{key}', {epoch}, {last_seq}, '{skipped}', 'id', 1)"
        );
        server.sql(name, &insert).await.unwrap();
    }
    url
}

#[tokio::test]
async fn a_store_that_lost_its_state_gets_the_positions_of_the_inbox() {
    let fixture = Fixture::calm().await;
    let url = database(&[
        ("a", 0, 41, "{}"),
        ("b", 0, 7, "{[2,4),[5,6)}"),
        ("c", 3, 2, "{}"),
    ])
    .await;
    let import = format!("import --from-postgres {url} --group orders --create");
    let says = async |options: &str| {
        let output = fixture.ordered(&format!("{import} {options}")).await;
        assert_eq!(output.code, 0, "{}", output.err);
        assert!(output.err.contains("3 events of 1 keys"), "{}", output.err);
        output.out
    };
    let output = says("--dry-run").await;
    assert_eq!(output, "import would: set 3 of 3 positions");
    assert_eq!(says("--yes").await, "import: set 3 of 3 positions");
    let positions = fixture.ordered("export --positions").await.ok();
    assert_eq!(
        positions,
        "a\t41\nb\t7\n{\"key\":\"c\",\"epoch\":3,\"last_seq\":2}"
    );
    let output = says("--yes").await;
    assert_eq!(output, "import: set 0 of 3 positions; 3 set already");

    // The keys go on behind their positions, and what comes again of the old is stale.
    let worker = fixture.start("w1", |worker| worker);
    fixture.publish("a", [41, 42, 43]).await;
    fixture.until_done("a", 43).await;
    fixture.publish("c", [3]).await;
    fixture.until_done("c", 3).await;
    assert_eq!(fixture.handled("a"), [42, 43]);
    assert_eq!(fixture.handled("c"), [3]);
    worker.stop().await;
}

#[tokio::test]
async fn what_is_missing_or_wrong_is_told() {
    let fixture = Fixture::calm().await;
    let url = database(&[("a", 0, 41, "{}")]).await;
    let unnamed = format!("import --from-postgres {url} --yes");
    let output = fixture.ordered(&unnamed).await.fails(2);
    assert!(output.contains("add --group"), "{output}");
    let other = format!("import --from-postgres {url} --group other --create --yes");
    let output = fixture.ordered(&other).await.fails(1);
    assert!(output.contains("no row of the group"), "{output}");
    let both = format!("import file.tsv --from-postgres {url} --group orders");
    let output = fixture.ordered(&both).await.fails(2);
    assert!(output.contains("cannot be used with"), "{output}");
    let output = fixture.ordered("import --group orders").await.fails(2);
    assert!(
        output.contains("--from-postgres") || output.contains("FILE"),
        "{output}"
    );
    let server = PostgresServer::shared().await.unwrap();
    let empty = server.database().await.unwrap();
    let empty = format!("import --from-postgres {empty} --group orders --create --yes");
    let output = fixture.ordered(&empty).await.fails(1);
    assert!(output.contains("ordered outbox migrate"), "{output}");
    let nonsense = "import --from-postgres mysql://host --group orders --create --yes";
    let output = fixture.ordered(nonsense).await.fails(2);
    assert!(output.contains("not the address of a database"), "{output}");
}
