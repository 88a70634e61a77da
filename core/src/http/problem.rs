//! Errors as clients see them: RFC 9457 problems with stable codes, all listed here.

use std::{borrow::Cow, panic::Location};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    kernel::{
        decode::{Fault, FaultCode},
        json, limits,
        sql::rows::DecodeError,
    },
    ports::{DatabaseError, EntropyError, Overloaded},
};

/// The detail where the database is full.
const NO_ROOM: &str = "The database has no room left: nothing can be written until the operator frees space. Reading still works.";
/// The seconds after which there may be room again.
const NO_ROOM_RETRY_SECONDS: u64 = 30;

macro_rules! codes {
    ($($(#[doc = $meaning:literal])+ $code:ident = $text:literal $status:literal $title:literal;)+) => {
        /// What kind of problem it is. Clients may rely on the text and the status; both never change.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code { $($(#[doc = $meaning])+ $code,)+ }

        impl Code {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$code),+];

            /// Its text on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$code => $text),+ }
            }

            /// The status that it comes with.
            pub const fn status(self) -> u16 {
                match self { $(Self::$code => $status),+ }
            }

            /// A short name for people.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$code => $title),+ }
            }

            /// What it means and what to do about it.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$code => concat!($($meaning),+)),+ }
            }
        }

        #[cfg(feature = "openapi")]
        impl schemars::JsonSchema for Code {
            fn schema_name() -> Cow<'static, str> {
                "ProblemCode".into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string",
                    "enum": [$($text),+],
                    "description": "The kind of a problem, for programs. It never changes; new ones may come.",
                })
            }
        }
    };
}

