//! `bailiwick export` and `bailiwick import`: a tenant into a file, and out of one, at a database or over HTTP. What is
//! read and written in one go is a part of bounded size, so a tenant may be of any.

mod read;
mod side;
mod write;

pub use self::{
    read::{Brought, Wanted, import},
    side::{Failure, Side},
    write::{Written, export},
};

/// Told how many rows are done.
pub type Progress<'a> = &'a mut dyn FnMut(u64);
