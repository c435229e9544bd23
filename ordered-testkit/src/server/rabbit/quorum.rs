use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Where a file of Erlang's DETS says whether it was closed properly:
/// <https://github.com/erlang/otp/blob/master/lib/stdlib/src/dets_v9.erl>.
const CLOSED_PROPERLY: usize = 8;

/// An error while RabbitMQ has not written the names of its quorum queues.
///
/// The file of a table is marked at the first change after it was written, and the mark is removed when it is written
/// again.
pub(super) fn names_are_written(data: &Path, node: &str) -> io::Result<()> {
    let names = data.join(node).join("quorum").join(node).join("names.dets");
    let mut head = [0; CLOSED_PROPERLY + 4];
    File::open(names)?.read_exact(&mut head)?;
    if head[CLOSED_PROPERLY..] == 1_u32.to_be_bytes() {
        Ok(())
    } else {
        Err(io::Error::other(
            "the names of quorum queues are not on disk",
        ))
    }
}
