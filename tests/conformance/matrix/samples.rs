//! The things that the registry of samples (`native/src/verify/samples.rs`) needs, put into the database by the back door, so
//! that any of them can be had at any time.

use bailiwick::verify::{
    matrix::names_a_tenant,
    samples::{Ground, Sample, Thing, import_head, import_rows},
};
use bailiwick_core::routes::{ROUTES, Route};
use bailiwick_tests::{
    actors::{Actor, PASSWORD, Tenant, new_id, unique},
    client::Ask,
    provider::{Person, Provider},
};
use serde_json::json;

/// Everything is had by the back door.
struct BackDoor;

impl Ground for BackDoor {
    type Tenant = Tenant<'static>;
    type User = Actor<'static>;

    async fn thing(
        &self,
        thing: Thing<'_>,
        tenant: &Tenant<'static>,
        user: &Actor<'static>,
    ) -> Result<String, String> {
        Ok(thing_of(thing, tenant, user).await)
    }
}

pub(crate) async fn thing_of(thing: Thing<'_>, tenant: &Tenant<'static>, user: &Actor<'static>) -> String {
    let target = tenant.owner.target;
    match thing {
        Thing::Project => tenant.project("draft", None).await,
        Thing::PublicProject => tenant.public_project().await,
        Thing::Task => tenant.task(&tenant.project("approved", None).await, "todo").await,
        Thing::TaskOf(project, _) => tenant.task(project, "todo").await,
        Thing::ApiKey => tenant.api_key(&user.id).await,
        Thing::CommentOn(task) => tenant.comment(task, &user.id).await,
        Thing::Member => {
            let somebody = Actor::register(target, "somebody").await;
            tenant.admit(&somebody, "member").await;
            somebody.id
        }
        Thing::Colleague => tenant.member.id.clone(),
        Thing::Invitation => tenant.invitation().await,
        Thing::Delivery => tenant.dead_delivery().await,
        Thing::Notification => tenant.notification(&user.id).await,
        Thing::Identity => user.identity().await,
        Thing::ExternalToken => Provider::shared().access_token("EdDSA", &Person::new("sample")).await,
        Thing::Session => user.new_session().await,
        Thing::SecondOwner => {
            let second = Actor::register(target, "second").await;
            tenant.admit(&second, "owner").await;
            second.id
        }
        Thing::FreeEmail => format!("{}@example.com", unique("sample")),
        Thing::FreeSlug => unique("sample"),
        Thing::Slug => tenant.slug.clone(),
        Thing::ProblemCode => "not_found".to_owned(),
        Thing::PageFile => "style.css".to_owned(),
        Thing::Email => user.email.clone(),
        Thing::Password => PASSWORD.to_owned(),
        Thing::RefreshToken => user.session().await.text_at("/refresh_token"),
        Thing::ResetToken => Actor::register(target, "forgetful").await.reset().await,
        Thing::Import | Thing::WholeImport => {
            let tenant = new_id();
            user.post("/v1/imports").json(&import_head(&tenant)).send().await.expect(200);
            if thing == Thing::WholeImport {
                let rows = json!({ "first": 0, "rows": import_rows(&tenant) });
                let path = format!("/v1/imports/{tenant}/rows");
                user.post(&path).json(&rows).send().await.expect(200);
            }
            tenant
        }
        Thing::InvitationToken => {
            let host = Actor::register(target, "host").await;
            let slug = unique("host");
            let new = json!({ "slug": slug, "name": "A host" });
            host.post("/v1/tenants").json(&new).send().await.expect(201);
            let new = json!({ "email": user.email, "role": "viewer" });
            let made = host.post("/v1/invitations").slug(&slug).json(&new).send().await.expect(201);
            made.text_at("/token")
        }
    }
}

/// The route of a name.
pub(crate) fn route(name: &str) -> &'static Route {
    ROUTES.iter().find(|route| route.name == name).expect("a route of this name")
}

/// A fresh request in a tenant, to be made by this user; what it needs is put there first.
pub(crate) async fn sample(route: &'static Route, tenant: &Tenant<'static>, user: &Actor<'static>) -> Sample {
    Sample::make(&BackDoor, route, tenant, user).await.unwrap_or_else(|sentence| panic!("{sentence}"))
}

/// The id of something of a tenant that fits a place of this name.
pub(super) async fn foreign(place: &str, tenant: &Tenant<'static>) -> String {
    let thing = Thing::in_place(place).unwrap_or_else(|sentence| panic!("{sentence}"));
    thing_of(thing, tenant, &tenant.owner).await
}

/// The request in somebody's name, to the tenant that it is about.
pub(crate) fn ask(sample: &Sample, actor: &Actor<'_>, tenant: &Tenant<'_>) -> Ask {
    let ask = actor.ask(sample.route.method.clone(), &sample.path()).maybe(sample.body.as_ref());
    if names_a_tenant(sample.route.access) { ask.tenant(&tenant.id) } else { ask }
}
