//! The operator's view of accounts, at the command line.

use serde::Serialize;
use serde_json::json;

use crate::{
    access::{batch::Slot, scopes::operator::OperatorScope},
    auth::token::{Bearer, Credential},
    http::problem::{Code, Problem, Result},
    kernel::{
        password::NewPassword,
        sql::{rows::record, statements},
        time::Timestamp,
        unicode::composed,
        values::{Email, Name, SessionId, Slug, UserId, email::AccountEmail, enumerations::Role},
    },
    repository::{activity, sessions, users},
};

const COLUMNS: &str = "u.id, u.email, u.name, CASE u.password_hash WHEN '' THEN 0 ELSE 1 END AS has_password, \
     (SELECT count(*) FROM identities i WHERE i.user_id = u.id) AS identities, \
     (SELECT count(*) FROM sessions s WHERE s.user_id = u.id AND s.revoked_at IS NULL AND s.expires_at > ?2) AS sessions, \
     u.disabled_at, u.created_at";

statements! { "operator_users";
    /// Accounts, ordered by address, from one address on.
    global LIST = "SELECT ", COLUMNS, " FROM users u WHERE u.imported_into IS NULL AND u.email > ?1 AND u.email LIKE ?3 ESCAPE '!' ORDER BY u.email LIMIT ?4";

    global BY_EMAIL = "SELECT ", COLUMNS, " FROM users u WHERE u.email IN (?1, ?3, ?4) \
         ORDER BY CASE u.email WHEN ?3 THEN 0 WHEN ?1 THEN 1 ELSE 2 END LIMIT 1";

    /// The memberships of a user; no request reaches it.
    spanning MEMBERSHIPS = "SELECT t.slug, m.role, m.status FROM memberships m JOIN tenants t ON t.id = m.tenant_id AND t.deleted_at IS NULL \
         WHERE m.user_id = ?1 ORDER BY t.slug";

    global DISABLE = "UPDATE users SET disabled_at = ?2, updated_at = ?2, version = version + 1 \
         WHERE id = ?1 AND disabled_at IS NULL";

    global ENABLE = "UPDATE users SET disabled_at = NULL, updated_at = ?2, version = version + 1 \
         WHERE id = ?1 AND disabled_at IS NOT NULL";

    global SESSION = "SELECT u.email, s.revoked_at, u.disabled_at FROM sessions s JOIN users u ON u.id = s.user_id \
         WHERE s.id = ?1 AND s.user_id = ?2";
}

record! {
    /// An account, as the operator sees it.
    #[derive(Debug, Serialize)]
    pub struct AccountSummary {
        /// Its id.
        pub id: UserId,
        /// The address to log in with.
        pub email: Email,
        /// The person's name.
        pub name: Name,
        /// Whether there is a password to log in with.
        pub has_password: bool,
        /// The number of linked identities of the identity provider.
        pub identities: i64,
        /// The number of valid sessions.
        pub sessions: i64,
        /// The time since which it is disabled, if it is.
        pub disabled_at: Option<Timestamp>,
        /// The time of its creation.
        pub created_at: Timestamp,
    }
}

record! {
    /// A membership of a user.
    #[derive(Debug, Serialize)]
    pub struct Place {
        /// The tenant.
        pub tenant: Slug,
        /// Their role there.
        pub role: Role,
        /// `active` or `suspended`.
        pub status: String,
    }
}

record! {
    struct State {
        email: Email,
        revoked_at: Option<Timestamp>,
        disabled_at: Option<Timestamp>,
    }
}

/// The tokens of a session that the operator has started for a user.
#[derive(Debug, Serialize)]
pub struct Issued {
    /// For `Authorization: Bearer`.
    pub access_token: String,
    /// Seconds for which it is valid.
    pub expires_in: i64,
    /// Renews both, at `POST /v1/auth/refresh`.
    pub refresh_token: String,
    /// The session, which ends when it is revoked or the user logged out.
    pub session_id: SessionId,
}

