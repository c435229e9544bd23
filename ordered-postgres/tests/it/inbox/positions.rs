use futures_util::TryStreamExt;
use ordered_postgres::inbox::Position;

use crate::support::inbox::Fixture;

#[tokio::test]
async fn all_positions_of_a_group_are_read_page_by_page() {
    let fixture = Fixture::new().await;
    let insert = "insert into ordered_progress (group_name, key, epoch, last_seq, skipped, event_id, fence)
        select g, 'k' || n, n % 3, n, case when n = 9 then '{[1,3),[5,6)}'::int8multirange else '{}' end, 'e', 7
        from generate_series(1, 2500) n, unnest(array[$1, 'another group']) g";
    fixture
        .client
        .execute(insert, &[&fixture.group])
        .await
        .unwrap();
    let positions = fixture.inbox.positions(&fixture.group);
    let positions: Vec<Position> = positions.try_collect().await.unwrap();
    assert_eq!(positions.len(), 2500);
    assert!(positions.is_sorted_by(|one, other| one.key() < other.key()));
    let nine = positions
        .iter()
        .find(|position| position.key().as_str() == "k9")
        .unwrap();
    assert_eq!((nine.epoch(), nine.last_seq(), nine.fence().0), (0, 9, 7));
    assert_eq!(nine.skipped(), [1..=2, 5..=5]);
    assert!(nine.updated_at().elapsed().unwrap().as_secs() < 600);
    let none: Vec<Position> = fixture.inbox.positions("none").try_collect().await.unwrap();
    assert_eq!(none, []);
}
