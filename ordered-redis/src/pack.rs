//! Writes MessagePack, the part of it that the scripts read with `cmsgpack`: each value in its shortest form, as `cmsgpack` writes
//! it itself, so that texts from here and from there can be compared.
//!
//! Format: <https://github.com/msgpack/msgpack/blob/master/spec.md>.

use std::time::Duration;

use bytes::{BufMut, Bytes};

/// The largest whole number that a double, and so a script, holds exactly.
const LARGEST: u64 = 1 << 53;

#[derive(Debug, Default)]
pub(crate) struct Packer(Vec<u8>);

impl Packer {
    /// For about so many bytes.
    pub(crate) fn with_room(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// A list that is about to get `count` elements.
    pub(crate) fn list(&mut self, count: u32) -> &mut Self {
        self.put([0xdd]).put(count.to_be_bytes())
    }

    /// A number; beyond 2^53 the next best, which only a setting that means "no limit" ever is.
    pub(crate) fn number(&mut self, number: u64) -> &mut Self {
        let number = number.min(LARGEST);
        let [h, g, f, e, d, c, b, a] = number.to_be_bytes();
        match number {
            0..0x80 => self.put([a]),
            0x80..0x100 => self.put([0xcc, a]),
            0x100..0x1_0000 => self.put([0xcd, b, a]),
            0x1_0000..0x1_0000_0000 => self.put([0xce, d, c, b, a]),
            _ => self.put([0xcf, h, g, f, e, d, c, b, a]),
        }
    }

    /// What stands for a number that is not there: -1.
    pub(crate) fn none(&mut self) -> &mut Self {
        self.put([0xff])
    }

    /// Whole milliseconds.
    pub(crate) fn millis(&mut self, duration: Duration) -> &mut Self {
        self.number(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    /// Lua's texts are any bytes.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.text_head(bytes.len());
        self.0.put_slice(bytes);
        self
    }

    /// What stands before a text of this length.
    fn text_head(&mut self, length: usize) -> &mut Self {
        let length = u32::try_from(length).expect("no text has four gigabytes");
        let [d, c, b, a] = length.to_be_bytes();
        match length {
            0..32 => self.put([0xa0 | a]),
            32..0x100 => self.put([0xd9, a]),
            0x100..0x1_0000 => self.put([0xda, b, a]),
            _ => self.put([0xdb, d, c, b, a]),
        }
    }

    /// Of a known width, because each event has some thirty of these.
    fn put<const WIDTH: usize>(&mut self, bytes: [u8; WIDTH]) -> &mut Self {
        self.0.put_slice(&bytes);
        self
    }

    /// What was packed so far, and is taken back.
    pub(crate) fn clear(&mut self) -> &mut Self {
        self.0.clear();
        self
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// Appends what another one has packed.
    pub(crate) fn append(&mut self, other: &Self) -> &mut Self {
        self.0.put_slice(&other.0);
        self
    }

    pub(crate) fn finish(&mut self) -> Bytes {
        std::mem::take(&mut self.0).into()
    }
}
