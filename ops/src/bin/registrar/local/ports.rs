//! Ports on the loopback interface.

use std::net::{Ipv4Addr, TcpListener};

use super::Error;

/// Whether nobody listens there.
pub fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// The preferred port where it is free, else any that is.
pub fn free(preferred: Option<u16>) -> Result<u16, Error> {
    if let Some(port) = preferred.filter(|port| is_free(*port)) {
        return Ok(port);
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    listener.map(|address| address.port()).map_err(|_| Error::NoPort(1024))
}

/// A port for each that is wanted: itself where it is free, else the next free one that none of the others wants.
pub fn next_free(wanted: &[u16]) -> Result<Vec<u16>, Error> {
    let mut taken = wanted.to_vec();
    let choose = |wanted: &u16| {
        if is_free(*wanted) {
            return Ok(*wanted);
        }
        let next = (*wanted..=u16::MAX).find(|port| !taken.contains(port) && is_free(*port));
        taken.extend(next);
        next.ok_or(Error::NoPort(*wanted))
    };
    wanted.iter().map(choose).collect()
}
