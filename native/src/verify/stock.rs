//! The things that samples need, made by the public API alone, and kept until they are used up.

use bailiwick_core::values::Role;
use http::Method;
use serde_json::{Value, json};

use super::{
    Run,
    matrix::Standing,
    people::Party,
    samples::{Ground, Thing, import_head},
};
use crate::client::{Ask, Person};

impl Ground for Run {
    type Tenant = Party;
    type User = Person;

    async fn thing(&self, thing: Thing<'_>, party: &Party, user: &Person) -> Result<String, String> {
        let personal = match thing {
            Thing::Notification | Thing::ApiKey | Thing::CommentOn(_) => &*user.id,
            // Things that work only once are made again each time; those that are no ids are at hand.
            Thing::Import
            | Thing::WholeImport
            | Thing::Session
            | Thing::RefreshToken
            | Thing::Password
            | Thing::Email => {
                return self.make(thing, party, user).await;
            }
            _ => "",
        };
        let key = format!("{} {thing:?} {personal}", party.slug);
        if let Some(kept) = self.kept(&key) {
            return Ok(kept);
        }
        let made = self.make(thing, party, user).await?;
        self.keep(key, &made);
        Ok(made)
    }
}

impl Run {
    async fn make(&self, thing: Thing<'_>, party: &Party, user: &Person) -> Result<String, String> {
        let label = self.label(party);
        match thing {
            Thing::Project => self.project(party, "private").await,
            Thing::PublicProject => {
                let id = self.project(party, "public").await?;
                let to = json!({ "to": "submitted" });
                let path = format!("/v1/projects/{id}/transitions");
                self.post(&party.owner, party, &path, &to).await?;
                Ok(id)
            }
            Thing::Task => self.task(party, &party.owner, None).await,
            Thing::TaskOf(project, _) => {
                let new = json!({ "title": label });
                let path = format!("/v1/projects/{project}/tasks");
                text(&self.post(&party.owner, party, &path, &new).await?, "id")
            }
            Thing::CommentOn(task) => {
                let body = json!({ "body": label });
                let author = worker(party, user);
                let made = self.post(author, party, &format!("/v1/tasks/{task}/comments"), &body).await?;
                text(&made, "id")
            }
            Thing::Member if party.others.is_some() => {
                self.member(party, "viewer", &label).await.map(|person| person.id)
            }
            Thing::Colleague if let Some(others) = &party.others => Ok(others.member.id.clone()),
            Thing::Member | Thing::Colleague => Ok(party.owner.id.clone()),
            Thing::ApiKey => {
                let new = json!({ "name": label, "role": "viewer" });
                let maker = worker(party, user);
                text(&self.post(maker, party, "/v1/api-keys", &new).await?, "id")
            }
            Thing::Invitation => self.invitation(party).await,
            // Its token is that of another address, or made up if tokens go by mail alone: accepting it is refused with
            // that reason, and goes no further.
            Thing::InvitationToken => {
                self.invitation(party).await?;
                Ok(self.kept(&token_key(party)).unwrap_or_else(|| "A".repeat(86)))
            }
            Thing::Delivery => {
                // The email of an invitation is a delivery, though not a dead one.
                self.invitation(party).await?;
                self.first(&party.owner, party, "/v1/admin/deliveries?limit=1").await
            }
            Thing::Notification => self.notification(party, user).await,
            Thing::Session => {
                let token = self.client.session(user).await?.text_at("access_token")?;
                let list = Ask::new(&Method::GET, "/v1/me/sessions");
                let all = self.client.send(Some(&token), &list).await?;
                let current = |item: &&Value| item["current"] == true;
                let found = all.body["data"].as_array().and_then(|all| all.iter().find(current));
                text(found.unwrap_or(&Value::Null), "id")
            }
            // Only the deployment's own provider could make one: this id does not exist, as the answer says.
            Thing::Identity => super::new_id(),
            Thing::ExternalToken => Ok("none".to_owned()),
            // It comes by a mail that nobody here reads.
            Thing::ResetToken => Ok("A".repeat(64)),
            Thing::RefreshToken => self.client.session(user).await?.text_at("refresh_token"),
            Thing::SecondOwner => Ok(String::new()),
            Thing::ProblemCode => Ok("not_found".to_owned()),
            Thing::PageFile => Ok("style.css".to_owned()),
            // A name that is taken is refused because names are unique, and only a caller with the right gets that far.
            // Nothing is left behind, and no email is sent.
            Thing::FreeEmail => Ok(party.owner.email.clone()),
            Thing::FreeSlug | Thing::Slug => Ok(party.slug.clone()),
            // Nothing of either arrives: so a caller who may finish it is refused, because it is incomplete, and no
            // tenant comes of it. An unfinished import is dropped after a day.
            Thing::Import | Thing::WholeImport => {
                let tenant = super::new_id()?;
                // An import that is tried with a key belongs to the creator of the key.
                let maker = if user.has_key() {
                    Some(user.with(self.client.session(user).await?.text_at("access_token")?))
                } else {
                    None
                };
                let user = maker.as_ref().unwrap_or(user);
                let ask = Ask::new(&Method::POST, "/v1/imports");
                let head = import_head(&tenant);
                self.client.must(user, &ask.body(&head)).await?;
                Ok(tenant)
            }
            Thing::Email => Ok(user.email.clone()),
            Thing::Password => Ok(user.password.clone()),
        }
    }

