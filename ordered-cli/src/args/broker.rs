use clap::Args;
use ordered_core::event::Key;

use super::parse::key;
use super::views::ViewArgs;

/// Where the broker is.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "The broker")]
pub(crate) struct BrokerArgs {
    #[arg(
        long,
        value_name = "URL",
        help = "amqp://user:password@host[:port][/vhost], amqps://… with TLS, sqs://QUEUE[?region=…], or \
                kafka://host[:port],…"
    )]
    pub(crate) transport: Option<String>,
    /// The queue that the workers consume; of Kafka the topic
    #[arg(long, value_name = "NAME")]
    pub(crate) queue: Option<String>,
    /// The queue of its dead letters, where it has another name than the workers give it
    #[arg(long, value_name = "NAME")]
    pub(crate) dead_queue: Option<String>,
}

impl BrokerArgs {
    pub(crate) fn is_given(&self) -> bool {
        self.transport.is_some()
    }

    /// With what is not given as the environment of the workers has it.
    pub(crate) fn or_environment(&self) -> Self {
        let set = |name| {
            std::env::var(name)
                .ok()
                .filter(|value: &String| !value.is_empty())
        };
        Self {
            transport: self.transport.clone().or_else(|| set("ORDERED_TRANSPORT")),
            queue: self.queue.clone().or_else(|| set("ORDERED_QUEUE")),
            dead_queue: self.dead_queue.clone(),
        }
    }
}

/// Which of its dead letters.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Which dead letters of the broker")]
pub(crate) struct LetterFilter {
    /// Those with this reason: `malformed`, `conflict`, `late`, or as the broker has it
    #[arg(long, value_name = "REASON")]
    pub(crate) reason: Option<String>,
    /// Those with this in the text of their reason
    #[arg(long, value_name = "TEXT")]
    pub(crate) error: Option<String>,
    /// Those that have a value in their JSON, a header or a word that looks like this, such as their key: `*` stands
    /// for any letters, `?` for one
    #[arg(id = "like", long = "key", value_name = "PATTERN")]
    pub(crate) like: Option<String>,
}

impl LetterFilter {
    pub(crate) fn is_given(&self) -> bool {
        self.reason.is_some() || self.error.is_some() || self.like.is_some()
    }
}

#[derive(Debug, Args)]
pub(crate) struct Dead {
    /// The key; all that have some where it is left out
    #[arg(value_parser = key, conflicts_with = "transport")]
    pub(crate) key: Option<Key>,
    #[command(flatten)]
    pub(crate) broker: BrokerArgs,
    #[command(flatten)]
    pub(crate) letters: LetterFilter,
    /// One dead letter of the broker whole, by its number in the list
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["export", "watch"])]
    pub(crate) show: Option<u64>,
    /// The dead letters of the broker whole, as NDJSON: one a line
    #[arg(long, conflicts_with_all = ["json", "watch"])]
    pub(crate) export: bool,
    /// Not more of the broker than so many
    #[arg(long, value_name = "N", default_value = "1000")]
    pub(crate) limit: usize,
    #[command(flatten)]
    pub(crate) view_args: ViewArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Redrive {
    #[command(flatten)]
    pub(crate) broker: BrokerArgs,
    /// All of them
    #[arg(long, conflicts_with_all = ["reason", "error", "like"])]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) letters: LetterFilter,
    /// Not more than so many
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
    /// How many a second at the most
    #[arg(long, value_name = "N", default_value = "100", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rate: u32,
    /// Say what it would do, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// One JSON document on one line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    pub(crate) broker: BrokerArgs,
    #[command(flatten)]
    pub(crate) view_args: ViewArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Queues {
    #[command(flatten)]
    pub(crate) broker: BrokerArgs,
    #[command(flatten)]
    pub(crate) view_args: ViewArgs,
}
