//! Comments and their replies, over two brokers: a reply may come long before the comment that it answers.
//!
//! Each comment has a vector clock, which says how many comments of each author its own author had read.
//! `order = "causal"` runs a comment when it is its author's next and everything that it follows has run. Comments that know
//! nothing of each other wait for nothing.
//!
//! `cargo run --example causal` shows it in memory, with a bot that answers from within the handler. With `work` it is a worker,
//! with `produce` the authors.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, Subcommand};
use ordered_events::core::logical::VectorClock;
use ordered_events::core::transport::shuffle_within;
use ordered_events::{
    Context, Envelope, HandlerError, MemoryBroker, MemoryStore, Occurrence, Publish, State, Worker,
    ordered_handler, shutdown_signal,
};
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, Notify};

/// What somebody says below a post.
#[derive(Serialize, Deserialize)]
struct Comment {
    post: String,
    author: String,
    /// How many comments of each author it follows, with itself.
    vector: VectorClock,
    /// For the log: as which comment of the post it was written.
    number: u64,
    text: String,
    /// Its author and its count.
    event_id: String,
}

impl Comment {
    fn new(post: &str, author: &str, vector: VectorClock, text: impl Into<String>) -> Self {
        Self {
            post: post.into(),
            event_id: format!("{author}-{}", vector.of(author)),
            author: author.into(),
            vector,
            number: 0,
            text: text.into(),
        }
    }

    fn envelope(&self) -> Result<Envelope, serde_json::Error> {
        Ok(Envelope::new(serde_json::to_vec(self)?))
    }
}

/// What the handler does: it writes down what it was called with, and the bot answers those who ask it.
#[derive(Clone, Default)]
struct Wall {
    log: Option<Arc<File>>,
    said: Arc<Mutex<Vec<String>>>,
    /// What the bot knows, and where it writes to.
    bot: Arc<Mutex<VectorClock>>,
    answers: Option<MemoryBroker>,
    work: Duration,
}

#[ordered_handler(
    key = "post",
    order = "causal",
    producer = "author",
    clock = "vector",
    group = "comments"
)]
async fn show(
    comment: Comment,
    State(wall): State<Wall>,
    context: Context,
) -> Result<(), HandlerError> {
    tokio::time::sleep(wall.work).await;
    let Comment {
        post,
        author,
        number,
        text,
        ..
    } = comment;
    if let Some(mut file) = wall.log.as_deref() {
        let (id, worker) = (context.event_id(), context.worker());
        file.write_all(format!("{post} {number} {id} {worker}\n").as_bytes())?;
    }
    wall.said.lock().await.push(format!("{author}: {text}"));
    if let Some(answers) = wall.answers.filter(|_| text.starts_with("bot, ")) {
        let mut known = wall.bot.lock().await;
        // It has read what the comment follows, and the comment.
        let mut clock = known.clone();
        if let Some(stamp) = context.clock() {
            clock.merge(stamp.vector())?;
        }
        let text = format!("{author}, it is 42");
        let answer = Comment::new(&post, "bot", clock.send("bot")?, text);
        let sent = answers.publish(vec![answer.envelope()?]);
        sent.await.map_err(|_| "the bot cannot be heard")?;
        // Only now: an answer that was not sent must not be counted.
        *known = clock;
    }
    Ok(())
}

/// Comments, none before what it answers. Without a command: a demonstration in memory.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// A worker: start as many as you like.
    Work(Work),
    /// The authors.
    Produce(Produce),
}

#[derive(clap::Args)]
struct Work {
    /// Where the comments come from: amqp://…, sqs://…, kafka://…
    #[arg(long)]
    transport: String,
    /// The queue they are in; of Kafka the topic.
    #[arg(long)]
    queue: String,
    /// Another queue that they are in as well.
    #[arg(long)]
    also: Option<String>,
    /// Where the state is: redis://…
    #[arg(long)]
    store: String,
    /// The group.
    #[arg(long, default_value = "comments")]
    group: String,
    /// The name of this worker.
    #[arg(long)]
    id: String,
    /// A file that gets a line `post number event_id worker_id` for each comment.
    #[arg(long)]
    log: PathBuf,
    /// How long each comment takes, in milliseconds.
    #[arg(long, default_value_t = 0)]
    work_ms: u64,
    /// How long after this worker's death others take over, in milliseconds.
    #[arg(long, default_value_t = 15_000)]
    lease_ms: u64,
}

