//! The model: what there is in a few tenants, and who may know it. It restates the rules; it shares no code with the
//! product.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use bailiwick_tests::{
    actors::{Actor, new_id, session_of, unique},
    client::Answer,
    targets::Target,
};
use serde_json::json;

use super::{
    draw::Draw,
    plan::{Naming, Rank, Refusal, Scene},
};

/// What a step found to be other than the model has it.
pub(super) type Told = Result<(), String>;

pub(super) struct World {
    pub(super) target: &'static Target,
    pub(super) users: Vec<User>,
    pub(super) tenants: Vec<Tenant>,
    /// Ids of what was deleted.
    pub(super) lost: Vec<String>,
    /// Tokens that were shown once, to the one whom they are for.
    pub(super) shown: Vec<String>,
}

pub(super) struct User {
    pub(super) id: String,
    pub(super) email: String,
    pub(super) name: String,
    pub(super) password: String,
    pub(super) sessions: Vec<Session>,
    /// Which of them acts.
    pub(super) current: usize,
    /// Ids and texts that are theirs.
    pub(super) own: HashSet<String>,
}

pub(super) struct Session {
    pub(super) id: String,
    pub(super) access: String,
    pub(super) refresh: String,
    /// Refresh tokens that were used.
    pub(super) spent: Vec<String>,
    pub(super) good: bool,
}

#[derive(Default)]
pub(super) struct Tenant {
    pub(super) id: String,
    pub(super) slug: String,
    pub(super) name: String,
    pub(super) gone: bool,
    /// Who deleted it, and may have its slug again.
    pub(super) deleted_by: Option<usize>,
    pub(super) members: BTreeMap<usize, Membership>,
    pub(super) projects: BTreeMap<String, Project>,
    pub(super) tasks: BTreeMap<String, Task>,
    pub(super) comments: BTreeMap<String, Comment>,
    pub(super) invitations: BTreeMap<String, Invitation>,
    pub(super) notifications: Vec<Notification>,
    pub(super) config: Config,
    /// Some of what was done, and to what.
    pub(super) activity: Vec<(&'static str, String)>,
    /// Ids and texts that its members may see.
    pub(super) knows: HashSet<String>,
}

pub(super) struct Membership {
    pub(super) rank: Rank,
    pub(super) active: bool,
    pub(super) muted: BTreeSet<&'static str>,
}

pub(super) struct Project {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) status: &'static str,
    pub(super) public: bool,
    pub(super) created_by: usize,
    pub(super) submitted_by: Option<usize>,
    pub(super) version: i64,
    pub(super) revision: i64,
}

pub(super) struct Task {
    pub(super) project: String,
    pub(super) title: String,
    pub(super) status: &'static str,
    pub(super) assignee: Option<usize>,
    pub(super) version: i64,
}

pub(super) struct Comment {
    pub(super) task: String,
    pub(super) author: usize,
    pub(super) body: String,
    /// Whom it mentions, as it is written.
    pub(super) mention: Option<(usize, String)>,
    pub(super) version: i64,
}

pub(super) struct Invitation {
    pub(super) email: String,
    pub(super) rank: Rank,
    pub(super) by: usize,
    pub(super) status: &'static str,
    pub(super) token: String,
}

pub(super) struct Notification {
    /// Known once it was listed.
    pub(super) id: Option<String>,
    pub(super) recipient: usize,
    pub(super) kind: &'static str,
    pub(super) subject: String,
    pub(super) read: bool,
}

#[derive(Clone, Default)]
pub(super) struct Config {
    pub(super) channels: BTreeMap<&'static str, Vec<&'static str>>,
    pub(super) webhook: Option<String>,
    pub(super) sender: Option<String>,
    pub(super) reply_to: Option<String>,
}

/// The kinds of things that ids name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    User,
    Project,
    Task,
    Comment,
    Invitation,
    Notification,
}

const KINDS: [Kind; 6] =
    [Kind::User, Kind::Project, Kind::Task, Kind::Comment, Kind::Invitation, Kind::Notification];

