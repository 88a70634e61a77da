//! Sessions: each login makes one. An access token is valid only while its session is, which is checked in the batch
//! that the token is used for. A refresh token works once; for a moment after that it returns the same tokens again,
//! for clients that refresh twice at the same time or never got the answer.

use std::future::Future;

use serde::Serialize;

use crate::{
    access::{
        batch::{Batch, Slot},
        paging::Paging,
        scopes::{account::AccountScope, anonymous::AnonymousScope},
    },
    auth::token::opaque::RefreshToken,
    http::{
        page::{Cursor, Page, PageSize},
        problem::{Code, Problem, Result},
    },
    kernel::{
        decode::{Fault, FaultCode, input},
        json,
        password::{HashJob, HashOutcome, NewPassword, Password},
        sql::{rows::record, statements},
        time::Timestamp,
        values::{SessionId, UserId},
    },
    ports::limit::Limit,
    repository::{
        activity,
        users::{self, Verified},
    },
};

const COLUMNS: &str = "id, created_at, refreshed_at, expires_at";

statements! { "sessions";
    /// Only for an active account, which must still have the password that was verified, if one was.
    global INSERT = "INSERT INTO sessions (id, user_id, refresh_hash, created_at, refreshed_at, expires_at) \
         SELECT ?1, u.id, ?3, ?4, ?4, ?5 FROM users u \
         WHERE u.id = ?2 AND u.disabled_at IS NULL AND u.password_hash = COALESCE(?6, u.password_hash)";

    /// The expired sessions of a user. A login clears them away.
    global DELETE_EXPIRED = "DELETE FROM sessions WHERE user_id = ?1 AND expires_at <= ?2";

    /// Replaces this refresh token, which is thereby used up, with the next one.
    global ROTATE = "UPDATE sessions SET refresh_hash = ?3, refreshed_at = ?4, expires_at = ?5 \
         WHERE id = ?1 AND refresh_hash = ?2 AND revoked_at IS NULL AND expires_at > ?4 \
         AND EXISTS (SELECT 1 FROM users u WHERE u.id = sessions.user_id AND u.disabled_at IS NULL) RETURNING user_id";

    /// A valid session that was renewed within a span of time.
    global RENEWED = "SELECT s.user_id, s.refresh_hash, u.disabled_at FROM sessions s JOIN users u ON u.id = s.user_id \
         WHERE s.id = ?1 AND s.revoked_at IS NULL AND s.expires_at > ?2 AND s.refreshed_at > ?3 AND s.refreshed_at < ?4";

    global LIST = "SELECT ", COLUMNS, " FROM sessions WHERE user_id = ?1 AND revoked_at IS NULL AND expires_at > ?2 \
         AND id < ?3 ORDER BY id DESC LIMIT ?4";

    /// Ends a session whose current refresh token is not this one.
    global REVOKE_REUSED = "UPDATE sessions SET revoked_at = ?3 \
         WHERE id = ?1 AND refresh_hash <> ?2 AND revoked_at IS NULL RETURNING id";

    /// Ends a session of a user.
    global REVOKE = "UPDATE sessions SET revoked_at = ?3 WHERE user_id = ?1 AND id = ?2 AND revoked_at IS NULL RETURNING id";

    /// Ends all sessions of a user except one, if it is given. (Any id is greater than that constant, which makes
    /// SQLite use the index of open sessions.)
    global REVOKE_ALL = "UPDATE sessions SET revoked_at = ?2 WHERE user_id = ?1 AND revoked_at IS NULL \
         AND id > '00000000-0000-0000-0000-000000000000' AND (id <> ?3 OR ?3 IS NULL)";
}

record! {
    struct Row {
        id: SessionId,
        created_at: Timestamp,
        refreshed_at: Timestamp,
        expires_at: Timestamp,
    }
}

record! {
    struct Renewed {
        user_id: UserId,
        refresh_hash: String,
        disabled_at: Option<Timestamp>,
    }
}

/// A login that is still valid.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub(crate) struct Session {
    /// The id of the session.
    pub id: SessionId,
    /// Whether this request belongs to the session.
    pub current: bool,
    /// The time of the login.
    pub created_at: Timestamp,
    /// The time at which its tokens were last renewed.
    pub refreshed_at: Timestamp,
    /// The time at which the session ends unless its tokens are renewed.
    pub expires_at: Timestamp,
}

