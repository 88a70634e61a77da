//! Forgotten passwords: a mail to the account's own address contains a token, with which its owner sets a new password.
//!
//! An account has at most one row. It belongs to the token, and is also the work that is left for the mail, which is
//! handled like [deliveries](super::deliveries): it is claimed, sent and settled, at least once.

use std::{future::Future, time::Duration};

use uuid::Uuid;

use crate::{
    access::{
        batch::Slot,
        scopes::{anonymous::AnonymousScope, background::BackgroundScope},
    },
    auth::token::opaque::ResetToken,
    http::problem::{Code, Problem, Result},
    kernel::{
        decode::input,
        json,
        password::NewPassword,
        sql::{rows::record, statements},
        time::Timestamp,
        values::{Email, ResetId, UserId, email::AccountEmail},
    },
    ports::limit::Limit,
    repository::{activity, sessions, users},
};

/// An address gets no further mail within this time, whatever account has it by now: nobody can fill a mailbox with it,
/// and a token is valid at least this long.
const PAUSE: Duration = Duration::from_mins(5);

/// The account is in use, and still has the address to which the mail goes.
const USABLE: &str = "JOIN users u ON u.id = r.user_id AND u.email = r.email AND u.disabled_at IS NULL";

statements! { "resets";
    /// Replaces an earlier one. An account that only an identity provider leads to gets no password this way: the
    /// provider decides who logs in. And an imported account becomes one to log in to, so its owner must be a member of
    /// something already, or may register: `?7` is that policy. The typed address comes first: see [`AccountEmail`].
    spanning ASK = "INSERT INTO password_resets (user_id, email, id, token_hash, expires_at, next_attempt_at, attempts, created_at) \
         SELECT u.id, u.email, ?2, ?3, ?4, ?5, 0, ?5 FROM users u \
         WHERE u.email = COALESCE((SELECT x.email FROM users x WHERE x.email = ?8), (SELECT y.email FROM users y WHERE y.email = ?1), ?9) AND u.disabled_at IS NULL \
         AND (u.password_hash <> '' OR (NOT EXISTS (SELECT 1 FROM identities i WHERE i.user_id = u.id) \
         AND (?7 = 'open' OR EXISTS (SELECT 1 FROM memberships m LEFT JOIN invitations v ON v.tenant_id = m.tenant_id \
         AND v.email = u.email AND v.accepted_at IS NULL AND v.revoked_at IS NULL AND v.expires_at > ?5 \
         WHERE m.user_id = u.id AND (m.status = 'active' OR (?7 = 'invited' AND v.id IS NOT NULL)))))) \
         AND NOT EXISTS (SELECT 1 FROM password_resets b \
         WHERE b.email = u.email AND b.user_id <> u.id AND b.created_at > ?6 AND b.expires_at > ?5) \
         ON CONFLICT (user_id) DO UPDATE SET email = excluded.email, id = excluded.id, token_hash = excluded.token_hash, \
         expires_at = excluded.expires_at, next_attempt_at = excluded.next_attempt_at, attempts = 0, claim = NULL, \
         created_at = excluded.created_at WHERE password_resets.created_at <= ?6 OR password_resets.expires_at <= ?5";

    global FIND = "SELECT r.user_id FROM password_resets r ", USABLE, " WHERE r.id = ?1 AND r.token_hash = ?2 AND r.expires_at > ?3";

    /// Consumes a token.
    global USE = "DELETE FROM password_resets WHERE id = ?1 AND token_hash = ?2 AND expires_at > ?3 \
         AND user_id IN (SELECT r.user_id FROM password_resets r ", USABLE, " WHERE r.id = ?1)";

    /// A row if a mail is due. It runs every few seconds, so it must cost nothing.
    global DUE = "SELECT 1 AS due FROM password_resets r WHERE r.next_attempt_at <= ?1 AND r.expires_at > ?1 LIMIT 1";

    /// Claims due mails until the given time, as long as at most `?4` are in progress: a mail server that
    /// hangs delays nothing else.
    global CLAIM = "UPDATE password_resets SET claim = ?2, attempts = attempts + 1, next_attempt_at = ?3 \
         WHERE user_id IN (SELECT x.user_id FROM (SELECT r.user_id, row_number() OVER (ORDER BY r.next_attempt_at) AS place \
         FROM password_resets r WHERE r.next_attempt_at <= ?1 AND r.expires_at > ?1 ORDER BY r.next_attempt_at LIMIT ?4) x \
         WHERE x.place + (SELECT count(*) FROM password_resets b WHERE b.claim IS NOT NULL AND b.next_attempt_at > ?1) <= ?4)";

    global CLAIMED = "SELECT r.id, r.attempts, r.claim, r.email, r.token_hash FROM password_resets r ", USABLE, " \
         WHERE r.claim = ?1 AND r.expires_at > ?2 ORDER BY r.id";

    /// Records the result of an attempt, if the claim is still valid: when the next one is due, if there is to be one.
    global SETTLE = "UPDATE password_resets SET next_attempt_at = ?3, claim = NULL WHERE id = ?1 AND claim = ?2";

    global PRUNE = "DELETE FROM password_resets WHERE user_id IN (SELECT r.user_id FROM password_resets r \
         WHERE r.expires_at <= ?1 ORDER BY r.expires_at LIMIT ?2) RETURNING 1 AS dropped";
}