const USERS: usize = 6;
const TENANTS: usize = 3;

impl World {
    /// Registers everybody, and makes the tenants, with some of them in.
    pub(super) async fn create(target: &'static Target, run: &str, seed: u64) -> Self {
        // Whoever is the very first owns the tenant `default`.
        Actor::register(target, "first").await;
        let mut draw = Draw::new(seed, format!("{run}-w"));
        let mut users = Vec::new();
        for _ in 0..USERS {
            users.push(User::register(target, &mut draw).await);
        }
        let mut world = Self { target, users, tenants: Vec::new(), lost: Vec::new(), shown: Vec::new() };
        for owner in 0..TENANTS {
            let (slug, name) = (draw.plant(), draw.plant());
            let new = json!({ "slug": slug, "name": name });
            let answer = world.actor(Some(owner)).post("/v1/tenants").json(&new).send().await.expect(201);
            world.found(owner, answer.text_at("/id"), slug, name);
        }
        // One is in none, and each of the others in one more or in two.
        for user in 0..USERS - 1 {
            for _ in 0..2 {
                let tenant = draw.below(TENANTS);
                let rank = draw.of([Rank::Viewer, Rank::Member, Rank::Member, Rank::Manager, Rank::Owner]);
                if !world.tenants[tenant].members.contains_key(&user) {
                    let inside = &world.tenants[tenant].id;
                    let sql = format!(
                        "INSERT INTO memberships \
                         (tenant_id, id, user_id, role, status, created_at, updated_at, version) VALUES \
                         ('{inside}', '{}', '{}', '{}', 'active', {NOW}, {NOW}, 1)",
                        new_id(),
                        world.users[user].id,
                        rank.as_str()
                    );
                    target.backdoor.sql(&sql).await;
                    world.join(tenant, user, rank);
                }
            }
        }
        world
    }

