use std::net::{Ipv4Addr, TcpListener, UdpSocket};

use super::ServerError;

/// Below the range from which systems take the ports of outgoing connections, so that none of those takes a server's
/// port while the server is down.
const RANGE: std::ops::Range<u16> = 10_000..32_000;
const ATTEMPTS: usize = 200;

/// A TCP port on loopback that no other claim of any test process has, also while no server listens on it.
#[derive(Debug)]
pub(super) struct Port {
    number: u16,
    /// The UDP port of the same number is the mark that the number is taken.
    _claim: UdpSocket,
}

impl Port {
    pub(super) fn claim() -> Result<Self, ServerError> {
        let mut refused = None;
        for _ in 0..ATTEMPTS {
            let number = fastrand::u16(RANGE);
            let address = (Ipv4Addr::LOCALHOST, number);
            match UdpSocket::bind(address)
                .and_then(|claim| Ok((claim, TcpListener::bind(address)?)))
            {
                Ok((claim, _)) => {
                    return Ok(Self {
                        number,
                        _claim: claim,
                    });
                }
                Err(error) => refused = Some(error),
            }
        }
        Err(ServerError::system("no free port on loopback")(
            refused.unwrap_or_else(|| std::io::ErrorKind::AddrInUse.into()),
        ))
    }

    pub(super) fn number(&self) -> u16 {
        self.number
    }
}
