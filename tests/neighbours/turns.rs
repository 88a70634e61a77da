//! Work in the background that is done piece by piece: however much two tenants have waiting, and whatever fails for one, a third
//! one's is done when each of them has had one step.

use bailiwick_tests::{actors::new_id, backdoor::Backdoor};

use super::{
    Case, Place,
    rows::{NOW, Owned},
    worker::{Work, Worker},
};

/// What waits to be done.
#[derive(Clone, Copy, Debug)]
enum Waiting {
    Entries,
    Projects,
    Tasks,
    Removal,
    Measurement,
}

const ALL: [Waiting; 5] =
    [Waiting::Entries, Waiting::Projects, Waiting::Tasks, Waiting::Removal, Waiting::Measurement];

pub(crate) fn cases() -> Vec<Case> {
    let turns = ALL.into_iter().map(|waiting| {
        let name = format!("turns::nobody_waits_for_all_that_others_have::{waiting:?}");
        Case::new(name, move |place| in_turn(place, waiting))
    });
    let failing = ALL.into_iter().map(|waiting| {
        let name = format!("turns::what_fails_for_one_keeps_nobody_waiting::{waiting:?}");
        Case::new(name, move |place| beside_a_failure(place, waiting))
    });
    turns.chain(failing).collect()
}

impl Waiting {
    fn work(self) -> Work {
        match self {
            Self::Entries => Work::Seal,
            Self::Projects | Self::Tasks => Work::Index,
            Self::Removal => Work::Remove,
            Self::Measurement => Work::Measure,
        }
    }

    /// Steps that a round has here: one for each of the three tenants. (Of indexing, projects have half of them.)
    fn steps(self) -> u32 {
        if matches!(self, Self::Projects) { 6 } else { 3 }
    }

    /// More rows than a few rounds do, natively or at the edge, where one has up to ten steps.
    fn much(self) -> usize {
        match self {
            Self::Entries => 2_000,
            Self::Projects | Self::Tasks => 600,
            Self::Removal | Self::Measurement => 5_000,
        }
    }

    async fn heap_up(self, worker: &Worker, tenant: &Owned, count: usize) {
        let backdoor = &worker.backdoor;
        match self {
            Self::Entries => tenant.entries(backdoor, count).await,
            Self::Projects => tenant.projects_without_words(backdoor, count).await,
            Self::Tasks => drop(tenant.tasks(backdoor, count, 0).await),
            Self::Removal => {
                tenant.notifications(backdoor, count, "NULL").await;
                let delete = format!(
                    "UPDATE tenants SET deleted_at = {NOW}, suspended_at = {NOW} WHERE id = '{}'",
                    tenant.tenant
                );
                backdoor.sql(&delete).await;
            }
            Self::Measurement => {
                tenant.notifications(backdoor, count, "NULL").await;
                backdoor.measured(&tenant.tenant, Some(0)).await;
            }
        }
    }

    async fn left(self, worker: &Worker, tenant: &Owned) -> i64 {
        let (table, condition) = match self {
            Self::Entries => ("activity", "seq IS NULL"),
            Self::Projects => ("projects", "indexed < 2"),
            Self::Tasks => ("tasks", "indexed < 2"),
            Self::Removal => ("notifications", "read_at IS NULL"),
            // The notifications that are not counted yet.
            Self::Measurement => (
                "notifications",
                "EXISTS (SELECT 1 FROM sizes s WHERE s.tenant_id = notifications.tenant_id \
                 AND (s.part < 3 OR (s.part = 3 AND notifications.id > s.behind)))",
            ),
        };
        let sql =
            format!("SELECT count(*) FROM {table} WHERE tenant_id = '{}' AND {condition}", tenant.tenant);
        worker.backdoor.count(&sql).await
    }

    /// The table that a step of it changes, and how.
    fn change(self) -> (&'static str, &'static str) {
        match self {
            Self::Entries => ("activity", "UPDATE"),
            Self::Projects => ("projects", "UPDATE"),
            Self::Tasks => ("tasks", "UPDATE"),
            Self::Removal => ("notifications", "DELETE"),
            Self::Measurement => ("sizes", "UPDATE"),
        }
    }
}