/// The kind of a token, and whether it is valid.
#[derive(Debug, Serialize)]
pub struct Inspected {
    /// Whether a request with it would be accepted.
    pub good: bool,
    /// `access_token` or `api_key`; `None` if it is neither, or was not made with a key of this service, or is too old.
    pub kind: Option<&'static str>,
    /// The user that it stands for.
    pub user_id: Option<UserId>,
    /// Their address, if it is known.
    pub email: Option<Email>,
    /// The reason why it is not valid.
    pub why_not: Option<&'static str>,
}

/// How many accounts are read at a time.
const PAGE: i64 = 500;

impl OperatorScope {
    /// Accounts whose address contains a text, by address.
    pub async fn users(&self, containing: &str) -> Result<Vec<AccountSummary>> {
        let escaped: String = containing
            .chars()
            .flat_map(|letter| matches!(letter, '%' | '_' | '!').then_some('!').into_iter().chain([letter]))
            .collect();
        let (pattern, now) = (format!("%{}%", composed(&escaped.to_lowercase())), self.services().now());
        let mut found: Vec<AccountSummary> = Vec::new();
        loop {
            let after = found.last().map_or_else(String::new, |user| user.email.as_str().to_owned());
            let mut batch = self.batch();
            let rows =
                batch.add_global(&LIST, [after.into(), now.into(), pattern.as_str().into(), PAGE.into()]);
            let page = self.run(batch).await?.all(rows)?;
            let last = page.len() < usize::try_from(PAGE).unwrap_or_default();
            found.extend(page);
            if last {
                return Ok(found);
            }
        }
    }

    /// The account of an address.
    pub async fn user(&self, email: &AccountEmail) -> Result<AccountSummary> {
        let mut batch = self.batch();
        let AccountEmail { address, typed, other } = email.clone();
        let arguments = [address.into(), self.services().now().into(), typed.into(), other.into()];
        let found = batch.add_global(&BY_EMAIL, arguments);
        let found = self.run(batch).await?.optional(found)?;
        found.ok_or_else(|| {
            Problem::with(Code::NotFound, format!("Nobody has registered {}.", email.as_str()))
        })
    }

    /// The memberships of a user.
    pub async fn places(&self, user: UserId) -> Result<Vec<Place>> {
        let mut batch = self.batch();
        let rows = batch.add_global(&MEMBERSHIPS, [user.into()]);
        self.run(batch).await?.all(rows)
    }

    /// Creates an account, as registration does; without a password its owner logs in through the identity provider, or
    /// gets one by [`Self::set_password`].
    pub async fn create_user(
        &self,
        email: &Email,
        name: &Name,
        password: Option<NewPassword>,
    ) -> Result<UserId> {
        let hash = self.hash(password).await?;
        self.enrol(email, name, hash).await
    }

    /// The same with a stored hash.
    pub(crate) async fn enrol(&self, email: &Email, name: &Name, hash: String) -> Result<UserId> {
        let id = UserId(self.services().new_id()?);
        let mut batch = self.batch();
        users::enrol(&mut batch, id, email.clone(), name.clone(), hash, Code::EmailTaken)?;
        self.run(batch).await?;
        Ok(id)
    }

    /// Gives an account another password, or none, and ends its sessions.
    pub async fn set_password(&self, email: &AccountEmail, password: Option<NewPassword>) -> Result<()> {
        let user = self.user(email).await?.id;
        let hash = self.hash(password).await?;
        let mut batch = self.batch();
        let arguments = [user.into(), hash.into(), self.services().now().into()];
        let _: Slot<()> = batch.add_global(&users::REPLACE_PASSWORD_HASH, arguments);
        sessions::revoke_all(&mut batch, user, None);
        activity::record_of_user(&mut batch, user, None, "user.password_changed", json!({}))?;
        self.run(batch).await.map(drop)
    }