    /// Somebody as they send requests.
    pub(super) fn actor(&self, user: Option<usize>) -> Actor<'static> {
        user.map_or_else(|| Actor::anonymous(self.target), |user| self.users[user].actor(self.target))
    }

    /// A new tenant of an owner.
    pub(super) fn found(&mut self, owner: usize, id: String, slug: String, name: String) {
        let knows = [&id, &slug, &name].map(Clone::clone).into();
        self.tenants.push(Tenant { id, slug, name, knows, ..Tenant::default() });
        self.join(self.tenants.len() - 1, owner, Rank::Owner);
    }

    /// Makes somebody a member; the others may know who they are from then on.
    pub(super) fn join(&mut self, tenant: usize, user: usize, rank: Rank) {
        let (tenant, joined) = (&mut self.tenants[tenant], &self.users[user]);
        tenant.members.insert(user, Membership { rank, active: true, muted: BTreeSet::new() });
        tenant.knows.extend([joined.id.clone(), joined.name.clone(), local_part(&joined.email).to_owned()]);
    }

    /// The tenants that somebody is in, which is what they may see.
    pub(super) fn inside(&self, user: Option<usize>) -> BTreeSet<usize> {
        let Some(user) = user else { return BTreeSet::new() };
        (0..self.tenants.len()).filter(|tenant| self.tenants[*tenant].active(user).is_some()).collect()
    }

    /// A tenant, somebody who may be in it, and how they name it: mostly all is well.
    pub(super) fn scene(&self, draw: &mut Draw) -> Scene {
        let there: Vec<_> = (0..self.tenants.len()).filter(|tenant| !self.tenants[*tenant].gone).collect();
        let tenant = if draw.chance(98) { draw.one(&there) } else { None };
        let tenant = tenant.unwrap_or_else(|| draw.below(self.tenants.len()));
        let members: Vec<_> = self.tenants[tenant].members.keys().copied().collect();
        let caller = match draw.below(100) {
            0..=3 => None,
            60..=73 => Some(draw.below(self.users.len())),
            4..=59 => {
                // The higher one of two: most that can be done is for them.
                let two = [draw.one(&members), draw.one(&members)];
                two.into_iter().flatten().max_by_key(|user| self.tenants[tenant].active(*user))
            }
            _ => draw.one(&members),
        };
        let (named, other) = (&self.tenants[tenant], &self.tenants[draw.below(self.tenants.len())]);
        let naming = match draw.below(100) {
            0..=41 if !named.gone => Naming::Slug(named.slug.clone()),
            42..=48 => Naming::Both(named.id.clone(), named.slug.clone()),
            49..=51 => Naming::Both(named.id.clone(), other.slug.clone()),
            52 => Naming::Twice(named.id.clone(), other.id.clone()),
            53 => Naming::Slug(draw.plant()),
            54 => Naming::Id(new_id()),
            55 => Naming::Nothing,
            _ => Naming::Id(named.id.clone()),
        };
        Scene { caller, tenant, naming }
    }

    /// An id for a place of this kind: mostly one of the tenant, but also another's, another kind's, or nobody's.
    pub(super) fn pick(&self, draw: &mut Draw, tenant: usize, kind: Kind) -> String {
        let other = draw.below(self.tenants.len());
        let others = (0..self.tenants.len()).filter(|other| *other != tenant);
        let from = match draw.below(100) {
            0..=65 => self.ids(tenant, kind),
            66..=89 => others.flat_map(|tenant| self.ids(tenant, kind)).collect(),
            90..=94 => self.ids(other, draw.of(KINDS)),
            95..=97 => self.lost.clone(),
            _ => vec![self.tenants[other].id.clone()],
        };
        draw.one(&from).unwrap_or_else(new_id)
    }

    fn ids(&self, tenant: usize, kind: Kind) -> Vec<String> {
        let tenant = &self.tenants[tenant];
        match kind {
            Kind::User => tenant.members.keys().map(|user| self.users[*user].id.clone()).collect(),
            Kind::Project => tenant.projects.keys().cloned().collect(),
            Kind::Task => tenant.tasks.keys().cloned().collect(),
            Kind::Comment => tenant.comments.keys().cloned().collect(),
            Kind::Invitation => tenant.invitations.keys().cloned().collect(),
            Kind::Notification => tenant.notifications.iter().filter_map(|told| told.id.clone()).collect(),
        }
    }

    /// The user of an id.
    pub(super) fn user(&self, id: &str) -> Option<usize> {
        self.users.iter().position(|user| user.id == id)
    }

    /// Whose session is good.
    ///
    /// # Errors
    /// The refusal.
    pub(super) fn signed_in(&self, caller: Option<usize>) -> Result<usize, Refusal> {
        let user = caller.ok_or((401, "authentication_required"))?;
        let session = &self.users[user].sessions[self.users[user].current];
        if session.good { Ok(user) } else { Err((401, "invalid_token")) }
    }

    /// The tenant and the member, if they have at least this rank there.
    ///
    /// # Errors
    /// The refusal.
    pub(super) fn admit(&self, scene: &Scene, least: Rank) -> Result<(usize, usize), Refusal> {
        const STRANGER: Refusal = (403, "not_a_member");
        if matches!(scene.naming, Naming::Twice(..)) {
            return Err((400, "invalid_tenant_header"));
        }
        scene.caller.ok_or((401, "authentication_required"))?;
        let tenant = self.named(&scene.naming);
        // A slug is looked up before the session is asked for.
        if tenant.is_none() && matches!(scene.naming, Naming::Slug(_)) {
            return Err(STRANGER);
        }
        let user = self.signed_in(scene.caller)?;
        let tenant = tenant.ok_or(STRANGER)?;
        let rank = self.tenants[tenant].active(user).ok_or(STRANGER)?;
        if matches!(&scene.naming, Naming::Both(_, slug) if *slug != self.tenants[tenant].slug) {
            return Err((400, "tenant_conflict"));
        }
        if rank < least { Err((403, "insufficient_role")) } else { Ok((tenant, user)) }
    }

    /// The tenant that is named, by its id where that is given.
    pub(super) fn named(&self, naming: &Naming) -> Option<usize> {
        self.tenants.iter().position(|tenant| {
            !tenant.gone
                && match naming {
                    Naming::Id(id) | Naming::Both(id, _) | Naming::Twice(id, _) => *id == tenant.id,
                    Naming::Slug(slug) => *slug == tenant.slug,
                    Naming::Nothing => false,
                }
        })
    }
}

