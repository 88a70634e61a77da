//! Ports for servers that must be told theirs before they start. A port that is merely free may be somebody else's a
//! moment later; these are kept for whoever has them, across all tests that run on the machine.

use std::{
    fs::{File, create_dir_all},
    net::TcpListener,
    path::PathBuf,
};

/// Where no system gives ports to those who let it choose: Linux does so from 32768 on.
const FIRST: u16 = 20_000;
const LAST: u16 = 31_999;

/// A port of 127.0.0.1 that no other test has as long as this is there.
#[derive(Debug)]
pub struct Port {
    number: u16,
    /// Locked, for as long as it is open.
    _lock: File,
}

impl Port {
    /// Takes one on which nobody listens.
    pub fn reserve() -> Self {
        let range = u32::from(LAST - FIRST) + 1;
        // Those who start together do not all try the same ones.
        let start = std::process::id().wrapping_mul(97) % range;
        let offsets = (0..range).map(|step| (start + step) % range);
        let numbers = offsets.filter_map(|offset| u16::try_from(offset).ok()).map(|offset| FIRST + offset);
        numbers.into_iter().find_map(Self::take).expect("a port of ours that is free")
    }

    fn take(number: u16) -> Option<Self> {
        let directory: PathBuf = std::env::temp_dir().join("bailiwick-ports");
        create_dir_all(&directory).ok()?;
        let lock = File::create(directory.join(number.to_string())).ok()?;
        lock.try_lock().ok()?;
        // It is no test's; it may be another program's.
        TcpListener::bind(("127.0.0.1", number)).ok()?;
        Some(Self { number, _lock: lock })
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }

    /// The address that it is part of.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_else_gets_a_port_as_long_as_it_is_there() {
        let one = Port::reserve();
        let two = Port::reserve();
        assert_ne!(one.number(), two.number());
        assert!(Port::take(one.number()).is_none(), "it is taken");
        let number = two.number();
        drop(two);
        assert!(Port::take(number).is_some(), "it is free again");
    }
}
