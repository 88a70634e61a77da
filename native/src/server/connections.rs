//! Connections of clients: their maximum number, and how long one may keep the server waiting.

use std::{
    collections::HashMap,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bailiwick_core::throttle::ClientAddress;
use tokio::{
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore, watch},
};
use tokio_io_timeout::TimeoutStream;

/// A request's head: bytes. hyper answers 431 to a longer one.
pub(crate) const HEAD_BYTES: usize = 64 * 1024;
/// The beginning of HTTP/2 (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Open files besides connections of clients: of the database, to other services, the log.
const OTHER_FILES: u64 = 256;

/// The room for connections.
#[derive(Clone, Debug)]
pub struct ConnectionLimit {
    free: Arc<Semaphore>,
    all: usize,
}

/// The connections of each address, up to a maximum, so that nobody takes all the room there is.
#[derive(Clone, Debug)]
pub struct Shares {
    taken: Arc<Mutex<HashMap<ClientAddress, usize>>>,
    most: usize,
}

/// A connection in its address' share, until it is dropped.
#[derive(Debug)]
pub struct Share {
    shares: Shares,
    address: ClientAddress,
}

impl Shares {
    /// At most `most` of each address; 0 is any number.
    pub fn new(most: usize) -> Self {
        Self { taken: Arc::default(), most: if most == 0 { usize::MAX } else { most } }
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<ClientAddress, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more connection of an address; `None` if it has the maximum already.
    pub fn take(&self, address: ClientAddress) -> Option<Share> {
        let mut taken = self.taken();
        let count = taken.entry(address).or_default();
        (*count < self.most).then(|| {
            *count += 1;
            Share { shares: self.clone(), address }
        })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = self.shares.taken();
        if let Some(count) = taken.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.address);
            }
        }
    }
}

impl ConnectionLimit {
    /// A limit of `wanted` connections, or as many as the system allows; 0 is as many as it allows. The limit of open
    /// files is raised as far as possible.
    pub fn new(wanted: usize) -> Self {
        let files = open_files();
        let possible = files.map_or(Semaphore::MAX_PERMITS, |files| {
            usize::try_from(files.saturating_sub(OTHER_FILES).max(1)).unwrap_or(Semaphore::MAX_PERMITS)
        });
        if wanted > possible {
            tracing::warn!(wanted, possible, "the limit of open files is too low for MAX_CONNECTIONS");
        }
        let all = if wanted == 0 { possible } else { wanted.min(possible) }.min(Semaphore::MAX_PERMITS);
        Self { free: Arc::new(Semaphore::new(all)), all }
    }

    /// A place for one more connection, which is free again when it is dropped; waits until there is one. Further
    /// clients wait, too, in the system's queue.
    pub async fn place(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(place) = self.free.clone().try_acquire_owned() {
            return Some(place);
        }
        tracing::warn!(connections = self.all, "there is no room for more connections; others must end");
        // The semaphore is never closed.
        self.free.clone().acquire_owned().await.ok()
    }
}

/// The limit of open files, after it was raised as far as possible; `None` if it is unknown.
fn open_files() -> Option<u64> {
    rlimit::increase_nofile_limit(u64::MAX).ok()
}

/// Waits for enough bytes to distinguish the version of HTTP; `false` if they do not come in time. hyper would wait for
/// them without end: its time limit for heads begins after them.
pub async fn begins(stream: &TcpStream, timeout: Duration) -> bool {
    let begun = async {
        let mut first = [0; PREFACE.len()];
        loop {
            match stream.peek(&mut first).await {
                Ok(0) | Err(_) => return false,
                Ok(count) if count == PREFACE.len() || !PREFACE.starts_with(&first[..count]) => return true,
                // There is no event for further bytes: the present ones stay readable.
                Ok(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    tokio::time::timeout(timeout, begun).await.unwrap_or(false)
}

/// A stream that fails when nothing can be written for this long, because the client does not read: unwritten bytes
/// wait in memory.
///
/// # Errors
/// It is closed already.
pub fn impatient(stream: TcpStream, timeout: Duration) -> io::Result<Pin<Box<TimeoutStream<TcpStream>>>> {
    // Answers are written at once; waiting to fill a packet only delays them.
    stream.set_nodelay(true)?;
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(timeout));
    Ok(Box::pin(stream))
}

/// The requests of one connection that are being answered.
#[derive(Clone, Debug, Default)]
pub struct Requests(watch::Sender<usize>);

/// One of these requests, until it is dropped.
#[derive(Debug)]
pub struct InFlight(watch::Sender<usize>);

impl Requests {
    /// Begins a request.
    pub fn begin(&self) -> InFlight {
        self.0.send_modify(|count| *count += 1);
        InFlight(self.0.clone())
    }

    /// Returns when there has been no request for this long. HTTP/1.1 has a time limit for the next head; a client that
    /// answers pings keeps an HTTP/2 connection open, so that a few clients could take all places there are.
    pub async fn idle(&self, timeout: Duration) {
        let mut count = self.0.subscribe();
        // The sender is here, so neither wait fails.
        while count.wait_for(|count| *count == 0).await.is_ok() {
            if tokio::time::timeout(timeout, count.wait_for(|count| *count > 0)).await.is_err() {
                return;
            }
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_one_address_there_are_no_more_than_its_share() {
        let of = |text: &str| ClientAddress::new(text.parse().unwrap());
        let shares = Shares::new(2);
        let first = shares.take(of("192.0.2.1"));
        let second = shares.take(of("192.0.2.1"));
        assert!(first.is_some() && second.is_some());
        assert!(shares.take(of("192.0.2.1")).is_none());
        assert!(shares.take(of("192.0.2.2")).is_some(), "others have their own");
        drop(first);
        let third = shares.take(of("192.0.2.1"));
        assert!(third.is_some());
        drop((second, third));
        assert!(shares.taken().is_empty(), "nothing is kept of those that are gone");
        let any = Shares::new(0);
        let all: Vec<_> = (0..1000).map_while(|_| any.take(of("192.0.2.1"))).collect();
        assert_eq!(all.len(), 1000);
    }
}
