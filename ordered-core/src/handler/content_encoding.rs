//! Bodies as the producer meant them: without the compression that the message names.

use std::borrow::Cow;
use std::sync::Arc;

use super::identity::{Decoded, Malformed};
use super::{
    AnyEvent, DynHandler, EventPlaces, HandledTypes, HandlerOptions, Handling, InvalidHandler,
    MissingState, States, Work,
};
use crate::event::Envelope;
use crate::protocol::Stamp;

/// How transports name the encoding of the body.
const CONTENT_ENCODINGS: [&str; 4] = [
    "amqp.content_encoding",
    "content-encoding",
    "Content-Encoding",
    "contentEncoding",
];

/// What a frame of zstd may ask to be kept in memory: what every decoder should support (RFC 8878, section 3.1.1.1.2).
#[cfg(feature = "compression")]
const ZSTD_WINDOW: u64 = 8 << 20;

/// A compression that a message may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compression {
    Gzip,
    Deflate,
    Zstd,
}

/// A handler that reads compressed events, too.
pub(crate) struct DecompressingHandler {
    handler: Arc<dyn DynHandler>,
    /// How large a body may be once it is decompressed.
    most_bytes: usize,
    /// How large, where only its place is looked for.
    most_kept: usize,
}

impl DecompressingHandler {
    pub(crate) fn over(handler: Arc<dyn DynHandler>, most_bytes: usize, most_kept: usize) -> Self {
        Self {
            handler,
            most_bytes,
            most_kept,
        }
    }
}

impl DynHandler for DecompressingHandler {
    fn options(&self) -> HandlerOptions {
        self.handler.options()
    }

    fn read(&self, envelope: &Envelope) -> Result<Decoded<AnyEvent>, Malformed> {
        self.handler
            .read(&*decompressed(envelope, self.most_bytes)?)
    }

    fn place(&self, envelope: &Envelope) -> Option<Decoded<()>> {
        match decompressed(envelope, self.most_kept) {
            Ok(plain) => self.handler.place(&plain),
            // The headers may say it.
            Err(_) => self.handler.place(envelope),
        }
    }

    fn stamp(
        &self,
        envelope: &Envelope,
        event: Option<&AnyEvent>,
    ) -> Result<Option<Stamp>, Malformed> {
        match decompressed(envelope, self.most_bytes) {
            Ok(plain) => self.handler.stamp(&plain, event),
            // The headers may say it.
            Err(_) => self.handler.stamp(envelope, event),
        }
    }

    fn places(&self) -> Option<EventPlaces> {
        self.handler.places()
    }

    fn call(self: Arc<Self>, work: Work) -> Handling {
        Arc::clone(&self.handler).call(work)
    }

    fn check(&self, states: &States) -> Result<(), MissingState> {
        self.handler.check(states)
    }

    fn handled_types(&self) -> Option<HandledTypes> {
        self.handler.handled_types()
    }

    fn validate(&self, options: &HandlerOptions) -> Result<(), InvalidHandler> {
        self.handler.validate(options)
    }
}

/// The envelope with its body as the producer meant it, of at most so many bytes.
pub(super) fn decompressed(
    envelope: &Envelope,
    most_bytes: usize,
) -> Result<Cow<'_, Envelope>, Malformed> {
    let Some((compression, name)) = compression(envelope) else {
        return Ok(Cow::Borrowed(envelope));
    };
    let body = decompress(compression, name, &envelope.body, most_bytes)?;
    Ok(Cow::Owned(Envelope {
        body: body.into(),
        headers: envelope.headers.clone(),
        published_at: envelope.published_at,
    }))
}

/// Others, such as `utf-8`, which many clients set, say nothing that has to be undone.
fn compression(envelope: &Envelope) -> Option<(Compression, &str)> {
    let mut names = CONTENT_ENCODINGS
        .iter()
        .filter_map(|name| envelope.headers.get(*name));
    let name = names.next()?.trim();
    let compression = match name.to_ascii_lowercase().as_str() {
        "gzip" | "x-gzip" => Compression::Gzip,
        "deflate" => Compression::Deflate,
        "zstd" => Compression::Zstd,
        _ => return None,
    };
    Some((compression, name))
}

#[cfg(not(feature = "compression"))]
fn decompress(_: Compression, name: &str, _: &[u8], _: usize) -> Result<Vec<u8>, Malformed> {
    Err(Malformed(format!(
        "the body is compressed (content encoding `{name}`), and this program was built without the feature \
         `compression` of `ordered-events`: turn it on"
    )))
}