input! {
    /// A renewal of a session's tokens.
    pub(crate) struct Refresh {
        /// The latest refresh token. It works once; within `REFRESH_GRACE`, a repetition returns the same tokens again.
        pub refresh_token: RefreshToken,
    }

    /// A change of your password.
    pub(crate) struct PasswordChange {
        /// The current password.
        pub current_password: Password,
        /// The new password.
        pub new_password: NewPassword,
    }
}

/// The tokens of a session.
pub(crate) struct Tokens {
    pub(crate) user: UserId,
    pub(crate) session: SessionId,
    pub(crate) refresh: RefreshToken,
}

/// Adds a new session to a batch, which fails with this problem if the account is disabled, or if its password is no
/// longer the one that was verified, if one was: the verification may be outdated.
pub(super) fn add(
    batch: &mut Batch<'_>,
    user: UserId,
    verified: Option<String>,
    otherwise: Box<Problem>,
) -> Result<Tokens> {
    let services = batch.services();
    let (session, now) = (SessionId(services.new_id()?), services.now());
    let mut nonce = [0; 16];
    services.ports.entropy.fill(&mut nonce)?;
    let refresh = services.tokens.refresh(session, nonce);
    let _: Slot<()> = batch.add_global(&DELETE_EXPIRED, [user.into(), now.into()]);
    let expires_at = now.plus(services.config.refresh_ttl);
    let arguments = [
        session.into(),
        user.into(),
        refresh.digest().into(),
        now.into(),
        expires_at.into(),
        verified.into(),
    ];
    let _: Slot<()> = batch.require_global(&INSERT, arguments, otherwise);
    Ok(Tokens { user, session, refresh })
}

/// Login and the renewal of sessions.
pub(crate) trait SignIn {
    /// Starts a session for a user whose password was verified.
    fn begin(&self, verified: Verified) -> impl Future<Output = Result<Tokens>> + Send;

    /// Renews the tokens. A used refresh token returns its successor again, while that is the latest one and
    /// `REFRESH_GRACE` lasts; otherwise it ends the session: it may be stolen.
    fn refresh(&self, refresh: Refresh) -> impl Future<Output = Result<Tokens>> + Send;
}

impl SignIn for AnonymousScope {
    async fn begin(&self, Verified { user, password_hash }: Verified) -> Result<Tokens> {
        let mut batch = self.batch();
        let refused = Problem::new(Code::InvalidCredentials);
        let tokens = add(&mut batch, user, Some(password_hash), refused)?;
        self.run(batch).await?;
        Ok(tokens)
    }

    async fn refresh(&self, Refresh { refresh_token: old }: Refresh) -> Result<Tokens> {
        let (services, session) = (self.services(), old.session);
        let refused = || Problem::new(Code::InvalidRefreshToken);
        // A made-up token ends no session.
        let new = services.tokens.successor(&old).ok_or_else(refused)?;
        services.count(Limit::Account, &session.to_string()).await?;
        let (now, grace) = (services.now(), services.config.refresh_grace.0);
        let mut batch = self.batch();
        let expires_at = now.plus(services.config.refresh_ttl);
        let rotated = batch.add_global::<UserId, _>(
            &ROTATE,
            [session.into(), old.digest().into(), new.digest().into(), now.into(), expires_at.into()],
        );
        // For a clock that was set back since, the last renewal is in the future; the grace counts in both directions.
        let span = [session.into(), now.into(), now.minus(grace).into(), now.plus(grace).into()];
        let renewed = batch.add_global::<Renewed, _>(&RENEWED, span);
        let mut outcome = self.run(batch).await?;
        if let Some(user) = outcome.optional(rotated)? {
            return Ok(Tokens { user, session, refresh: new });
        }
        if let Some(Renewed { user_id: user, refresh_hash, disabled_at }) = outcome.optional(renewed)?
            && let Some(refresh) = services.tokens.successor_again(&old, &refresh_hash)
        {
            return if disabled_at.is_none() {
                Ok(Tokens { user, session, refresh })
            } else {
                Err(refused())
            };
        }
        // It was made here. If it is not the current one, it was used before: it may be stolen.
        let mut batch = self.batch();
        let revoked = batch
            .add_global::<SessionId, _>(&REVOKE_REUSED, [session.into(), old.digest().into(), now.into()]);
        Err(match self.run(batch).await?.optional(revoked)? {
            None => refused(),
            Some(_) => {
                refused().because(format!("a refresh token was used again; session {session} was revoked"))
            }
        })
    }
}

