use clap::{CommandFactory, Parser};

use ordered_core::event::Seq;

use super::{Arguments, Command, LastSeq};

fn parse(line: &str) -> Result<Arguments, clap::Error> {
    Arguments::try_parse_from(line.split(' '))
}

#[track_caller]
fn command(line: &str) -> Command {
    parse(line)
        .unwrap_or_else(|error| panic!("{error}"))
        .command
}

#[track_caller]
fn message(line: &str) -> String {
    let error = parse(line).expect_err("it cannot be used");
    assert_eq!(error.exit_code(), 2);
    error.to_string()
}

#[test]
fn the_command_line_is_well_formed() {
    Arguments::command().debug_assert();
}

#[test]
fn every_command_and_option_has_a_help_text() {
    for command in Arguments::command().get_subcommands() {
        let name = command.get_name();
        assert!(command.get_about().is_some(), "{name}");
        let examples = command.get_after_help().map(ToString::to_string);
        let shows = examples.is_some_and(|examples| examples.contains(&format!("ordered {name}")));
        assert!(shows, "{name} has no example");
        for argument in command.get_arguments() {
            assert!(
                argument.get_help().is_some(),
                "{name} {}",
                argument.get_id()
            );
        }
    }
    let help = Arguments::command().render_long_help().to_string();
    for said in ["Exit codes:", "3  the store cannot be reached", "Examples:"] {
        assert!(help.contains(said), "{help}");
    }
}

#[test]
fn where_to_look_can_stand_before_or_behind_the_command() {
    for line in [
        "ordered --store redis://h --group g --prefix p keys --stuck",
        "ordered keys --stuck --group g --store redis://h --prefix p",
    ] {
        let target = parse(line).unwrap().target;
        assert_eq!(
            (
                target.store.as_deref(),
                target.group.as_deref(),
                &*target.prefix
            ),
            (Some("redis://h"), Some("g"), "p")
        );
    }
}

#[test]
fn watching_has_a_pace() {
    let pace = |line| match command(line) {
        Command::Status(status) => status.view_args.watch.map(|watch| watch.as_millis()),
        other => panic!("{other:?}"),
    };
    assert_eq!(pace("ordered status"), None);
    assert_eq!(pace("ordered status --watch"), Some(2_000));
    assert_eq!(pace("ordered status --watch 0.5 --json"), Some(500));
    assert!(
        message("ordered status --watch 0").contains("seconds are a number from 0.01 to 86400")
    );
}

#[test]
fn verbs_take_their_arguments() {
    let Command::Skip(skip) = command("ordered skip k --to 44 -y --why because --who ada") else {
        panic!("not a skip");
    };
    assert_eq!((skip.keys[0].as_str(), skip.to.unwrap().get()), ("k", 44));
    assert!(skip.verb_args.yes && !skip.verb_args.dry_run && !skip.verb_args.json);
    assert_eq!(
        (skip.verb_args.who.as_deref(), skip.verb_args.why.as_str()),
        (Some("ada"), "because")
    );
    assert_eq!(
        (skip.verb_args.force, skip.verb_args.wait.as_secs()),
        (false, 30)
    );
    let Command::Retry(retry) = command("ordered retry k --force --wait 1500ms") else {
        panic!("not a retry");
    };
    assert_eq!(
        (retry.verb_args.force, retry.verb_args.wait.as_millis()),
        (true, 1_500)
    );
    let Command::SetLast(set) = command("ordered set-last -- -k 0") else {
        panic!("not a set-last");
    };
    let zero = LastSeq::Seq(Seq::new(0).unwrap());
    assert_eq!((set.key.as_str(), set.last), ("-k", zero));
    assert!(matches!(command("ordered pause"), Command::Pause(pause) if pause.key.is_none()));
    assert!(
        matches!(command("ordered replay k --seq 3"), Command::Replay(replay) if replay.seq.is_some())
    );
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let beyond = message("ordered edit k 9007199254740992 --editor");
    assert!(beyond.contains("'9007199254740992'"));
    assert!(message("ordered edit k nine --editor").contains("a seq is a whole number"));
    assert!(message("ordered set-last k 9007199254740992").contains("9007199254740992"));
    assert!(message("ordered retry k --wait soon").contains("a duration is a whole number with"));
    assert!(message("ordered replay --seq 3").contains("<KEYS>"));
    assert!(message("ordered pause --for 10m").contains("<KEY>"));
    assert!(message("ordered retry --older-than soon").contains("an age is a whole number with"));
    assert!(message("ordered edit k 3").contains("--payload <FILE>"));
    assert!(message("ordered held").contains("<KEY>"));
    assert!(message(&format!("ordered held {}", "k".repeat(513))).contains("513 bytes"));
    assert!(message("ordered retyr k").contains("'retyr'"));
}
