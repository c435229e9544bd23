//! Comments and their replies, over two brokers: a reply may come long before the comment that it answers.
//!
//! Each comment has a vector clock, which says how many comments of each author its own author had read.
//! `order = "causal"` runs a comment when it is its author's next and everything that it follows has run. Comments that
//! know nothing of each other wait for nothing.
//!
//! `cargo run --example causal` shows it in memory, with a bot that answers from within the handler. With `work` it is
//! a worker, with `produce` the authors; both may have two queues.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use examples::{Example, HandlerLog, Outcome, RunningWorker, Tally, end, run};
use ordered_events::core::transport::shuffle_within;
use ordered_events::logical::VectorClock;
use ordered_events::{
    Context, Envelope, HandlerError, InvalidEvent, MemoryBroker, MemoryStore, OrderedEvent,
    Publish, StampedEvent, State, Worker, WorkerBuilder, WorkerEvent, ordered_handler,
};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

/// What somebody says below a post.
#[derive(Default, Serialize, Deserialize, OrderedEvent)]
#[ordered(key = "post", id = "event_id", producer = "author", clock = "vector")]
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
    /// What an author writes who has read what the clock knows.
    fn write(
        post: &str,
        author: &str,
        read: &mut VectorClock,
        text: impl Into<String>,
    ) -> Result<Self, InvalidEvent> {
        let mut comment = Self {
            post: post.into(),
            author: author.into(),
            text: text.into(),
            ..Self::default()
        };
        comment.stamp(read)?;
        comment.event_id = format!("{author}-{}", comment.vector.of(author));
        Ok(comment)
    }

    fn envelope(&self) -> Envelope {
        Envelope::new(serde_json::to_vec(self).expect("it is made of text and numbers"))
    }
}

/// What the handler does: it writes down what it was called with, and the bot answers those who ask it.
#[derive(Clone, Default)]
struct Wall {
    handler_log: HandlerLog,
    messages: Arc<Mutex<Vec<String>>>,
    /// What the bot knows, and where it writes to.
    bot: Arc<Mutex<VectorClock>>,
    answers: Option<MemoryBroker>,
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
    wall.handler_log.work().await;
    wall.handler_log.write(&context, comment.number)?;
    let Comment {
        post, author, text, ..
    } = comment;
    wall.messages.lock().await.push(format!("{author}: {text}"));
    if let Some(answers) = wall.answers.filter(|_| text.starts_with("bot, ")) {
        let mut known = wall.bot.lock().await;
        // It has read what the comment follows, and the comment.
        let mut clock = known.clone();
        if let Some(stamp) = context.clock() {
            clock.merge(stamp.vector())?;
        }
        let text = format!("{author}, it is 42");
        let answer = Comment::write(&post, "bot", &mut clock, text)?;
        let sent = answers.publish(vec![answer.envelope()]);
        sent.await.map_err(|_| "the bot cannot be heard")?;
        // Only now: an answer that was not sent must not be counted.
        *known = clock;
    }
    Ok(())
}

struct Comments;

impl Example for Comments {
    const ABOUT: &'static str = "Comments, none before what it answers";
    const GROUP: &'static str = "comments";
    const LOAD: (u64, u64) = (10, 20);

    fn worker(worker: WorkerBuilder, handler_log: HandlerLog) -> WorkerBuilder {
        let wall = Wall {
            handler_log,
            ..Wall::default()
        };
        worker.state(wall).handler(show)
    }

    /// Below each post a conversation in which everybody has read everything, so that there is one right order;
    /// shuffled, and each tenth comment twice.
    fn messages(posts: u64, comments: u64) -> Vec<Envelope> {
        const AUTHORS: [&str; 4] = ["ada", "bob", "eve", "kay"];
        let mut random = fastrand::Rng::with_seed(posts ^ comments);
        let mut clocks: BTreeMap<u64, VectorClock> = BTreeMap::new();
        let mut sent = Vec::new();
        for number in 1..=comments {
            for post in 1..=posts {
                let author = AUTHORS[random.usize(..AUTHORS.len())];
                let clock = clocks.entry(post).or_default();
                let (post, text) = (format!("post-{post}"), format!("comment {number}"));
                let comment = Comment::write(&post, author, clock, text);
                let comment = Comment {
                    number,
                    ..comment.expect("four authors are few")
                };
                let times = if number % 10 == 0 { 2 } else { 1 };
                sent.extend(vec![comment.envelope(); times]);
            }
        }
        shuffle_within(&mut sent, 100, &mut random);
        sent
    }

    async fn demonstrate() -> Outcome {
        let (slow, fast) = (MemoryBroker::new(), MemoryBroker::new());
        let (mut ada, mut bob, mut eve) = <(VectorClock, VectorClock, VectorClock)>::default();
        let say = |author: &str, read: &mut VectorClock, text: &str| {
            Comment::write("holidays", author, read, text)
        };
        let question = say("ada", &mut ada, "where shall we go?")?;
        let alone = say("eve", &mut eve, "I like the picture")?;
        bob.merge(&question.vector)?;
        let reply = say("bob", &mut bob, "ada, to the sea!")?;
        ada.merge(&reply.vector)?;
        let thanks = say("ada", &mut ada, "bot, how far is that?")?;

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
        let (store, tally) = (MemoryStore::new(), Tally::default());
        let start = |broker: &MemoryBroker, over: &'static str| {
            let counted = tally.clone();
            let worker = Worker::builder()
                .store(store.clone())
                .transport(broker.consumer())
                .state(wall.clone())
                .handler(show)
                .observe(move |worker_event| {
                    match worker_event {
                        WorkerEvent::Held { event, .. } => {
                            println!("{:<6} came over the {over} broker, and waits", event.id);
                        }
                        WorkerEvent::Committed { event, .. } => println!("{:<6} ran", event.id),
                        _ => {}
                    }
                    counted.count(worker_event);
                });
            RunningWorker::start(worker)
        };
        let workers = [start(&slow, "slow"), start(&fast, "fast")];
        fast.publish([&reply, &alone].map(Comment::envelope).into())
            .await?;
        tally
            .until(|counts| counts.held == 1 && counts.committed == 1)
            .await;
        slow.publish([&thanks, &question].map(Comment::envelope).into())
            .await?;
        tally.until(|counts| counts.committed == 5).await;
        for worker in workers {
            worker.stop().await?;
        }

        let messages = wall.messages.lock().await;
        println!("\nThe wall:");
        messages.iter().for_each(|line| println!("  {line}"));
        let place = |text: &str| messages.iter().position(|line| line.contains(text));
        let chain = ["where shall", "to the sea", "how far", "it is 42"].map(place);
        if chain.is_sorted() && chain.iter().all(Option::is_some) && messages.len() == 5 {
            println!("\nNo comment before what it answers, each once.");
            Ok(())
        } else {
            Err("the order is wrong".into())
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    end(run::<Comments>().await)
}