/// A point in time that every dialect reads.
const NOW: &str = "'2026-01-01T00:00:00.000Z'";

pub(super) fn local_part(email: &str) -> &str {
    email.split('@').next().unwrap_or_default()
}

impl User {
    async fn register(target: &'static Target, draw: &mut Draw) -> Self {
        let (name, email, password) = (draw.plant(), format!("{}@example.com", draw.plant()), draw.secret());
        let account = json!({ "email": email, "name": name, "password": password });
        let nobody = Actor::anonymous(target);
        let id = nobody.post("/v1/auth/register").json(&account).send().await.expect(201).text_at("/id");
        let credentials = json!({ "email": email, "password": password });
        let tokens = nobody.post("/v1/auth/login").json(&credentials).send().await.expect(200);
        let own = [id.clone(), name.clone(), local_part(&email).to_owned()].into();
        let mut this = Self { id, email, name, password, sessions: Vec::new(), current: 0, own };
        this.begin(&tokens);
        this
    }

    /// Takes the tokens of a login.
    pub(super) fn begin(&mut self, tokens: &Answer) {
        let (access, refresh) = (tokens.text_at("/access_token"), tokens.text_at("/refresh_token"));
        let id = session_of(&access);
        self.own.insert(id.clone());
        self.sessions.push(Session { id, access, refresh, spent: Vec::new(), good: true });
    }

    fn actor(&self, target: &'static Target) -> Actor<'static> {
        let token = Some(self.sessions[self.current].access.clone());
        Actor { token, id: self.id.clone(), email: self.email.clone(), ..Actor::anonymous(target) }
    }
}

impl Tenant {
    /// The rank of somebody who is in.
    pub(super) fn active(&self, user: usize) -> Option<Rank> {
        if self.gone {
            return None;
        }
        self.members.get(&user).filter(|member| member.active).map(|member| member.rank)
    }

    /// Members who are in and have at least this rank.
    pub(super) fn at_least(&self, rank: Rank) -> Vec<usize> {
        let fits = |user: &usize| self.active(*user).is_some_and(|found| found >= rank);
        self.members.keys().copied().filter(fits).collect()
    }

    /// Writes down what these are told, but for who acts and who does not want it.
    pub(super) fn tell(&mut self, actor: usize, kind: &'static str, subject: &str, whom: &[usize]) {
        if self.config.channels.get(kind).is_some_and(|channels| !channels.contains(&"in_app")) {
            return;
        }
        let mut told = BTreeSet::new();
        for user in whom.iter().copied().filter(|user| *user != actor) {
            let wanted = self.members.get(&user).is_some_and(|it| it.active && !it.muted.contains(kind));
            if wanted && told.insert(user) {
                let subject = subject.to_owned();
                self.notifications.push(Notification {
                    id: None,
                    recipient: user,
                    kind,
                    subject,
                    read: false,
                });
            }
        }
    }

    /// Revokes the open invitations that fit.
    pub(super) fn revoke(&mut self, fits: impl Fn(&Invitation) -> bool) {
        for invitation in self.invitations.values_mut().filter(|it| it.status == "open" && fits(it)) {
            invitation.status = "revoked";
        }
    }

    /// What forbids to write in a project.
    ///
    /// # Errors
    /// The refusal.
    pub(super) fn writable(&self, project: &str) -> Result<(), Refusal> {
        match self.projects.get(project).map(|project| project.status) {
            None => Err((404, "not_found")),
            Some("archived") => Err((409, "project_archived")),
            Some(_) => Ok(()),
        }
    }
}

/// A name for all that one sequence plants.
pub(super) fn new_run() -> String {
    unique("p")
}
