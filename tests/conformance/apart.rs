//! Targets beside those of all cases, for cases that need other settings. They are started when the first of these cases
//! runs.

use bailiwick_tests::targets::{self, More, Target};
use tokio::sync::OnceCell;

/// One target of each kind, with settings of its own.
pub(crate) struct Apart {
    more: &'static More,
    started: [OnceCell<&'static Target>; 3],
}

/// Targets that grant nothing that an operator may grant; nothing set is what they have of most.
pub(crate) static STRICT: Apart =
    Apart::with(&[("REFRESH_GRACE", "0"), ("INVITATION_TOKEN_IN_RESPONSE", "")]);

impl Apart {
    /// With these settings beside those of all targets.
    pub(crate) const fn with(more: &'static More) -> Self {
        Self { more, started: [const { OnceCell::const_new() }; 3] }
    }

    /// The target of the same kind as this one.
    pub(crate) async fn like(&self, target: &Target) -> &'static Target {
        let place = usize::from(target.name == "native+postgres") + 2 * usize::from(target.name == "edge+d1");
        let start = || async {
            let started = match place {
                0 => targets::native_sqlite(self.more).await,
                1 => targets::native_postgres(self.more).await,
                _ => targets::edge_d1(self.more).await,
            };
            assert_eq!(started.name, target.name);
            &*Box::leak(Box::new(started))
        };
        self.started[place].get_or_init(start).await
    }

    /// Ends those that were started.
    pub(crate) async fn stop(&self) {
        for target in self.started.iter().filter_map(OnceCell::get) {
            target.stop().await;
        }
    }
}
