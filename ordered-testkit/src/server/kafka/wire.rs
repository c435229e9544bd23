//! The little of Kafka's protocol that a test kit speaks itself: <https://kafka.apache.org/protocol>.

use std::io;
use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const METADATA: (i16, i16) = (3, 1);
const API_VERSIONS: (i16, i16) = (18, 0);
/// The last version before the one with fields of a variable length.
const CREATE_TOPICS: (i16, i16) = (19, 4);
const SASL_HANDSHAKE: (i16, i16) = (17, 1);
const SASL_AUTHENTICATE: (i16, i16) = (36, 1);
const CREATE_ACLS: (i16, i16) = (30, 1);
/// A name is meant as it is, and not as a beginning.
const LITERAL: u8 = 3;
/// And not forbidden.
const ALLOW: u8 = 3;
/// By which an answer is known to be that of the request.
const NUMBER: i32 = 7;
const TIMEOUT_MILLIS: i32 = 30_000;
/// No answer to these requests is as long.
const MAX_ANSWER: usize = 1 << 20;

/// Asks which versions of its protocol the broker speaks, which it says to everybody, and waits for the answer.
pub(super) async fn greet(port: u16) -> io::Result<()> {
    let answer = exchange(port, API_VERSIONS, &[]).await?;
    match answer.get(..2) {
        Some([0, 0]) => Ok(()),
        _ => Err(io::Error::other(format!("it answered {answer:?}"))),
    }
}

/// Whether the broker knows of a topic that was made. The controller answers before the broker has heard of it.
pub(super) async fn knows(port: u16, topic: &str) -> io::Result<bool> {
    let mut body = Vec::new();
    put_count(&mut body, 1)?;
    put_text(&mut body, topic)?;
    let answer = exchange(port, METADATA, &body).await?;
    let mut name = Vec::new();
    put_text(&mut name, topic)?;
    // Its error stands before its name.
    let place = answer.windows(name.len()).position(|bytes| bytes == name);
    let error = place.and_then(|place| answer.get(place.checked_sub(2)?..place));
    Ok(error == Some(&[0, 0]))
}

/// Makes a topic with one copy.
pub(super) async fn create_topic(
    port: u16,
    topic: &str,
    partitions: i32,
    settings: &[(&str, &str)],
) -> io::Result<()> {
    let mut body = Vec::new();
    put_count(&mut body, 1)?;
    put_text(&mut body, topic)?;
    body.extend(partitions.to_be_bytes());
    body.extend(1_i16.to_be_bytes());
    // Which broker has which partition is left to the broker.
    put_count(&mut body, 0)?;
    put_count(&mut body, settings.len())?;
    for (name, value) in settings {
        put_text(&mut body, name)?;
        put_text(&mut body, value)?;
    }
    body.extend(TIMEOUT_MILLIS.to_be_bytes());
    // It is to be done, and not only tried.
    body.push(0);
    let answer = exchange(port, CREATE_TOPICS, &body).await?;
    match error_of(&answer, topic) {
        Some((0, _)) => Ok(()),
        Some((code, text)) => Err(io::Error::other(format!("error {code}: {text}"))),
        None => Err(io::Error::other(format!("it answered {answer:?}"))),
    }
}

/// The error of the only topic: behind a time, a count and the topic's name.
fn error_of(answer: &[u8], topic: &str) -> Option<(i16, String)> {
    let rest = answer.get(4 + 4 + 2 + topic.len()..)?;
    let code = i16::from_be_bytes(rest.get(..2)?.try_into().ok()?);
    let text = String::from_utf8_lossy(rest.get(4..).unwrap_or_default());
    Some((code, text.into_owned()))
}

/// Says who is there, and lets a user do something. On a listener that asks for a name and a password, without TLS.
pub(super) async fn allow(
    port: u16,
    (admin, password): (&str, &str),
    right: &Right<'_>,
) -> io::Result<()> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    let mut body = Vec::new();
    put_text(&mut body, "PLAIN")?;
    no_error(&over(&mut stream, SASL_HANDSHAKE, &body).await?)?;
    let secret = format!("\0{admin}\0{password}");
    let mut body = Vec::new();
    put_count(&mut body, secret.len())?;
    body.extend(secret.as_bytes());
    no_error(&over(&mut stream, SASL_AUTHENTICATE, &body).await?)?;
    let mut body = Vec::new();
    put_count(&mut body, 1)?;
    body.push(right.resource);
    put_text(&mut body, right.name)?;
    body.push(LITERAL);
    put_text(&mut body, &format!("User:{}", right.user))?;
    put_text(&mut body, "*")?;
    body.push(right.operation);
    body.push(ALLOW);
    let answer = over(&mut stream, CREATE_ACLS, &body).await?;
    // Behind a time and a count.
    no_error(answer.get(8..).unwrap_or_default())
}

/// What a user may do, in the numbers of the protocol.
pub(super) struct Right<'a> {
    pub(super) user: &'a str,
    pub(super) resource: u8,
    pub(super) name: &'a str,
    pub(super) operation: u8,
}

fn no_error(answer: &[u8]) -> io::Result<()> {
    match answer.get(..2) {
        Some([0, 0]) => Ok(()),
        _ => Err(io::Error::other(format!("it answered {answer:?}"))),
    }
}

async fn exchange(port: u16, api: (i16, i16), body: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    over(&mut stream, api, body).await
}

async fn over(
    stream: &mut TcpStream,
    (api, version): (i16, i16),
    body: &[u8],
) -> io::Result<Vec<u8>> {
    let mut request = Vec::new();
    request.extend(api.to_be_bytes());
    request.extend(version.to_be_bytes());
    request.extend(NUMBER.to_be_bytes());
    // The client has no name.
    request.extend((-1_i16).to_be_bytes());
    request.extend(body);
    let mut framed = Vec::with_capacity(request.len() + 4);
    put_count(&mut framed, request.len())?;
    framed.extend(request);
    stream.write_all(&framed).await?;
    let length = usize::try_from(stream.read_i32().await?).unwrap_or(usize::MAX);
    let number = stream.read_i32().await?;
    if !(4..MAX_ANSWER).contains(&length) || number != NUMBER {
        return Err(io::Error::other("it does not speak Kafka's protocol"));
    }
    let mut answer = vec![0; length - 4];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

fn put_count(body: &mut Vec<u8>, count: usize) -> io::Result<()> {
    let count = i32::try_from(count).map_err(io::Error::other)?;
    body.extend(count.to_be_bytes());
    Ok(())
}

fn put_text(body: &mut Vec<u8>, text: &str) -> io::Result<()> {
    let length = i16::try_from(text.len()).map_err(io::Error::other)?;
    body.extend(length.to_be_bytes());
    body.extend(text.as_bytes());
    Ok(())
}
