//! `ordered`: what the keys of a group do and why, and what an operator can do about it.

mod args;
mod broker;
mod commands;
mod confirm;
mod editor;
mod failure;
mod interrupt;
mod operator;
mod output;
mod progress;
mod session;
mod watch;

use std::process::ExitCode;

use clap::Parser;

use args::{Arguments, Command};
use failure::Failure;
use session::Session;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(run(arguments)),
        Err(error) => Err(Failure::Output(error)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if let Some(text) = failure.text() {
                eprintln!("ordered: {text}");
            }
            failure.code()
        }
    }
}

async fn run(Arguments { target, command }: Arguments) -> Result<(), Failure> {
    // Those that need no store.
    match &command {
        Command::Verify(command) => return commands::verify::run(command),
        Command::Completions(command) => return commands::completions::run(command),
        #[cfg(feature = "postgres")]
        Command::Outbox(command) => return commands::outbox::run(command).await,
        #[cfg(feature = "postgres")]
        Command::Relay(command) => return commands::relay::run(command).await,
        Command::Dead(command) if command.broker.is_given() => {
            return commands::broker_dead::run(command).await;
        }
        Command::Redrive(command) => return commands::redrive::run(command).await,
        Command::Queues(command) => return commands::queues::run(command).await,
        _ => {}
    }
    let session = Session::connect(&target).await?;
    match command {
        Command::Verify(_) | Command::Completions(_) | Command::Redrive(_) | Command::Queues(_) => {
            Ok(())
        }
        #[cfg(feature = "postgres")]
        Command::Outbox(_) | Command::Relay(_) => Ok(()),
        Command::Status(command) => commands::status::run(&session, &command).await,
        Command::Keys(command) => commands::keys::run(&session, &command).await,
        Command::Held(command) => commands::held::run(&session, &command).await,
        Command::Dead(command) => commands::dead::run(&session, &command).await,
        Command::Errors(command) => commands::errors::run(&session, &command).await,
        Command::Show(command) => commands::show::run(&session, &command).await,
        Command::Workers(command) => commands::workers::run(&session, &command).await,
        Command::Audit(command) => commands::audit::run(&session, &command).await,
        Command::Explain(command) => commands::explain::run(&session, &command).await,
        Command::Retry(command) => commands::verbs::retry(&session, &command).await,
        Command::Skip(command) => commands::verbs::skip(&session, &command).await,
        Command::Discard(command) => commands::verbs::discard(&session, &command).await,
        Command::Edit(command) => commands::edit::run(&session, &command).await,
        Command::SetLast(command) => commands::verbs::set_last(&session, &command).await,
        Command::Pause(command) => commands::pause::pause(&session, &command).await,
        Command::Resume(command) => commands::pause::resume(&session, &command).await,
        Command::Replay(command) => commands::replay::run(&session, &command).await,
        Command::Import(command) => commands::import::run(&session, &command).await,
        Command::Export(command) => commands::export::run(&session, &command).await,
    }
}