codes! {
    /// The body is not JSON, or not an object. Send one JSON object in UTF-8, with each name at most once in every object.
    MalformedJson = "malformed_json" 400 "The body is not a JSON object";
    /// This route takes no body, but the request has one; nothing was done. Remove the body, or use the route that takes it.
    UnexpectedBody = "unexpected_body" 400 "The route takes no body";
    /// A query parameter is unknown, repeated or has an invalid value. `errors` names each one and says why; the description lists those that exist.
    InvalidParameter = "invalid_parameter" 400 "A query parameter is invalid";
    /// The cursor belongs to another list, other filters or another tenant, or is malformed. Start again without a cursor.
    InvalidCursor = "invalid_cursor" 400 "The cursor is invalid";
    /// The body is shorter than announced, or its chunks are malformed. Nothing was done: send the request again.
    IncompleteBody = "incomplete_body" 400 "The body is incomplete";
    /// The request has no `Host` header, or several. Send the header once, as HTTP/1.1 requires.
    InvalidHost = "invalid_host" 400 "The host is missing or ambiguous";
    /// `X-Tenant-ID` or `X-Tenant-Slug` is malformed or repeated. The first is a UUID, the second has 2 to 63 of `a-z0-9-`; send one of them, once.
    InvalidTenantHeader = "invalid_tenant_header" 400 "A tenant header is invalid";
    /// `X-Tenant-ID` and `X-Tenant-Slug` name different tenants, or so do the header and the invitation. Send only one of the headers.
    TenantConflict = "tenant_conflict" 400 "The tenants contradict each other";
    /// `If-Match` or `Idempotency-Key` is malformed. The first takes entity tags in quotes, or `*`; the second one key of 1 to 255 visible ASCII characters without commas.
    InvalidHeader = "invalid_header" 400 "A header is invalid";
    /// The request has no bearer token. Log in at `POST /v1/auth/login`, and send `Authorization: Bearer` with the access token, or with an API key.
    AuthenticationRequired = "authentication_required" 401 "Authentication is required";
    /// The bearer token is malformed, expired, revoked, or signed with an unknown key. Renew it at `POST /v1/auth/refresh`, or log in again.
    InvalidToken = "invalid_token" 401 "The token is invalid";
    /// The email address and the password do not match. The answer is the same if the account does not exist; check both.
    InvalidCredentials = "invalid_credentials" 401 "The email or password is wrong";
    /// The refresh token is malformed, expired or already used, or its session has ended. Log in again.
    InvalidRefreshToken = "invalid_refresh_token" 401 "The refresh token is invalid";
    /// The token is expired, already used or replaced by a later one, or the account is disabled. Ask for a new email: `POST /v1/auth/password-reset`.
    InvalidResetToken = "invalid_reset_token" 403 "The reset token is invalid";
    /// This request needs the session of a person, and an API key has none. Log in, and send the access token.
    SessionRequired = "session_required" 403 "A login is required";
    /// You have no active membership in this tenant, or the tenant does not exist. Compare the tenant headers with `GET /v1/tenants`; an owner or manager can invite you.
    NotAMember = "not_a_member" 403 "You are not a member of this tenant";
    /// The token of the identity provider contains no verified email address, so no account can be created. Verify your
    /// address there, and configure the provider to put the claims `email` and `email_verified` into the token.
    EmailNotVerified = "email_not_verified" 403 "No verified email address";
    /// Your email address belongs to an account that is not linked to this identity. Log in to the account with its
    /// password, and link the identity: `POST /v1/me/identities`.
    IdentityNotLinked = "identity_not_linked" 403 "The identity is not linked to the account";
    /// This service accepts no registrations, or only with an invitation. Ask an owner or manager of the tenant for one, and send its token as `invitation_token`.
    RegistrationClosed = "registration_closed" 403 "Registration is closed";
    /// The operator of the service has suspended this tenant. Its data is kept but cannot be used for now; ask the operator.
    TenantSuspended = "tenant_suspended" 403 "The tenant is suspended";
    /// Your role in this tenant, or the role of the API key, is too low. `required_role` names the lowest sufficient role; an owner can change your role.
    InsufficientRole = "insufficient_role" 403 "The role is too low";
    /// Only the author may change a comment; only the author or a manager may delete it. Write another comment instead.
    NotTheAuthor = "not_the_author" 403 "You are not the author";
    /// The tenant or the account already has the maximum number of these; nothing was written. Delete some, or ask the operator for a higher limit.
    LimitReached = "limit_reached" 403 "The limit is reached";
    /// The resource does not exist, or belongs to another tenant. Check the id, and that the tenant header names the tenant of the resource.
    NotFound = "not_found" 404 "The resource was not found";
    /// The tenant does not exist. Check `X-Tenant-ID` or `X-Tenant-Slug`; without either, the request is for the tenant `default`.
    TenantNotFound = "tenant_not_found" 404 "The tenant was not found";
    /// No invitation has this token. Copy the whole token from the email.
    InvitationNotFound = "invitation_not_found" 404 "The invitation was not found";
    /// No route has this path. `GET /openapi.json` and `/docs` list all routes; a path has no slash at its end.
    RouteNotFound = "route_not_found" 404 "The route was not found";
    /// The path exists, but not with this method. `Allow` lists its methods.
    MethodNotAllowed = "method_not_allowed" 405 "The method is not allowed";
    /// An account with this email address exists. Log in to it, or register another address.
    EmailTaken = "email_taken" 409 "The email address is taken";
    /// This identity is already linked to an account. Unlink it there first: `DELETE /v1/me/identities/{identity_id}`.
    IdentityTaken = "identity_taken" 409 "The identity is already linked";
    /// The account has no password, and this identity is the only way to log in to it. Link another identity first.
    OnlyWayIn = "only_way_in" 409 "The identity is the only way to log in";
    /// The account has no password, because its owner logs in through an identity provider. Log in there.
    NoPassword = "no_password" 409 "The account has no password";
    /// Another tenant has this slug. Choose a different one.
    SlugTaken = "slug_taken" 409 "The slug is taken";
    /// A tenant with this id, or with an id that ends in the same digits, exists here already. Import with new ids, or delete that tenant.
    TenantExists = "tenant_exists" 409 "The tenant already exists";
    /// The rows that arrived do not match the file's own totals, or each other. Abort this import, and start again with a complete file.
    ImportMismatch = "import_mismatch" 409 "The imported rows do not match";
    /// The person is already a member of this tenant. Change their role with `PATCH /v1/members/{user_id}`.
    AlreadyMember = "already_member" 409 "The person is already a member";
    /// This member came with an imported tenant and has not agreed to join. Invite them; they join when they accept.
    InvitationRequired = "invitation_required" 409 "The person must be invited";
    /// This address already has an open invitation. Revoke it before you create another one.
    AlreadyInvited = "already_invited" 409 "The address is already invited";
    /// The invitation cannot be used any more, or not by you. `reason` says why: `accepted`, `revoked`, `expired` or `other_email`; ask for a new invitation.
    InvitationUnusable = "invitation_unusable" 409 "The invitation cannot be used";
    /// A tenant must keep at least one active owner. Make another member an owner first.
    LastOwner = "last_owner" 409 "The last owner must stay";
    /// The tenant `default` cannot be deleted, because requests without a tenant header use it. Delete its contents, or leave the tenant.
    DefaultTenant = "default_tenant" 409 "The default tenant cannot be deleted";
    /// Only a dead delivery can be retried. Other deliveries were sent, or are retried automatically.
    DeliveryNotDead = "delivery_not_dead" 409 "The delivery is not dead";
    /// Another request has changed the resource in the meantime; nothing was written. Read it again, and decide again.
    Conflict = "conflict" 409 "The resource has changed";
    /// The workflow has no such transition. `allowed` lists where the project can go from its current status; `GET /v1/workflow` lists all transitions.
    TransitionNotAllowed = "transition_not_allowed" 409 "There is no such transition";
    /// Only the person who submitted the project, or a manager, may withdraw it. Ask one of them.
    NotTheSubmitter = "not_the_submitter" 409 "Only the submitter or a manager may do this";
    /// The person who submitted a project cannot approve it, unless the tenant has no other manager or owner. Ask another manager or owner to approve it.
    FourEyes = "four_eyes" 409 "Another person must approve this";
    /// This transition needs a comment that gives the reason. Send it as `comment`, beside `to`.
    CommentRequired = "comment_required" 409 "A comment is required";
    /// Some tasks of the project are not done. Finish or delete them; `GET /v1/projects/{project_id}/tasks` lists them.
    TasksOpen = "tasks_open" 409 "Some tasks are still open";
    /// An archived project and its contents cannot be changed. They can be read, and the project can be deleted as a whole.
    ProjectArchived = "project_archived" 409 "The project is archived";
    /// A completed project cannot contain open tasks, so none can be created or reopened. Move the project to `in_progress` first, or give the task the status `done`.
    ProjectCompleted = "project_completed" 409 "The project is completed";
    /// The contents of a project cannot change while it waits for approval. The submitter or a manager can move it back to `draft` first.
    UnderReview = "under_review" 409 "The project is under review";
    /// An approval must name the version that you have read. Send its `revision` beside `to`, or its `ETag` as `If-Match`.
    RevisionRequired = "revision_required" 428 "A revision is required";
    /// The resource does not meet the condition in `If-Match` or `If-None-Match`; nothing was written. Read it again, and decide again.
    PreconditionFailed = "precondition_failed" 412 "The precondition failed";
    /// The body has more bytes than the route accepts. Split it into smaller requests.
    BodyTooLarge = "body_too_large" 413 "The body is too large";
    /// An import over HTTP has at most 20,000 rows and 32 MiB. The operator of the service can import larger tenants at the database.
    ImportTooLarge = "import_too_large" 413 "The import is too large";
    /// The path and query have more bytes than the service accepts. Shorten the values in the query.
    TargetTooLong = "target_too_long" 414 "The URL is too long";
    /// The body is not declared as JSON, or is compressed. Send it with `Content-Type: application/json` and without `Content-Encoding`.
    UnsupportedMediaType = "unsupported_media_type" 415 "The media type is not supported";
    /// The body is JSON, but not valid for this route. `errors` points at each fault and explains it.
    ValidationFailed = "validation_failed" 422 "The body is invalid";
    /// The `Idempotency-Key` was used for another request within the last 24 hours. Use a new key for each action, and the
    /// same key only to repeat a request.
    IdempotencyKeyReused = "idempotency_key_reused" 422 "The idempotency key was already used";
    /// You have sent too many requests. Try again after `Retry-After` seconds.
    TooManyRequests = "too_many_requests" 429 "Too many requests";
    /// The tenant has used up its quota for now; nothing was written. Try again after `Retry-After` seconds.
    QuotaExceeded = "quota_exceeded" 429 "The quota is used up";
    /// There were too many attempts with this account or from this address. Try again after `Retry-After` seconds.
    TooManyAttempts = "too_many_attempts" 429 "Too many attempts";
    /// Something went wrong here. It was logged under the `request_id`: give that to the operator.
    InternalError = "internal_error" 500 "Internal error";
    /// The database cannot be reached or is too busy. Try again after `Retry-After` seconds.
    Unavailable = "unavailable" 503 "The service is temporarily unavailable";
    /// The keys of the identity provider cannot be fetched. Try again after `Retry-After` seconds.
    ProviderUnavailable = "identity_provider_unavailable" 503 "The identity provider cannot be reached";
    /// Too many logins and registrations are waiting. Try again after `Retry-After` seconds.
    Overloaded = "overloaded" 503 "The service is too busy";
    /// The request took too long and was cancelled. A change may or may not have been made: check before you try again.
    Timeout = "timeout" 503 "The request took too long";
}

