//! What every request and all background work needs: settings, the adapter's ports, the time, and new ids.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use http::HeaderMap;
use uuid::Uuid;

use crate::{
    access::{ids::Ids, pending::Pending, turns::Queues},
    auth::{identity::Provider, token::Tokens},
    config::Config,
    http::problem::Result,
    kernel::{
        sql::{Statement, rows::Rows},
        time::Timestamp,
    },
    ports::{Clock, DatabaseError, ErasedDatabase, Platform, Ports, meter::Meter, trace::Trace},
};

/// Made once, then shared by all requests.
pub(crate) struct Services {
    pub(crate) config: Config,
    pub(crate) ports: Platform,
    /// Private, so that nothing outside of `access` can run a statement.
    database: Arc<dyn ErasedDatabase>,
    pub(crate) tokens: Tokens,
    /// The operator's identity provider, if there is one.
    pub(crate) provider: Option<Provider>,
    /// Which tenant's turn it is at each kind of background work.
    pub(crate) turns: Queues,
    pub(crate) pending: Pending,
    ids: Ids,
    draining: AtomicBool,
}

impl Services {
    /// # Errors
    /// One sentence for each thing that the configuration lacks.
    pub(crate) fn new(config: Config, ports: Ports) -> std::result::Result<Self, Vec<String>> {
        let (database, ports) = ports.into_parts();
        Self::on(config, database, ports)
    }

    /// The same on the same database, with another clock and other settings.
    ///
    /// # Errors
    /// As those of [`Self::new`].
    pub(crate) fn by_clock(
        self: &Arc<Self>,
        config: Config,
        clock: Arc<dyn Clock>,
    ) -> std::result::Result<Self, Vec<String>> {
        Self::on(config, self.database.clone(), Platform { clock, ..self.ports.clone() })
    }

    fn on(
        config: Config,
        database: Arc<dyn ErasedDatabase>,
        ports: Platform,
    ) -> std::result::Result<Self, Vec<String>> {
        config.check()?;
        let Some(tokens) = Tokens::new(&config) else {
            let sentence = "JWT_SECRET: it is not set; at least 32 bytes, the same on all instances.";
            return Err(vec![sentence.to_owned()]);
        };
        let provider = Provider::new(&config);
        let (turns, pending, ids) = (Queues::default(), Pending::default(), Ids::default());
        let draining = AtomicBool::new(false);
        Ok(Self { config, ports, database, tokens, provider, turns, pending, ids, draining })
    }

    /// Runs statements together or not at all.
    pub(super) async fn batch(
        &self,
        statements: &[Statement],
    ) -> std::result::Result<Vec<Rows>, DatabaseError> {
        self.database.batch(statements).await
    }

    /// Now, as the clock port has it.
    pub(crate) fn now(&self) -> Timestamp {
        self.ports.clock.now()
    }

    /// A new id, greater than all that this instance made before: see [`Ids`].
    pub(crate) fn new_id(&self) -> Result<Uuid> {
        let mut random = [0; 12];
        self.ports.entropy.fill(&mut random)?;
        Ok(self.ids.next(self.now(), random))
    }

    /// `count` new ids, in order.
    pub(crate) fn new_ids(&self, count: usize) -> Result<Vec<Uuid>> {
        (0..count).map(|_| self.new_id()).collect()
    }

    /// The trace of a request; see [`Trace::of_request`].
    pub(crate) fn trace(&self, headers: &HeaderMap) -> Option<Trace> {
        Trace::of_request(&*self.ports.entropy, headers, |span| self.config.samples(span))
    }

    /// The trace of work that continues a `traceparent`; see [`Trace::following`].
    pub(crate) fn trace_following(&self, parent: Option<&str>) -> Option<Trace> {
        Trace::following(&*self.ports.entropy, parent, |span| self.config.samples(span))
    }

    /// A meter that starts now.
    pub(crate) fn meter(&self, trace: Option<Trace>) -> Meter {
        Meter::begin(&self.ports, self.config.otlp_endpoint.is_some(), trace)
    }

    /// From now on `/readyz` answers 503.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether [`Self::drain`] was called.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Services")
    }
}
