//! `bailiwick export` and `bailiwick import`: a tenant into a file, and out of one, at a database or over HTTP. Data is
//! read and written in parts of bounded size, so a tenant may be of any size.

mod read;
mod side;
mod write;

pub use self::{
    read::{Brought, Wanted, import},
    side::{Failure, Side},
    write::{Written, export},
};

/// Called with the number of finished rows.
pub type Progress<'a> = &'a mut dyn FnMut(u64);
