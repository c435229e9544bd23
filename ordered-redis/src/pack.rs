//! Writes MessagePack, the part of it that the scripts read with `cmsgpack`: each value in its shortest form, as `cmsgpack` writes
//! it itself, so that texts from here and from there can be compared.
//!
//! Format: <https://github.com/msgpack/msgpack/blob/master/spec.md>.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};

/// The largest whole number that a double, and so a script, holds exactly.
const LARGEST: u64 = 1 << 53;

#[derive(Debug, Default)]
pub(crate) struct Packer(BytesMut);

impl Packer {
    /// A list that is about to get `count` elements.
    pub(crate) fn list(&mut self, count: u32) -> &mut Self {
        self.0.put_u8(0xdd);
        self.0.put_u32(count);
        self
    }

    /// A number; beyond 2^53 the next best, which only a setting that means "no limit" ever is.
    pub(crate) fn number(&mut self, number: u64) -> &mut Self {
        let number = number.min(LARGEST);
        let bytes = number.to_be_bytes();
        let (code, width) = match number {
            0..0x80 => return self.byte(bytes[7]),
            0x80..0x100 => (0xcc, 1),
            0x100..0x1_0000 => (0xcd, 2),
            0x1_0000..0x1_0000_0000 => (0xce, 4),
            _ => (0xcf, 8),
        };
        self.byte(code);
        self.0.put_slice(&bytes[8 - width..]);
        self
    }

    /// What stands for a number that is not there: -1.
    pub(crate) fn none(&mut self) -> &mut Self {
        self.0.put_u8(0xff);
        self
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
        let bytes = length.to_be_bytes();
        let (code, width) = match length {
            0..32 => return self.byte(0xa0 | bytes[3]),
            32..0x100 => (0xd9, 1),
            0x100..0x1_0000 => (0xda, 2),
            _ => (0xdb, 4),
        };
        self.byte(code);
        self.0.put_slice(&bytes[4 - width..]);
        self
    }

    fn byte(&mut self, byte: u8) -> &mut Self {
        self.0.put_u8(byte);
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
    pub(crate) fn append(&mut self, other: Self) -> &mut Self {
        self.0.put_slice(&other.0);
        self
    }

    pub(crate) fn finish(&mut self) -> Bytes {
        self.0.split().freeze()
    }
}