    /// Disables an account: nobody can log in to it until it is enabled again. Its sessions end.
    pub async fn disable_user(&self, email: &AccountEmail) -> Result<()> {
        let user = self.user(email).await?.id;
        let mut batch = self.batch();
        let already = Problem::with(Code::Conflict, "The account is disabled already.");
        let _: Slot<()> =
            batch.require_global(&DISABLE, [user.into(), self.services().now().into()], already);
        sessions::revoke_all(&mut batch, user, None);
        activity::record_of_user(&mut batch, user, None, "user.disabled", json!({}))?;
        self.run(batch).await.map(drop)
    }

    /// Enables an account again.
    pub async fn enable_user(&self, email: &AccountEmail) -> Result<()> {
        let user = self.user(email).await?.id;
        let mut batch = self.batch();
        let not = Problem::with(Code::Conflict, "The account is not disabled.");
        let _: Slot<()> = batch.require_global(&ENABLE, [user.into(), self.services().now().into()], not);
        activity::record_of_user(&mut batch, user, None, "user.enabled", json!({}))?;
        self.run(batch).await.map(drop)
    }

    /// Ends all sessions of an account.
    pub async fn end_sessions(&self, email: &AccountEmail) -> Result<()> {
        let user = self.user(email).await?.id;
        let mut batch = self.batch();
        sessions::revoke_all(&mut batch, user, None);
        activity::record_of_user(&mut batch, user, None, "user.logged_out", json!({}))?;
        self.run(batch).await.map(drop)
    }

    /// Starts a session for a user, without their password. The activity of their tenants records it.
    pub async fn sign_in(&self, email: &AccountEmail) -> Result<Issued> {
        let (services, found) = (self.services(), self.user(email).await?);
        let mut batch = self.batch();
        let disabled = Problem::with(Code::Conflict, "The account is disabled.");
        let tokens = sessions::add(&mut batch, found.id, None, disabled)?;
        let detail = json!({ "session_id": tokens.session });
        activity::record_of_user(&mut batch, found.id, None, "user.token_issued", detail)?;
        self.run(batch).await?;
        let access_token =
            services.tokens.issue(found.id, tokens.session, services.new_id()?, services.now());
        Ok(Issued {
            access_token: access_token.map_err(|error| Problem::internal(error.to_string()))?,
            expires_in: services.tokens.ttl_seconds(),
            refresh_token: tokens.refresh.expose().to_owned(),
            session_id: tokens.session,
        })
    }

    /// The kind of a token, and whether its session is valid. Of API keys only the form is checked: their validity is a
    /// matter of the tenant.
    pub async fn inspect(&self, token: &str) -> Result<Inspected> {
        let services = self.services();
        let bearer = Bearer::read(token, &services.tokens, services.now());
        let mut found = Inspected { good: false, kind: None, user_id: None, email: None, why_not: None };
        let Some(bearer) = bearer else {
            found.why_not = Some("It was not made with a key of this service, or has expired.");
            return Ok(found);
        };
        let user = bearer.user();
        found.user_id = Some(user);
        let Credential::Session(session) = bearer.credential() else {
            (found.kind, found.why_not) =
                (Some("api_key"), Some("Whether an API key is good, its tenant says."));
            return Ok(found);
        };
        let mut batch = self.batch();
        let state = batch.add_global::<State, _>(&SESSION, [(*session).into(), user.into()]);
        let state = self.run(batch).await?.optional(state)?;
        found.kind = Some("access_token");
        found.why_not = match &state {
            None => Some("Its session is not there."),
            Some(State { disabled_at: Some(_), .. }) => Some("Its account is disabled."),
            Some(State { revoked_at: Some(_), .. }) => Some("Its session has ended."),
            Some(_) => None,
        };
        found.good = found.why_not.is_none();
        found.email = state.map(|state| state.email);
        Ok(found)
    }

    /// The stored hash of a password, or of none.
    pub(crate) async fn hash(&self, password: Option<NewPassword>) -> Result<String> {
        match password {
            Some(password) => users::hash(self.services(), None, password).await,
            None => Ok(users::NO_PASSWORD.to_owned()),
        }
    }
}