/// The caller's sessions.
pub(crate) trait Sessions {
    /// The valid ones, newest first.
    fn sessions(
        &self,
        size: Option<PageSize>,
        cursor: Option<Cursor>,
    ) -> impl Future<Output = Result<Page<Session>>> + Send;

    /// Ends one.
    fn revoke(&self, session: SessionId) -> impl Future<Output = Result<()>> + Send;

    /// Ends all, the caller's own among them.
    fn revoke_all(&self) -> impl Future<Output = Result<()>> + Send;

    /// Changes the password, and ends all sessions except the caller's own.
    fn change_password(&self, change: PasswordChange) -> impl Future<Output = Result<()>> + Send;
}

impl Sessions for AccountScope {
    async fn sessions(&self, size: Option<PageSize>, cursor: Option<Cursor>) -> Result<Page<Session>> {
        let paging = Paging::new(self.services(), "sessions", self.user().0, &[], size, cursor)?;
        let mut batch = self.batch();
        let arguments = [self.user().into(), self.services().now().into(), paging.before(), paging.fetch()];
        let rows = batch.add_global::<Row, _>(&LIST, arguments);
        let session = |Row { id, created_at, refreshed_at, expires_at }| Session {
            current: self.session() == Some(id),
            id,
            created_at,
            refreshed_at,
            expires_at,
        };
        let sessions = self.run(batch).await?.all(rows)?.into_iter().map(session).collect();
        Ok(paging.page(sessions, |session: &Session| session.id.0))
    }

    async fn revoke(&self, session: SessionId) -> Result<()> {
        let mut batch = self.batch();
        let arguments = [self.user().into(), session.into(), self.services().now().into()];
        let revoked = batch.add_global::<SessionId, _>(&REVOKE, arguments);
        let revoked = self.commit(batch).await?.optional(revoked)?;
        revoked.map(drop).ok_or_else(|| Problem::new(Code::NotFound))
    }

    async fn revoke_all(&self) -> Result<()> {
        let mut batch = self.batch();
        revoke_all(&mut batch, self.user(), None);
        self.commit(batch).await.map(drop)
    }

    async fn change_password(&self, change: PasswordChange) -> Result<()> {
        let services = self.services();
        services.count(Limit::Account, &self.user().to_string()).await?;
        let mut batch = self.batch();
        let hash = batch.add_global::<String, _>(&users::PASSWORD_HASH, [self.user().into()]);
        let hash = self.run(batch).await?.one(hash)?;
        if hash == users::NO_PASSWORD {
            return Err(Problem::new(Code::NoPassword));
        }
        let cost = services.config.bcrypt_cost.0;
        let job = HashJob::Verify { password: change.current_password, hash: Some(hash.clone()), cost };
        if !matches!(services.ports.hasher.run(self.client(), job).await?, HashOutcome::Verified(true)) {
            let fault = Fault::new(FaultCode::NotAllowed, "This is not the present password.");
            return Err(Problem::faults(Code::ValidationFailed, vec![fault.within("current_password")]));
        }
        let new_hash = users::hash(services, self.client(), change.new_password).await?;
        let (now, user) = (services.now(), self.user());
        let mut batch = self.batch();
        let arguments = [user.into(), new_hash.into(), now.into(), hash.into()];
        let _: Slot<()> =
            batch.require_global(&users::SET_PASSWORD_HASH, arguments, Problem::new(Code::Conflict));
        revoke_all(&mut batch, user, self.session());
        let detail = json::object(Vec::new());
        activity::record_of_user(&mut batch, user, user, "user.password_changed", detail)?;
        self.commit(batch).await.map(drop)
    }
}

pub(super) fn revoke_all(batch: &mut Batch<'_>, user: UserId, but: Option<SessionId>) {
    let now = batch.services().now();
    let _: Slot<()> = batch.add_global(&REVOKE_ALL, [user.into(), now.into(), but.into()]);
}
