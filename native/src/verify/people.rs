//! The two throw-away tenants, their people, and people in neither.

use bailiwick_core::values::Role;
use http::Method;
use serde_json::{Value, json};

use super::{
    Run,
    matrix::{Names, Standing},
};
use crate::client::{Ask, Credentials, Person};

/// A tenant that was made for this run.
#[derive(Debug)]
pub(super) struct Party {
    pub(super) id: String,
    pub(super) slug: String,
    pub(super) owner: Person,
    /// A machine with an API key of the owner, of an owner's role.
    pub(super) machine: Person,
    /// The people beside the owner, if there are any.
    pub(super) others: Option<Others>,
}

/// All other current and former members of a tenant, and a stranger.
#[derive(Debug)]
pub(super) struct Others {
    pub(super) manager: Person,
    pub(super) member: Person,
    pub(super) viewer: Person,
    pub(super) suspended: Person,
    pub(super) removed: Person,
    pub(super) stranger: Person,
    /// A machine with an API key of the owner, of this role.
    pub(super) machines: Vec<(Role, Person)>,
}

impl Party {
    /// The tenant, as requests name it.
    pub(super) fn names(&self) -> Names<'_> {
        Names { id: &self.id, slug: &self.slug }
    }

    /// The person of this standing, if there is one.
    pub(super) fn person(&self, standing: Standing) -> Option<&Person> {
        let others = self.others.as_ref();
        match standing {
            Standing::Anonymous => None,
            Standing::In(Role::Owner) => Some(&self.owner),
            Standing::In(Role::Manager) => others.map(|others| &others.manager),
            Standing::In(Role::Member) => others.map(|others| &others.member),
            Standing::In(Role::Viewer) => others.map(|others| &others.viewer),
            Standing::Suspended => others.map(|others| &others.suspended),
            Standing::Removed => others.map(|others| &others.removed),
            Standing::Stranger => others.map(|others| &others.stranger),
            Standing::Key(role) => {
                let machines = others.map(|others| others.machines.iter()).into_iter().flatten();
                machines.into_iter().find(|(found, _)| *found == role).map(|(_, machine)| machine)
            }
        }
    }
}

impl Run {
    /// Makes a tenant, with an owner of its own.
    pub(super) async fn found(&self, letter: char, label: &str) -> Result<Party, String> {
        let owner = self.register("owner", label, &self.nowhere()).await?;
        self.refuse_a_windfall(&owner).await?;
        let slug = format!("verify-{}-{letter}", self.mark);
        // Noted before the request: after an interruption it is known what may exist.
        self.founded(&owner, &slug);
        let new = json!({ "slug": slug, "name": label });
        let made = self.client.must(&owner, &Ask::new(&Method::POST, "/v1/tenants").body(&new)).await?;
        let id = made.text_at("id")?;
        let machine = self.machine(&owner, &id, Role::Owner).await?;
        Ok(Party { id, slug, owner, machine, others: None })
    }

    /// The first person to register on a fresh deployment gets the tenant `default`, which is not for us.
    async fn refuse_a_windfall(&self, person: &Person) -> Result<(), String> {
        let mine = self.client.must(person, &Ask::new(&Method::GET, "/v1/tenants")).await?;
        if mine.body["data"] == json!([]) {
            return Ok(());
        }
        Err(format!(
            "Nobody had registered on {}, so the account made for this owns the tenant `default` now. Log in as {} \
             with the password {}, invite yourself and make yourself an owner; then start this again.",
            self.client.base(),
            person.email,
            person.password
        ))
    }

    /// Registers a person for the tenant of a slug.
    pub(super) async fn register(&self, role: &str, label: &str, slug: &str) -> Result<Person, String> {
        let email = format!("{role}-{}@isolation.example", super::random()?);
        let account = Credentials { email, password: super::random()? };
        // Noted before the request: after an interruption it is known what may exist.
        self.registered(account.clone());
        self.client.register(account, label, slug).await
    }

    /// Fills a tenant with people: they register for it while it is open, and the owner gives them their roles, so
    /// that no email is sent.
    pub(super) async fn populate(&self, party: &mut Party, label: &str) -> Result<(), String> {
        let path = "/v1/tenant/config";
        // The webhook is a secret to be looked for where it must not be; nothing is sent to it.
        let webhook = format!("https://hooks.slack.com/services/{}", self.secret());
        let open = json!({ "open_registration": "viewer", "slack_webhook_url": webhook });
        self.as_owner(party, &Method::PATCH, path, &open).await?;
        let mut others = Others {
            manager: self.member(party, "manager", label).await?,
            member: self.member(party, "member", label).await?,
            viewer: self.member(party, "viewer", label).await?,
            suspended: self.member(party, "owner", label).await?,
            removed: self.member(party, "owner", label).await?,
            stranger: self.register("stranger", "A stranger", &self.nowhere()).await?,
            machines: Vec::new(),
        };
        let path = format!("/v1/members/{}", others.suspended.id);
        self.as_owner(party, &Method::PATCH, &path, &json!({ "status": "suspended" })).await?;
        let path = format!("/v1/members/{}", others.removed.id);
        self.client.must(&party.owner, &Ask::new(&Method::DELETE, &path).tenant(&party.id)).await?;
        for role in Role::ALL {
            let machine = self.machine(&party.owner, &party.id, *role).await?;
            others.machines.push((*role, machine));
        }
        party.others = Some(others);
        Ok(())
    }

    /// A machine with an API key of this person.
    async fn machine(&self, maker: &Person, tenant: &str, role: Role) -> Result<Person, String> {
        let new = json!({ "name": "A machine", "role": role.as_str() });
        let ask = Ask::new(&Method::POST, "/v1/api-keys").body(&new).tenant(tenant);
        let key = self.client.must(maker, &ask).await?.text_at("key")?;
        Ok(maker.with(key))
    }

    /// A new person of a role.
    pub(super) async fn member(&self, party: &Party, role: &str, label: &str) -> Result<Person, String> {
        let person = self.register(role, label, &party.slug).await?;
        if role != "viewer" {
            let path = format!("/v1/members/{}", person.id);
            self.as_owner(party, &Method::PATCH, &path, &json!({ "role": role })).await?;
        }
        Ok(person)
    }

    async fn as_owner(&self, party: &Party, method: &Method, path: &str, body: &Value) -> Result<(), String> {
        self.client.must(&party.owner, &Ask::new(method, path).body(body).tenant(&party.id)).await.map(drop)
    }

    /// A slug that no tenant has: a person who registers for it joins nothing.
    fn nowhere(&self) -> String {
        format!("verify-{}-none", self.mark)
    }
}