input! {
    /// A request to reset a forgotten password.
    pub(crate) struct PasswordResetRequest {
        /// The address of the account.
        pub email: AccountEmail,
    }

    /// A new password in place of a forgotten one.
    pub(crate) struct PasswordReset {
        /// The token from the email. It works once.
        pub token: ResetToken,
        /// The new password.
        pub new_password: NewPassword,
    }
}

record! {
    /// A claimed mail.
    pub(crate) struct Claimed {
        pub(crate) id: ResetId,
        pub(crate) attempts: i64,
        pub(crate) claim: Uuid,
        pub(crate) email: Email,
        pub(crate) token_hash: String,
    }
}

/// New passwords in place of forgotten ones.
pub(crate) trait Resets {
    /// Sends a token to the address, if an account can use it. The answer does not reveal whether there is one.
    fn ask(&self, request: PasswordResetRequest) -> impl Future<Output = Result<()>> + Send;

    /// Sets the password, and ends all sessions.
    fn reset(&self, reset: PasswordReset) -> impl Future<Output = Result<()>> + Send;
}

impl Resets for AnonymousScope {
    async fn ask(&self, PasswordResetRequest { email }: PasswordResetRequest) -> Result<()> {
        let services = self.services();
        let AccountEmail { address, typed, other } = email;
        services.count(Limit::Account, &address).await?;
        let (id, now) = (ResetId(services.new_id()?), services.now());
        let digest = services.tokens.reset(id).digest();
        let (expires_at, before) = (now.plus(services.config.password_reset_ttl), now.minus(PAUSE));
        let mut batch = self.batch();
        let arguments = [
            address.into(),
            id.into(),
            digest.into(),
            expires_at.into(),
            now.into(),
            before.into(),
            services.config.registration.as_str().into(),
            typed.into(),
            other.into(),
        ];
        let _: Slot<()> = batch.add_global(&ASK, arguments);
        batch.delivers();
        self.run(batch).await.map(drop)
    }

    async fn reset(&self, PasswordReset { token, new_password }: PasswordReset) -> Result<()> {
        let (services, id) = (self.services(), token.id);
        let refused = || Problem::new(Code::InvalidResetToken);
        services.count(Limit::Account, &id.to_string()).await?;
        // It comes first, so that a made-up token costs no hashing.
        let mut batch = self.batch();
        let arguments = [id.into(), token.digest().into(), services.now().into()];
        let user = batch.add_global::<UserId, _>(&FIND, arguments);
        let user = self.run(batch).await?.optional(user)?.ok_or_else(refused)?;
        let hash = users::hash(services, self.client(), new_password).await?;
        let now = services.now();
        let mut batch = self.batch();
        let _: Slot<()> =
            batch.require_global(&USE, [id.into(), token.digest().into(), now.into()], refused());
        let _: Slot<()> =
            batch.add_global(&users::REPLACE_PASSWORD_HASH, [user.into(), hash.into(), now.into()]);
        sessions::revoke_all(&mut batch, user, None);
        activity::record_of_user(&mut batch, user, user, "user.password_reset", json::object(Vec::new()))?;
        self.run(batch).await.map(drop)
    }
}

/// Claims due mails for the time of the lease: at most `most`, with those that are in progress already.
pub(crate) async fn claim(scope: &BackgroundScope<'_>, lease: Duration, most: u32) -> Result<Vec<Claimed>> {
    let services = scope.services();
    let now = services.now();
    let mut peek = scope.batch(None);
    let due = peek.add_global::<i64, _>(&DUE, [now.into()]);
    if scope.run(peek).await?.optional(due)?.is_none() {
        return Ok(Vec::new());
    }
    let claim = services.new_id()?;
    let mut batch = scope.batch(None);
    let arguments = [now.into(), claim.into(), now.plus(lease).into(), i64::from(most).into()];
    let _: Slot<()> = batch.add_global(&CLAIM, arguments);
    let claimed = batch.add_global::<Claimed, _>(&CLAIMED, [claim.into(), now.into()]);
    scope.run(batch).await?.all(claimed)
}

/// Records the result of an attempt: when the next one is due, if there is to be one.
pub(crate) async fn settle(
    scope: &BackgroundScope<'_>,
    mail: &Claimed,
    due: Option<Timestamp>,
) -> Result<()> {
    let mut batch = scope.batch(None);
    let _: Slot<()> = batch.add_global(&SETTLE, [mail.id.into(), mail.claim.into(), due.into()]);
    scope.run(batch).await.map(drop)
}