#[derive(clap::Args)]
struct Produce {
    /// Where the comments go.
    #[arg(long)]
    transport: String,
    /// The queue; of Kafka the topic.
    #[arg(long)]
    queue: String,
    /// Another queue, to which every second author writes.
    #[arg(long)]
    also: Option<String>,
    /// How many posts.
    #[arg(long, default_value_t = 10)]
    keys: u64,
    /// How many comments below each.
    #[arg(long, default_value_t = 20)]
    events: u64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let level = match arguments.command {
        Some(_) => tracing::level_filters::LevelFilter::INFO,
        None => tracing::level_filters::LevelFilter::ERROR,
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .init();
    match arguments.command {
        None => demonstrate().await,
        Some(Command::Work(options)) => work(options).await,
        Some(Command::Produce(options)) => produce(options).await,
    }
}

const AUTHORS: [&str; 4] = ["ada", "bob", "eve", "kay"];

/// Below each post a conversation in which everybody has read everything, so that there is one right order.
fn conversations(posts: u64, comments: u64) -> Vec<Comment> {
    let mut random = fastrand::Rng::with_seed(posts ^ comments);
    let mut clocks: BTreeMap<u64, VectorClock> = BTreeMap::new();
    let mut all = Vec::new();
    for number in 1..=comments {
        for post in 1..=posts {
            let author = AUTHORS[random.usize(..AUTHORS.len())];
            let clock = clocks.entry(post).or_default();
            let Ok(vector) = clock.send(author) else {
                continue;
            };
            let text = format!("comment {number}");
            all.push(Comment {
                number,
                ..Comment::new(&format!("post-{post}"), author, vector, text)
            });
        }
    }
    all
}

/// They are published shuffled, and each tenth one twice.
async fn produce(options: Produce) -> Result<(), Box<dyn Error>> {
    let mut comments = conversations(options.keys, options.events);
    shuffle_within(&mut comments, 100, &mut fastrand::Rng::with_seed(1));
    let queues: Vec<&String> = std::iter::once(&options.queue)
        .chain(&options.also)
        .collect();
    for (place, queue) in queues.iter().enumerate() {
        let publisher = ordered_events::publisher(&options.transport, queue).await?;
        let mut sent = Vec::new();
        for comment in &comments {
            let author = AUTHORS.iter().position(|author| *author == comment.author);
            if author.unwrap_or(0) % queues.len() == place {
                let times = if comment.number % 10 == 0 { 2 } else { 1 };
                sent.extend(vec![comment.envelope()?; times]);
            }
        }
        publisher.publish(sent).await?;
    }
    Ok(())
}

async fn work(options: Work) -> Result<(), Box<dyn Error>> {
    let mut open = OpenOptions::new();
    let log = open.create(true).append(true).open(&options.log)?;
    let wall = Wall {
        log: Some(Arc::new(log)),
        work: Duration::from_millis(options.work_ms),
        ..Wall::default()
    };
    let lease = Duration::from_millis(options.lease_ms);
    let worker = async |queue: String, id: String| {
        Worker::connect(&options.transport, &queue, &options.store)
            .await?
            .group(options.group.clone())
            .id(id)
            .lease(lease)
            .sweep_interval(lease / 20)
            .state(wall.clone())
            .handler(show)
            .run_until(shutdown_signal())
            .await?;
        Ok::<_, Box<dyn Error>>(())
    };
    let first = worker(options.queue.clone(), options.id.clone());
    match &options.also {
        None => first.await,
        Some(also) => {
            let second = worker(also.clone(), format!("{}-also", options.id));
            tokio::try_join!(first, second)?;
            Ok(())
        }
    }
}

async fn demonstrate() -> Result<(), Box<dyn Error>> {
    let (slow, fast) = (MemoryBroker::new(), MemoryBroker::new());
    let (mut ada, mut bob, mut eve) = <(VectorClock, VectorClock, VectorClock)>::default();
    let say = |author: &str, vector: VectorClock, text: &str| {
        Comment::new("holidays", author, vector, text)
    };
    let question = say("ada", ada.send("ada")?, "where shall we go?");
    let alone = say("eve", eve.send("eve")?, "I like the picture");
    bob.merge(&question.vector)?;
    let reply = say("bob", bob.send("bob")?, "ada, to the sea!");
    ada.merge(&reply.vector)?;
    let thanks = say("ada", ada.send("ada")?, "bot, how far is that?");

    println!("Four comments below one post. What each author had read when it was written:\n");
    for comment in [&question, &alone, &reply, &thanks] {
        let clock = serde_json::to_string(&comment.vector)?;
        println!("  {:<4} {clock:<19} {}", comment.author, comment.text);
    }
    println!(
        "\nAda's go over a slow broker, and come last. A bot answers who asks it, from within the handler.\n"
    );

    let wall = Wall {
        answers: Some(fast.clone()),
        ..Wall::default()
    };
    let (store, done) = (MemoryStore::new(), Arc::new(Notify::new()));
    let worker = |broker: &MemoryBroker, over: &'static str| {
        let (told, finished) = (Arc::clone(&done), Arc::clone(&done));
        let worker = Worker::builder()
            .store(store.clone())
            .transport(broker.consumer())
            .state(wall.clone())
            .handler(show)
            .observe(move |occurrence| match occurrence {
                Occurrence::Held { event, .. } => {
                    println!("{:<6} came over the {over} broker, and waits", event.id);
                }
                Occurrence::Committed { event, .. } => {
                    println!("{:<6} ran", event.id);
                    if event.id.as_str().contains("bot") {
                        told.notify_waiters();
                    }
                }
                _ => {}
            });
        worker.run_until(async move { finished.notified().await })
    };
    let publish = async {
        for comment in [&reply, &alone] {
            fast.publish(vec![comment.envelope()?]).await?;
        }
        // For the page: what is fast has come when the rest does.
        tokio::time::sleep(Duration::from_millis(200)).await;
        for comment in [&thanks, &question] {
            slow.publish(vec![comment.envelope()?]).await?;
        }
        Ok::<_, Box<dyn Error>>(())
    };
    let work = async {
        tokio::try_join!(worker(&slow, "slow"), worker(&fast, "fast"))?;
        Ok::<_, Box<dyn Error>>(())
    };
    tokio::try_join!(work, publish)?;

    let said = wall.said.lock().await;
    println!("\nThe wall:");
    said.iter().for_each(|line| println!("  {line}"));
    let place = |text: &str| said.iter().position(|line| line.contains(text));
    let chain = ["where shall", "to the sea", "how far", "it is 42"].map(place);
    if chain.is_sorted() && chain.iter().all(Option::is_some) && said.len() == 5 {
        println!("\nNo comment before what it answers, each once.");
        Ok(())
    } else {
        Err("the order is wrong".into())
    }
}
