//! The public catalogue: what people without an account see of a tenant.

use bailiwick_tests::{
    actors::{Actor, Tenant, new_id},
    targets::Target,
};
use serde_json::{Value, json};

crate::cases!("catalogue":
    public_projects_that_are_no_drafts,
    only_what_is_meant_for_the_public,
    the_tenant_is_the_one_in_the_header,
    lists_are_filtered_and_paged,
    a_suspended_tenant_shows_nothing,
);

async fn public(tenant: &Tenant<'_>, status: &str) -> String {
    let id = tenant.public_project().await;
    let sql = format!("UPDATE projects SET status = '{status}' WHERE id = '{id}'");
    tenant.owner.target.backdoor.sql(&sql).await;
    id
}

async fn public_projects_that_are_no_drafts(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let nobody = Actor::anonymous(target);
    let mut shown = Vec::new();
    for status in ["draft", "submitted", "approved", "rejected", "in_progress", "completed", "archived"] {
        let id = public(&tenant, status).await;
        let read = nobody.get(&format!("/v1/catalog/projects/{id}")).tenant(&tenant.id).send().await;
        if status == "draft" {
            read.problem(404, "not_found");
        } else {
            assert_eq!(read.expect(200).body["status"], status);
            shown.insert(0, json!(id));
        }
        let private = tenant.project(status, None).await;
        let read = nobody.get(&format!("/v1/catalog/projects/{private}")).tenant(&tenant.id).send().await;
        read.problem(404, "not_found");
    }
    let listed = nobody.get("/v1/catalog/projects").tenant(&tenant.id).send().await.expect(200);
    let ids: Vec<_> =
        listed.body["data"].as_array().expect("a list").iter().map(|project| project["id"].clone()).collect();
    assert_eq!(ids, shown);
}

async fn only_what_is_meant_for_the_public(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let id = public(&tenant, "approved").await;
    let path = format!("/v1/catalog/projects/{id}");
    let read = Actor::anonymous(target).get(&path).tenant(&tenant.id).send().await.expect(200);
    let mut names: Vec<_> = read.body.as_object().expect("an object").keys().cloned().collect();
    names.sort();
    assert_eq!(names, ["created_at", "description", "id", "name", "status", "updated_at"]);
    for actor in [&tenant.owner, &tenant.manager] {
        assert!(!read.text.contains(&actor.id));
    }
    // A token, even a bad one, makes no difference: nobody is asked for one.
    let with = tenant.owner.get(&path).tenant(&tenant.id).send().await.expect(200);
    assert_eq!(with.body, read.body);
    let bad = Actor::anonymous(target).get(&path).tenant(&tenant.id).header("authorization", "Bearer x");
    assert_eq!(bad.send().await.expect(200).body, read.body);
}

async fn the_tenant_is_the_one_in_the_header(target: &'static Target) {
    let (one, two) = tokio::join!(Tenant::create(target), Tenant::create(target));
    let id = public(&one, "approved").await;
    let path = format!("/v1/catalog/projects/{id}");
    let nobody = Actor::anonymous(target);
    nobody.get(&path).tenant(&one.id).send().await.expect(200);
    nobody.get(&path).slug(&one.slug).send().await.expect(200);
    nobody.get(&path).tenant(&one.id).slug(&one.slug).send().await.expect(200);
    nobody.get(&path).tenant(&two.id).send().await.problem(404, "not_found");
    // Without a header it is the tenant `default`, which does not have it.
    nobody.get(&path).send().await.problem(404, "not_found");
    nobody.get("/v1/catalog/projects").send().await.expect(200);
    nobody.get(&path).tenant(&one.id).slug(&two.slug).send().await.problem(400, "tenant_conflict");
    nobody.get(&path).tenant(&new_id()).send().await.problem(404, "tenant_not_found");
    nobody.get("/v1/catalog/projects").slug("no-such-tenant").send().await.problem(404, "tenant_not_found");
    nobody.get("/v1/catalog/projects").tenant("x").send().await.problem(400, "invalid_tenant_header");
}

async fn lists_are_filtered_and_paged(target: &'static Target) {
    let (tenant, other) = tokio::join!(Tenant::create(target), Tenant::create(target));
    let (one, two, three) = (
        public(&tenant, "approved").await,
        public(&tenant, "completed").await,
        public(&tenant, "approved").await,
    );
    let nobody = Actor::anonymous(target);
    let list = |query: &str| nobody.get(&format!("/v1/catalog/projects?{query}")).tenant(&tenant.id).send();
    let ids = |body: &Value| -> Vec<String> {
        let data = body["data"].as_array().expect("a list");
        data.iter().map(|project| project["id"].as_str().expect("an id").to_owned()).collect()
    };
    assert_eq!(ids(&list("status=completed").await.expect(200).body), std::slice::from_ref(&two));
    assert_eq!(
        ids(&list("status=completed,rejected,draft").await.expect(200).body),
        std::slice::from_ref(&two)
    );
    assert_eq!(ids(&list("status=draft").await.expect(200).body), [""; 0]);
    let first = list("limit=2").await.expect(200);
    assert_eq!(ids(&first.body), [three, two]);
    let cursor = first.text_at("/next_cursor");
    let second = list(&format!("limit=2&cursor={cursor}")).await.expect(200);
    assert_eq!((ids(&second.body), &second.body["next_cursor"]), (vec![one], &Value::Null));
    let path = format!("/v1/catalog/projects?cursor={cursor}");
    nobody.get(&path).tenant(&other.id).send().await.problem(400, "invalid_cursor");
    // Nor does it fit the list that members see.
    let path = format!("/v1/projects?cursor={cursor}");
    tenant.owner.get(&path).tenant(&tenant.id).send().await.problem(400, "invalid_cursor");
}

async fn a_suspended_tenant_shows_nothing(target: &'static Target) {
    let tenant = Tenant::create(target).await;
    let id = public(&tenant, "approved").await;
    let suspend = format!("UPDATE tenants SET suspended_at = created_at WHERE id = '{}'", tenant.id);
    target.backdoor.sql(&suspend).await;
    let nobody = Actor::anonymous(target);
    for path in ["/v1/catalog/projects".to_owned(), format!("/v1/catalog/projects/{id}")] {
        nobody.get(&path).tenant(&tenant.id).send().await.problem(403, "tenant_suspended");
        nobody.get(&path).slug(&tenant.slug).send().await.problem(403, "tenant_suspended");
    }
}