impl Code {
    /// Finds the code with that text.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text)
    }

    /// Everything there is to say about it, as `/problems/{code}` shows it.
    pub(crate) fn explained(self) -> Explanation {
        // The first sentence is the meaning, and the rest the advice; a test checks this for all of them.
        let (meaning, advice) = self.meaning().trim().split_once(". ").unwrap_or_default();
        Explanation {
            r#type: self.uri(),
            code: self.as_str(),
            title: self.title(),
            status: self.status(),
            meaning: format!("{meaning}."),
            advice,
        }
    }

    /// The `type` of a problem (RFC 9457, section 3.1.1): the address of its explanation.
    fn uri(self) -> String {
        format!("/problems/{}", self.as_str())
    }

    /// The code for a status that was decided in front of the core.
    pub fn for_status(status: StatusCode) -> Self {
        match status.as_u16() {
            404 => Self::RouteNotFound,
            405 => Self::MethodNotAllowed,
            408 => Self::Timeout,
            413 => Self::BodyTooLarge,
            414 => Self::TargetTooLong,
            415 => Self::UnsupportedMediaType,
            503 => Self::Unavailable,
            _ => Self::InternalError,
        }
    }
}

/// What a kind of problem means.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub(crate) struct Explanation {
    /// The `type` of such a problem.
    pub(crate) r#type: String,
    /// Its `code`.
    pub(crate) code: &'static str,
    /// A short name for people.
    pub(crate) title: &'static str,
    /// The status of the response.
    pub(crate) status: u16,
    /// What it means.
    pub(crate) meaning: String,
    /// What to do about it.
    pub(crate) advice: &'static str,
}

