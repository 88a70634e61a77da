//! Every route: one tenant asks it for the largest that it takes, many times at once, and meanwhile another one works as ever.
//! After it, beside all that was heaped up, its requests visit no more than before there was anybody else.

use bailiwick_core::{
    limits,
    routes::{ROUTES, Route},
};
use bailiwick_tests::{actors::Tenant, targets::Target};
use futures::future::join_all;
use reqwest::Method;
use serde_json::Value;

use super::{
    Case, Place,
    attack::{exported, largest},
    bystander::{Bystander, Seen, analyse, sum},
    heap,
};

/// Requests of the attacker that are under way at once.
const AT_ONCE: usize = 6;

/// What all routes' cases have in common.
pub(crate) struct Scene {
    bystander: Bystander,
    /// What the bystander's requests cost while there was nobody else.
    costs: Vec<Seen>,
    /// A tenant that has heaped up much of everything.
    heap: Tenant<'static>,
    /// What it consists of, as an export says it.
    rows: Vec<Value>,
}

impl Scene {
    async fn set(target: &'static Target) -> Self {
        let bystander = Bystander::make(target).await;
        analyse(target).await;
        let costs = bystander.costs().await;
        let heap = heap::make(target).await;
        analyse(target).await;
        // As many as a request may bring.
        let rows = exported(&heap, limits::MOVED_ROWS as usize).await;
        Self { bystander, costs, heap, rows }
    }

    pub(crate) fn told(&self) -> String {
        let (visited, batches) = sum(&self.costs);
        format!(
            "a bystander's {} requests visit {visited} in {batches} batches, before and beside {} rows of each kind",
            self.costs.len(),
            heap::MANY
        )
    }
}

pub(crate) fn cases() -> Vec<Case> {
    let all = Case::new("routes::beside_what_another_one_has", |place| async move {
        let scene = scene(place).await;
        scene.bystander.visits_no_more("what another one has heaped up", &scene.costs).await;
    });
    let each = ROUTES
        .iter()
        .map(|route| Case::new(format!("routes::beside::{}", route.name), move |place| beside(place, route)));
    std::iter::once(all).chain(each).collect()
}

async fn scene(place: &'static Place) -> &'static Scene {
    place.scene.get_or_init(|| Scene::set(&place.target)).await
}

async fn beside(place: &'static Place, route: &'static Route) {
    let scene = scene(place).await;
    // What only reads reads what there is most of; what takes something away takes it from one of its own.
    let own;
    let attacker = if route.method == Method::GET {
        &scene.heap
    } else {
        own = Tenant::create(&place.target).await;
        &own
    };
    let mut asks = Vec::new();
    for _ in 0..AT_ONCE {
        asks.push(largest(route, attacker, &scene.rows).await);
    }
    let attack = join_all(asks.into_iter().map(|(ask, success)| async move {
        let answer = ask.send().await;
        (answer.status == success, answer)
    }));
    let (answers, ()) = tokio::join!(attack, scene.bystander.works(&scene.costs));
    // What ends a session or a tenant can be done once.
    let done = answers.iter().filter(|(done, _)| *done).count();
    let shown = |(_, answer): &(bool, bailiwick_tests::client::Answer)| {
        format!("{} {}", answer.status, answer.text.chars().take(300).collect::<String>())
    };
    assert!(done > 0, "{route:?} does not take what is the largest: {:?}", answers.iter().map(shown).next());
    scene.bystander.visits_no_more(&format!("{route:?}"), &scene.costs).await;
}