#[cfg(feature = "compression")]
fn decompress(
    compression: Compression,
    name: &str,
    body: &[u8],
    most_bytes: usize,
) -> Result<Vec<u8>, Malformed> {
    use std::io::Read;

    let reader: Box<dyn Read + '_> = match compression {
        Compression::Gzip => Box::new(flate2::read::MultiGzDecoder::new(body)),
        // By its name this has a header of zlib; some send it without.
        Compression::Deflate if has_zlib_header(body) => {
            Box::new(flate2::read::ZlibDecoder::new(body))
        }
        Compression::Deflate => Box::new(flate2::read::DeflateDecoder::new(body)),
        Compression::Zstd => {
            let mut frames = ruzstd::decoding::FrameDecoder::new();
            frames.set_max_window_size(ZSTD_WINDOW);
            let decoder = ruzstd::decoding::StreamingDecoder::new_with_decoder(body, frames);
            Box::new(decoder.map_err(|error| damaged(name, &error))?)
        }
    };
    // One byte more than is allowed shows that there is more.
    let most = u64::try_from(most_bytes).unwrap_or(u64::MAX);
    let mut plain = Vec::new();
    let mut reader = reader.take(most.saturating_add(1));
    reader
        .read_to_end(&mut plain)
        .map_err(|error| damaged(name, &error))?;
    if plain.len() > most_bytes {
        return Err(Malformed(format!(
            "the body has more than {most_bytes} bytes once it is decompressed (content encoding `{name}`), and may \
             have no more (setting `max_body_bytes`)"
        )));
    }
    Ok(plain)
}

#[cfg(feature = "compression")]
fn has_zlib_header(body: &[u8]) -> bool {
    matches!(body, [first, second, ..]
        if first & 0x0f == 8 && (u16::from(*first) << 8 | u16::from(*second)).is_multiple_of(31))
}

#[cfg(feature = "compression")]
fn damaged(name: &str, error: &dyn std::fmt::Display) -> Malformed {
    Malformed(format!(
        "the body is not what its content encoding `{name}` says, or is damaged or cut off: {error}"
    ))
}

#[cfg(all(test, feature = "compression"))]
mod tests {
    use std::io::Write;

    use flate2::Compression as Level;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    const LIMIT: usize = 64 * 1024;

    fn gzip(body: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Level::best());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(body: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Level::best());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    }

    fn raw_deflate(body: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Level::best());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(body: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(body, ruzstd::encoding::CompressionLevel::Fastest)
    }

    fn message(body: Vec<u8>, header: &str, encoding: &str) -> Envelope {
        let mut envelope = Envelope::new(body);
        envelope.headers.insert(header.into(), encoding.into());
        envelope
    }

    fn refusal(body: Vec<u8>, encoding: &str) -> String {
        let message = message(body, "amqp.content_encoding", encoding);
        decompressed(&message, LIMIT).unwrap_err().0
    }

    #[test]
    fn a_compressed_body_is_read_by_what_its_message_says() {
        let body = br#"{"order_id": "a", "seq": 1}"#.repeat(50);
        for (compressed, encoding) in [
            (gzip(&body), "gzip"),
            (gzip(&body), "GZIP"),
            (zlib(&body), "deflate"),
            (raw_deflate(&body), "deflate"),
            (zstd(&body), "zstd"),
        ] {
            for header in CONTENT_ENCODINGS {
                let message = message(compressed.clone(), header, encoding);
                assert_eq!(
                    decompressed(&message, LIMIT).unwrap().body,
                    body,
                    "{encoding}"
                );
            }
        }
    }

    #[test]
    fn another_encoding_leaves_the_body_as_it_is() {
        let message = message(b"{}".to_vec(), "amqp.content_encoding", "utf-8");
        assert_eq!(decompressed(&message, LIMIT).unwrap().body, "{}");
    }

    #[test]
    fn a_bomb_is_given_up_at_the_limit() {
        let bomb = vec![b' '; 4 << 20];
        for (compressed, encoding) in [
            (gzip(&bomb), "gzip"),
            (zlib(&bomb), "deflate"),
            (zstd(&bomb), "zstd"),
        ] {
            let refusal = refusal(compressed, encoding);
            assert!(
                refusal.contains("more than 65536 bytes once it is decompressed"),
                "{refusal}"
            );
        }
    }

    #[test]
    fn a_frame_of_zstd_cannot_ask_for_much_memory() {
        // A window of 2^(10 + exponent) bytes, and one empty block.
        let frame = |exponent: u8| [0x28, 0xb5, 0x2f, 0xfd, 0, exponent << 3, 1, 0, 0].to_vec();
        let usual = message(frame(13), "content-encoding", "zstd");
        assert_eq!(decompressed(&usual, LIMIT).unwrap().body, "");
        let refusal = refusal(frame(20), "zstd");
        assert!(refusal.contains("content encoding `zstd`"), "{refusal}");
    }

    #[test]
    fn exactly_the_limit_is_allowed() {
        let message = message(gzip(&vec![b' '; LIMIT]), "content-encoding", "gzip");
        assert_eq!(decompressed(&message, LIMIT).unwrap().body.len(), LIMIT);
    }

    #[test]
    fn what_is_not_compressed_as_it_says_is_told() {
        let cut = gzip(&vec![b'x'; 1000]);
        for (body, encoding) in [
            (b"{}".to_vec(), "gzip"),
            (b"{}".to_vec(), "deflate"),
            (b"{}".to_vec(), "zstd"),
            (cut[..cut.len() - 3].to_vec(), "gzip"),
        ] {
            let refusal = refusal(body, encoding);
            assert!(
                refusal.contains(&format!("content encoding `{encoding}`")),
                "{refusal}"
            );
        }
    }
}
