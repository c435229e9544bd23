//! How far keys are, from the inbox of their handlers.

use ordered_testkit::server::PostgresServer;

use crate::world::World;

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
    let world = World::calm().await;
    let url = database(&[
        ("a", 0, 41, "{}"),
        ("b", 0, 7, "{[2,4),[5,6)}"),
        ("c", 3, 2, "{}"),
    ])
    .await;
    let import = format!("import --from-postgres {url} --group orders --create");
    let says = async |options: &str| {
        let said = world.ordered(&format!("{import} {options}")).await;
        assert_eq!(said.code, 0, "{}", said.err);
        assert!(said.err.contains("3 events of 1 keys"), "{}", said.err);
        said.out
    };
    let said = says("--dry-run").await;
    assert_eq!(said, "import would: set 3 of 3 positions");
    assert_eq!(says("--yes").await, "import: set 3 of 3 positions");
    let positions = world.ordered("export --positions").await.ok();
    assert_eq!(
        positions,
        "a\t41\nb\t7\n{\"key\":\"c\",\"epoch\":3,\"last_seq\":2}"
    );
    let said = says("--yes").await;
    assert_eq!(said, "import: set 0 of 3 positions; 3 set already");

    // The keys go on behind their positions, and what comes again of the old is stale.
    let worker = world.start("w1", |worker| worker);
    world.publish("a", [41, 42, 43]).await;
    world.until_done("a", 43).await;
    world.publish("c", [3]).await;
    world.until_done("c", 3).await;
    assert_eq!(world.handled("a"), [42, 43]);
    assert_eq!(world.handled("c"), [3]);
    worker.stop().await;
}

#[tokio::test]
async fn what_is_missing_or_wrong_is_told() {
    let world = World::calm().await;
    let url = database(&[("a", 0, 41, "{}")]).await;
    let unnamed = format!("import --from-postgres {url} --yes");
    let said = world.ordered(&unnamed).await.fails(2);
    assert!(said.contains("add --group"), "{said}");
    let other = format!("import --from-postgres {url} --group other --create --yes");
    let said = world.ordered(&other).await.fails(1);
    assert!(said.contains("no row of the group"), "{said}");
    let both = format!("import file.tsv --from-postgres {url} --group orders");
    let said = world.ordered(&both).await.fails(2);
    assert!(said.contains("cannot be used with"), "{said}");
    let said = world.ordered("import --group orders").await.fails(2);
    assert!(
        said.contains("--from-postgres") || said.contains("FILE"),
        "{said}"
    );
    let server = PostgresServer::shared().await.unwrap();
    let empty = server.database().await.unwrap();
    let empty = format!("import --from-postgres {empty} --group orders --create --yes");
    let said = world.ordered(&empty).await.fails(1);
    assert!(said.contains("ordered outbox migrate"), "{said}");
    let nonsense = "import --from-postgres mysql://host --group orders --create --yes";
    let said = world.ordered(nonsense).await.fails(2);
    assert!(said.contains("not the address of a database"), "{said}");
}
