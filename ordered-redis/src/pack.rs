//! Writes MessagePack, the part of it that the scripts read with `cmsgpack`.
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
        match (u8::try_from(number), u32::try_from(number)) {
            (Ok(small @ 0..0x80), _) => self.0.put_u8(small),
            (_, Ok(middle)) => {
                self.0.put_u8(0xce);
                self.0.put_u32(middle);
            }
            _ => {
                self.0.put_u8(0xcf);
                self.0.put_u64(number);
            }
        }
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
        let length = u32::try_from(bytes.len()).expect("no text has four gigabytes");
        match u8::try_from(length) {
            Ok(small @ 0..32) => self.0.put_u8(0xa0 | small),
            _ => {
                self.0.put_u8(0xdb);
                self.0.put_u32(length);
            }
        }
        self.0.put_slice(bytes);
        self
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
