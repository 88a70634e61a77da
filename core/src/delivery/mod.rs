//! Outgoing messages: the outbox, and a provider for each channel.

pub(crate) mod outbox;
pub(crate) mod providers;