    async fn post(&self, person: &Person, party: &Party, path: &str, body: &Value) -> Result<Value, String> {
        let ask = Ask::new(&Method::POST, path).body(body).tenant(&party.id);
        self.client.must(person, &ask).await.map(|reply| reply.body)
    }

    async fn project(&self, party: &Party, visibility: &str) -> Result<String, String> {
        let label = self.label(party);
        let new = json!({ "name": label, "description": label, "visibility": visibility });
        text(&self.post(&party.owner, party, "/v1/projects", &new).await?, "id")
    }

    /// A task in the project for tasks.
    async fn task(&self, party: &Party, by: &Person, assignee: Option<&str>) -> Result<String, String> {
        let key = format!("{} the project of tasks", party.slug);
        let project = match self.kept(&key) {
            Some(project) => project,
            None => self.project(party, "private").await?,
        };
        self.keep(key, &project);
        let new = json!({ "title": self.label(party), "assignee_id": assignee });
        text(&self.post(by, party, &format!("/v1/projects/{project}/tasks"), &new).await?, "id")
    }

    /// An invitation of an address that receives no mail.
    async fn invitation(&self, party: &Party) -> Result<String, String> {
        let email = format!("invited-{}@isolation.example", super::random()?);
        let new = json!({ "email": email, "role": "viewer" });
        let made = self.post(&party.owner, party, "/v1/invitations", &new).await?;
        if let Some(token) = made["token"].as_str() {
            self.keep(token_key(party), token);
        }
        text(&made, "id")
    }

    /// Assigns a task to a member, who is notified.
    async fn notification(&self, party: &Party, user: &Person) -> Result<String, String> {
        let Some(others) = &party.others else { return super::new_id() };
        let by = if user.id == party.owner.id { &others.manager } else { &party.owner };
        self.task(party, by, Some(&user.id)).await?;
        self.first(user, party, "/v1/notifications?limit=1").await
    }

    /// The first item of a list.
    async fn first(&self, person: &Person, party: &Party, path: &str) -> Result<String, String> {
        let list = self.client.must(person, &Ask::new(&Method::GET, path).tenant(&party.id)).await?;
        text(&list.body["data"][0], "id")
    }
}

/// The user, if their role may create things; else the owner.
fn worker<'a>(party: &'a Party, user: &Person) -> &'a Person {
    let makes = [Role::Member, Role::Manager, Role::Owner].map(Standing::In);
    let mut all = makes.into_iter().filter_map(|standing| party.person(standing));
    all.find(|person| person.id == user.id).unwrap_or(&party.owner)
}

fn token_key(party: &Party) -> String {
    format!("{} the token of an invitation", party.slug)
}

/// A text of the deployment's answer.
fn text(value: &Value, name: &str) -> Result<String, String> {
    let found = value[name].as_str().map(str::to_owned);
    found.ok_or_else(|| format!("The deployment does not show the {name} of what it made."))
}
