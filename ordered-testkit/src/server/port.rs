use std::io;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};

use super::ServerError;

/// Below the range from which systems take the ports of outgoing connections, so that none of those takes a server's
/// port while the server is down.
const RANGE: std::ops::Range<u16> = 10_000..32_000;
const ATTEMPTS: usize = 200;

/// A TCP port on loopback that no other claim of any test process has, also while nothing listens on it. It is free
/// again when this is dropped.
///
/// ```
/// # fn main() -> Result<(), ordered_testkit::server::ServerError> {
/// let port = ordered_testkit::server::Port::claim()?;
/// let listener = std::net::TcpListener::bind(("127.0.0.1", port.number()));
/// assert!(listener.is_ok());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Port {
    number: u16,
    /// The UDP port of the same number is the mark that the number is taken.
    _claim: UdpSocket,
    /// That of the port above it, where it is needed too.
    _above: Option<UdpSocket>,
}

impl Port {
    /// Claims some port.
    ///
    /// # Errors
    /// When no port is free.
    pub fn claim() -> Result<Self, ServerError> {
        Self::first(|number| {
            Ok(Self {
                number,
                _claim: mark(number)?,
                _above: None,
            })
        })
    }

    /// Claims some port, and the one that lies so much above it.
    pub(super) fn claim_with(above: u16) -> Result<Self, ServerError> {
        Self::first(|number| {
            let other = number.checked_add(above).filter(|other| *other < RANGE.end);
            let other = other.ok_or(io::ErrorKind::AddrNotAvailable)?;
            Ok(Self {
                number,
                _claim: mark(number)?,
                _above: Some(mark(other)?),
            })
        })
    }

    fn first(claim: impl Fn(u16) -> io::Result<Self>) -> Result<Self, ServerError> {
        let mut refused = None;
        for _ in 0..ATTEMPTS {
            match claim(fastrand::u16(RANGE)) {
                Ok(port) => return Ok(port),
                Err(error) => refused = Some(error),
            }
        }
        Err(ServerError::system("no free port on loopback")(
            refused.unwrap_or_else(|| io::ErrorKind::AddrInUse.into()),
        ))
    }

    /// Its number.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.number
    }
}

/// The claim of a TCP port, where nobody has one and nobody listens.
fn mark(number: u16) -> io::Result<UdpSocket> {
    let address = (Ipv4Addr::LOCALHOST, number);
    let claim = UdpSocket::bind(address)?;
    TcpListener::bind(address)?;
    Ok(claim)
}
