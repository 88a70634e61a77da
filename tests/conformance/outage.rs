//! What goes wrong for everybody: the database goes away and comes back; a request panics, which on the edge ends
//! those beside it, too. Run alone.

use bailiwick_tests::{
    actors::{Actor, PASSWORD, Tenant},
    backdoor::Backdoor,
    provided,
    targets::Target,
};
use serde_json::{Value, json};

crate::cases!("outage": away_is_503_and_service_resumes, a_panic_is_a_problem_and_the_next_request_works);

async fn away_is_503_and_service_resumes(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let new = json!({ "name": "P" });
    let create = || tenant.owner.post("/v1/projects").tenant(&tenant.id).json(&new).send();
    let read = || tenant.owner.get("/v1/projects").tenant(&tenant.id).send();
    create().await.expect(201);

    match &target.backdoor {
        Backdoor::Postgres(_) => {
            let postgres = target.postgres.as_ref().expect("its server");
            postgres.halt().await;
            assert_unavailable(target, &tenant).await;
            postgres.resume().await;
        }
        Backdoor::Edge(http, control, _) => {
            let switch = async |on: bool| {
                let url = format!("{control}/outage");
                assert!(
                    http.post(url)
                        .json(&json!({ "on": on }))
                        .send()
                        .await
                        .is_ok_and(|answer| answer.status().is_success())
                );
            };
            switch(true).await;
            assert_unavailable(target, &tenant).await;
            switch(false).await;
        }
        Backdoor::Sqlite(pool) => {
            // An embedded database cannot go away, but another process can keep it from being written to.
            let mut connection = pool.acquire().await.expect("a connection");
            sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut *connection).await.expect("the write lock");
            create().await.problem(503, "unavailable");
            read().await.expect(200);
            sqlx::raw_sql("ROLLBACK").execute(&mut *connection).await.expect("the end of it");
        }
    }

    // A server needs a moment; the service is not restarted.
    let anyone = Actor::anonymous(target);
    target
        .until("the service resumes", async || {
            provided(anyone.get("/readyz").send().await, |answer| answer.status == 200)
        })
        .await;
    read().await.expect(200);
    create().await.expect(201);
}

async fn assert_unavailable(target: &'static Target, tenant: &Tenant<'_>) {
    let anyone = Actor::anonymous(target);
    anyone.get("/healthz").send().await.expect(200);
    anyone.get("/readyz").send().await.problem(503, "unavailable");
    tenant.owner.get("/v1/projects").tenant(&tenant.id).send().await.problem(503, "unavailable");
    let new = json!({ "name": "P" });
    tenant.owner.post("/v1/projects").tenant(&tenant.id).json(&new).send().await.problem(503, "unavailable");
    let credentials = json!({ "email": tenant.owner.email, "password": PASSWORD });
    anyone.post("/v1/auth/login").json(&credentials).send().await.problem(503, "unavailable");
}

async fn a_panic_is_a_problem_and_the_next_request_works(target: &'static Target) {
    let anyone = Actor::anonymous(target);
    for round in 0..3 {
        let id = format!("panic-{round}");
        let ask = anyone.get("/healthz").header("x-fault", "panic").header("x-request-id", &id);
        let answer = ask.send().await.problem(500, "internal_error");
        assert_eq!(answer.body["request_id"], Value::String(id));
        assert!(!answer.text.contains("asked for"), "the panic's message leaves: {answer:?}");
        anyone.get("/readyz").send().await.expect(200);
    }
}
