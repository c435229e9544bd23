//! What an operator sees and does.

use ordered_core::admin::OperateOptions;
use ordered_core::event::Key;
use ordered_core::protocol::{KeyView, Order, Policy, Verb, Verdict};
use ordered_core::store::{Group, Operator};

use super::world::World;

/// The group of the tests, in an order.
pub(crate) fn group_in(order: Order) -> Group {
    let mut policy = Policy::default();
    policy.order = order;
    Group::new("test", policy)
}

/// What is known of a key whose events run 1, 2, 3, ….
pub(crate) async fn view(world: &World, key: &str) -> KeyView {
    view_in(world, &group_in(Order::Sequence), key).await
}

pub(crate) async fn view_in(world: &World, group: &Group, key: &str) -> KeyView {
    let key = Key::new(key).unwrap();
    let view = world.admin().inspect(group, &key).await;
    view.unwrap().expect("it is known")
}

/// Does something to the key `k0`, whose events run 1, 2, 3, ….
pub(crate) async fn operate(world: &World, verb: Verb, dry_run: bool) -> Verdict {
    let options = OperateOptions {
        dry_run,
        ..OperateOptions::default()
    };
    operate_with(world, &group_in(Order::Sequence), "k0", &verb, options).await
}

pub(crate) async fn operate_in(world: &World, group: &Group, key: &str, verb: &Verb) -> Verdict {
    operate_with(world, group, key, verb, OperateOptions::default()).await
}

async fn operate_with(
    world: &World,
    group: &Group,
    key: &str,
    verb: &Verb,
    options: OperateOptions,
) -> Verdict {
    let key = Key::new(key).unwrap();
    let operator = Operator {
        who: "ada".into(),
        why: "a test".into(),
    };
    let admin = world.admin();
    let done = admin.operate(group, &key, verb, &operator, options).await;
    done.unwrap()
}