async fn worker(place: &'static Place) -> &'static Worker {
    place.worker.get_or_init(|| Worker::like(&place.target)).await
}

/// Two who have much, of which one came before the third and the other one after it.
async fn three(worker: &Worker, waiting: Waiting) -> [Owned; 3] {
    // A process begins anywhere in the order of tenants. From then on it is theirs.
    worker.round(waiting.work(), 1).await;
    let mut all = Vec::new();
    for count in [waiting.much(), 1, waiting.much()] {
        let tenant = Owned::make(&worker.backdoor).await;
        waiting.heap_up(worker, &tenant, count).await;
        all.push(tenant);
    }
    all.try_into().expect("three")
}

/// Rounds until nothing of a tenant is left: natively one of as many steps as there are tenants, at the edge as many as it takes
/// for so many steps where a round has one.
async fn until_done(worker: &Worker, waiting: Waiting, tenant: &Owned) {
    let most = if worker.is_edge() { 3 } else { 1 };
    for _ in 0..most {
        worker.round(waiting.work(), waiting.steps()).await;
        if waiting.left(worker, tenant).await == 0 {
            return;
        }
    }
    panic!(
        "{waiting:?} of a tenant is not done after {most} rounds in which others have had more than one step"
    );
}

/// What is left goes, so that the next case begins with nothing.
async fn clear(worker: &Worker, tenants: &[Owned]) {
    for Owned { tenant, .. } in tenants {
        for table in ["activity", "tasks", "projects", "notifications", "sizes", "memberships"] {
            worker.backdoor.sql(&format!("DELETE FROM {table} WHERE tenant_id = '{tenant}'")).await;
        }
        worker.backdoor.sql(&format!("DELETE FROM tenants WHERE id = '{tenant}'")).await;
    }
    // Whose work others have done to its end is not waited for.
    for work in [Work::Seal, Work::Index, Work::Remove, Work::Measure] {
        let turned = worker.round(work, 20).await;
        assert!(turned.as_ref().is_none_or(|turned| !turned.more), "{work:?}: {turned:?}");
    }
}

async fn in_turn(place: &'static Place, waiting: Waiting) {
    let worker = worker(place).await;
    let all = three(worker, waiting).await;
    let [before, bystander, behind] = &all;
    until_done(worker, waiting, bystander).await;
    // They were overtaken, and have not been kept waiting for it.
    for other in [before, behind] {
        let left = waiting.left(worker, other).await;
        assert!(left > 0, "{waiting:?}: all of another tenant's was done before");
        let much = i64::try_from(waiting.much()).expect("a number");
        assert!(left < much || worker.is_edge(), "{waiting:?}: another tenant had no turn");
    }
    clear(worker, &all).await;
}

/// Statements that have each change of a tenant's rows in a table fail, and those that undo it.
pub(crate) fn fault(worker: &Worker, (table, how): (&str, &str), condition: &str) -> [Vec<String>; 2] {
    let name = format!("fail_{}", new_id().replace('-', ""));
    if matches!(worker.backdoor, Backdoor::Postgres(_)) {
        let function = "CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS \
                        $$ BEGIN RAISE EXCEPTION 'a fault'; END $$";
        let trigger = format!(
            "CREATE TRIGGER {name} BEFORE {how} ON {table} FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION fail()"
        );
        [vec![function.to_owned(), trigger], vec![format!("DROP TRIGGER {name} ON {table}")]]
    } else {
        let trigger = format!(
            "CREATE TRIGGER {name} BEFORE {how} ON {table} WHEN {condition} BEGIN SELECT RAISE(ABORT, 'a fault'); END"
        );
        [vec![trigger], vec![format!("DROP TRIGGER {name}")]]
    }
}

async fn beside_a_failure(place: &'static Place, waiting: Waiting) {
    let worker = worker(place).await;
    let all = three(worker, waiting).await;
    let [before, bystander, behind] = &all;
    let condition = format!("OLD.tenant_id = '{}'", before.tenant);
    let [breaking, mending] = fault(worker, waiting.change(), &condition);
    for sql in breaking {
        worker.backdoor.sql(&sql).await;
    }
    // Also when it fails again and again.
    for _ in 0..2 {
        if let Some(turned) = worker.round(waiting.work(), waiting.steps()).await {
            assert!(turned.failed.is_some(), "{turned:?}");
        }
    }
    let left = waiting.left(worker, bystander).await;
    assert!(left == 0 || worker.is_edge(), "{waiting:?} of a tenant waits because another one's fails");
    until_done(worker, waiting, bystander).await;
    let much = i64::try_from(waiting.much()).expect("a number");
    assert_eq!(waiting.left(worker, before).await, much, "{waiting:?}");
    assert!(waiting.left(worker, behind).await < much, "{waiting:?}: another tenant had no turn");
    for sql in mending {
        worker.backdoor.sql(&sql).await;
    }
    // It goes on where it was.
    for _ in 0..3 {
        worker.round(waiting.work(), waiting.steps()).await;
    }
    assert!(waiting.left(worker, before).await < much, "{waiting:?}: it does not go on after a failure");
    clear(worker, &all).await;
}