/// An error on its way to the client.
#[derive(Debug)]
pub struct Problem {
    /// Its kind.
    pub code: Code,
    detail: Cow<'static, str>,
    members: Map<String, Value>,
    headers: Vec<(HeaderName, String)>,
    internal: Option<String>,
}

/// What a handler returns: a value, or a problem. Boxed, because problems are rare and large.
pub type Result<T, E = Box<Problem>> = std::result::Result<T, E>;

impl Problem {
    /// A problem with the detail that its kind has.
    pub fn new(code: Code) -> Box<Self> {
        Self::with(code, code.meaning().trim())
    }

    /// A problem with a detail of its own.
    pub fn with(code: Code, detail: impl Into<Cow<'static, str>>) -> Box<Self> {
        Box::new(Self {
            code,
            detail: detail.into(),
            members: Map::new(),
            headers: Vec::new(),
            internal: None,
        })
    }

    /// An internal error. The text is for the log and is never sent; it ends with the file and the line of the caller.
    #[track_caller]
    pub fn internal(text: impl Into<String>) -> Box<Self> {
        Self::internal_at(&text.into(), Location::caller())
    }

    fn internal_at(text: &str, place: &Location<'_>) -> Box<Self> {
        Self::new(Code::InternalError).because(format!("{text} ({}:{})", place.file(), place.line()))
    }

    pub(crate) fn because(mut self: Box<Self>, text: impl Into<String>) -> Box<Self> {
        self.internal = Some(text.into());
        self
    }

    /// Adds a member to the problem's object.
    pub(crate) fn member(mut self: Box<Self>, name: &str, value: impl Into<Value>) -> Box<Self> {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// The problem of a request with these faults; it lists the first [`limits::FAULTS`].
    pub(crate) fn faults(code: Code, faults: Vec<Fault>) -> Box<Self> {
        let errors: Vec<_> = faults
            .into_iter()
            .take(limits::FAULTS)
            .map(|fault| {
                json::object(vec![
                    ("pointer", fault.pointer.into()),
                    ("code", json!(fault.code)),
                    ("detail", fault.detail.into()),
                ])
            })
            .collect();
        Self::new(code).member("errors", errors)
    }

    /// Explains where an unknown member belongs, if it is one of the faults.
    pub(crate) fn explain(&mut self, pointer: &str, detail: &str) {
        let errors = self.members.get_mut("errors").and_then(Value::as_array_mut);
        for error in errors.into_iter().flatten() {
            if error["pointer"] == pointer && error["code"] == json!(FaultCode::Unknown) {
                error["detail"] = detail.into();
            }
        }
    }

    /// The same with another detail.
    pub(crate) fn detailed(mut self: Box<Self>, detail: String) -> Box<Self> {
        self.detail = detail.into();
        self
    }

    pub(crate) fn method_not_allowed(allow: String) -> Box<Self> {
        Self::new(Code::MethodNotAllowed).header(header::ALLOW, allow)
    }

    /// Adds a header to the response.
    pub(crate) fn header(mut self: Box<Self>, name: HeaderName, value: String) -> Box<Self> {
        self.headers.push((name, value));
        self
    }

    /// Says after how many seconds the request may succeed.
    pub(crate) fn retry_after(self: Box<Self>, seconds: u64) -> Box<Self> {
        self.header(header::RETRY_AFTER, seconds.to_string())
    }

    /// The problem in a sentence, for the operator at the command line.
    pub fn sentence(&self) -> String {
        match &self.internal {
            Some(internal) => format!("{}: {internal}.", self.code.title()),
            None => self.detail.clone().into_owned(),
        }
    }

    /// The internal text, for the log only.
    pub fn internal_text(&self) -> Option<&str> {
        self.internal.as_deref()
    }

    /// The response to send.
    pub fn into_response(self, request_id: &str) -> Response<Bytes> {
        let mut body = json::object(vec![
            ("type", self.code.uri().into()),
            ("title", self.code.title().into()),
            ("status", self.code.status().into()),
            ("code", self.code.as_str().into()),
            ("detail", self.detail.into()),
            ("request_id", request_id.into()),
        ]);
        if let Value::Object(object) = &mut body {
            object.extend(self.members);
        }
        let mut response = Response::new(Bytes::from(body.to_string()));
        *response.status_mut() =
            StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        let challenge = match self.code {
            Code::AuthenticationRequired | Code::InvalidCredentials | Code::InvalidRefreshToken => {
                Some("Bearer realm=\"bailiwick\"")
            }
            // RFC 6750, section 3.1.
            Code::InvalidToken => Some("Bearer realm=\"bailiwick\", error=\"invalid_token\""),
            _ => None,
        };
        if let Some(challenge) = challenge {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if self.code.status() == 503 {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        }
        response
    }
}

impl From<DatabaseError> for Box<Problem> {
    // So that the place of an internal problem is that of the `?`.
    #[track_caller]
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::Unavailable(text) => Problem::new(Code::Unavailable).because(text),
            // Only the operator can mend it, so an early retry is of no use.
            DatabaseError::Full(text) => {
                Problem::with(Code::Unavailable, NO_ROOM).retry_after(NO_ROOM_RETRY_SECONDS).because(text)
            }
            DatabaseError::Contention => {
                Problem::new(Code::Unavailable).because("serialisation failed repeatedly")
            }
            DatabaseError::Unmet(statement) => {
                Problem::internal(format!("no problem is set for a miss of statement {statement}"))
            }
            DatabaseError::Unique(key) => Problem::internal(format!("unexpected duplicate: {key}")),
            DatabaseError::Constraint(text) | DatabaseError::Internal(text) => Problem::internal(text),
        }
    }
}

impl From<DecodeError> for Box<Problem> {
    #[track_caller]
    fn from(error: DecodeError) -> Self {
        Problem::internal(format!("a row does not fit: {}", error.0))
    }
}

impl From<EntropyError> for Box<Problem> {
    fn from(EntropyError: EntropyError) -> Self {
        Problem::new(Code::Unavailable).because("no randomness to be had")
    }
}

impl From<Overloaded> for Box<Problem> {
    fn from(Overloaded: Overloaded) -> Self {
        Problem::new(Code::Overloaded)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_their_statuses_are_errors() {
        let texts: HashSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(texts.len(), Code::ALL.len());
        assert!(Code::ALL.iter().all(|code| (400..600).contains(&code.status())));
    }

    #[test]
    fn each_says_what_it_means_and_what_to_do() {
        for code in Code::ALL {
            let Explanation { meaning, advice, .. } = code.explained();
            for text in [&*meaning, advice] {
                assert!(
                    text.len() > 10 && text.ends_with('.'),
                    "{code:?}: {text:?}; two sentences are needed"
                );
            }
            assert!(code.meaning().matches('`').count() % 2 == 0, "{code:?}");
        }
    }

    #[test]
    fn internal_text_says_where_it_arose_and_stays_inside() {
        let (problem, line) = (Problem::internal("the secret is 42"), line!());
        let logged = format!("the secret is 42 ({}:{line})", file!());
        assert_eq!(problem.internal_text(), Some(&*logged));
        let response = problem.into_response("r1");
        let body = String::from_utf8_lossy(response.body());
        assert!(!body.contains("42") && !body.contains(".rs"), "{body}");
    }

    #[test]
    fn an_error_that_is_passed_on_says_where_that_happened() {
        fn fails() -> Result<()> {
            Err(DatabaseError::Internal("broken".to_owned()))?
        }
        let line = line!() - 2;
        let problem = fails().unwrap_err();
        assert_eq!(problem.internal_text(), Some(&*format!("broken ({}:{line})", file!())));
    }
}
