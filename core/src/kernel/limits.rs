//! Every limit that a client can meet, in one place; the schemas show them too.

/// A request's body: bytes. Room for the longest description with every character escaped.
pub const BODY_BYTES: usize = 256 * 1024;
/// A request's path and query: bytes.
pub const TARGET_BYTES: usize = 8 * 1024;
/// A bearer token: bytes. Tokens made here have about 400.
pub const TOKEN_BYTES: usize = 4 * 1024;
/// Seconds by which the clock of a token's issuer may be ahead of ours (RFC 7519, section 4.1.5).
pub const TOKEN_LEEWAY_SECONDS: i64 = 60;
/// A token of an identity provider: bytes. Some list all groups that somebody is in.
pub const EXTERNAL_TOKEN_BYTES: usize = 16 * 1024;
/// An identity provider's name for a person: bytes (OpenID Connect Core 1.0, section 2).
pub const SUBJECT_BYTES: usize = 255;
/// An identity provider's set of keys: bytes.
pub const JWKS_BYTES: usize = 256 * 1024;
/// An email address: characters (RFC 5321, section 4.5.3.1.3, less the angle brackets).
pub const EMAIL: usize = 254;
/// A person's or a tenant's name: characters.
pub const NAME: usize = 100;
/// Invitations of one address that a tenant makes within [`INVITATION_HOURS`] at the most: each is a mail to a person
/// who has not asked for it.
pub const INVITATIONS_OF_ADDRESS: i64 = 5;
/// The hours in which these are counted.
pub const INVITATION_HOURS: u64 = 24;
/// The part of a name that an invitation's mail shows: characters.
pub const INVITATION_NAME: usize = 40;
/// A project's name: characters.
pub const PROJECT_NAME: usize = 200;
/// A description: characters.
pub const DESCRIPTION: usize = 10_000;
/// A task's title: characters.
pub const TASK_TITLE: usize = 200;
/// A comment on a task: characters.
pub const COMMENT_BODY: usize = 10_000;
/// Members that one comment can mention; further mentions are text.
pub const MENTIONS: usize = 20;
/// Members who share the local part of their address and are meant by one mention at the most.
pub const NAMESAKES: i64 = 10;
/// Recipients whose names a message to all of them lists.
pub const NAMES_LISTED: usize = 5;
/// The part of a text that its recipients are shown: characters, the ellipsis among them. It is written once for each
/// recipient and channel, so it must not grow with the text.
pub const EXCERPT: usize = 280;
/// Recipients of one event at the most.
pub const RECIPIENTS: i64 = 100;
/// The comment of a transition: characters.
pub const COMMENT: usize = 2_000;
/// A password: the least bytes.
pub const PASSWORD_MIN_BYTES: usize = 8;
/// A password: the most bytes. bcrypt reads no further.
pub const PASSWORD_MAX_BYTES: usize = 72;
/// Days for which an API key can be used, unless its maker says otherwise.
pub const API_KEY_DAYS_DEFAULT: u64 = 90;
/// Days for which an API key can be used at the most.
pub const API_KEY_DAYS: u64 = 366;
/// The key of a workflow or of a part of one: characters.
pub const KEY: usize = 40;
/// The document of a workflow: bytes.
pub const WORKFLOW_BYTES: usize = 64 * 1024;
/// The statuses of a workflow.
pub const WORKFLOW_STATUSES: usize = 40;
/// The transitions of a workflow.
pub const WORKFLOW_TRANSITIONS: usize = 200;
/// The domain roles of a workflow.
pub const WORKFLOW_ROLES: usize = 16;
/// The kinds of holds of a workflow.
pub const WORKFLOW_HOLDS: usize = 16;
/// The examples in the document of a workflow.
pub const WORKFLOW_EXAMPLES: usize = 200;
/// The votes that a transition may need, and the people whom it may name.
pub const WORKFLOW_VOTES: i64 = 20;
/// The alternatives of who may do something.
pub const WORKFLOW_CLAUSES: usize = 8;
/// A tenant's slug: the least characters.
pub const SLUG_MIN: usize = 2;
/// A tenant's slug: the most characters, those of a DNS label.
pub const SLUG_MAX: usize = 63;
/// Days for which the slug of a tenant that was deleted is kept for the user who deleted it.
pub const SLUG_DAYS: u64 = 30;
/// Items of a list within a body.
pub const LIST_ITEMS: usize = 50;
/// Operations of one request on many tasks.
pub const BULK_OPERATIONS: usize = 100;
/// Objects and arrays that stand within each other in a body.
pub const JSON_DEPTH: usize = 32;
/// A webhook's address: characters.
pub const WEBHOOK_URL: usize = 500;
/// The name of an action or of a type of entity: characters.
pub const TERM: usize = 64;
/// An `Idempotency-Key`: characters.
pub const IDEMPOTENCY_KEY: usize = 255;
/// Hours for which the answer to a request with an `Idempotency-Key` is kept.
pub const IDEMPOTENCY_HOURS: u64 = 24;
/// Items on a page of a list, unless the client asks for another number.
pub const PAGE_DEFAULT: u32 = 20;
/// Items on a page of a list at the most.
pub const PAGE_MAX: u32 = 100;
/// Bytes of the items of a page together, as JSON, unless it has but one.
pub const PAGE_BYTES: usize = 1024 * 1024;
/// A cursor: characters. The longest has a MAC, an id and the beginning of a name.
pub const CURSOR: usize = 400;
/// Items that one request for a page looks through at the most. Where few of them match, the page is short, and the
/// next one continues behind them.
pub const LOOKED_THROUGH: u32 = 1_000;
/// Items that one request looks through at the most to count a list.
pub const TOTAL: i64 = 10_000;
/// Faults of a request that are listed, the first ones: there may be one for every few bytes of it.
pub const FAULTS: usize = 100;
/// The number at which counting stops: of unsealed activity, of unread notifications.
pub const COUNTED: u32 = 1_000;
/// The text of a search: characters.
pub const SEARCH: usize = 100;
/// Words of one search.
pub const SEARCH_WORDS: usize = 10;
/// Characters of a word that a search compares; the rest of longer words makes no difference.
pub const SEARCH_WORD: usize = 64;
/// The detail of an entry of the activity, of an imported tenant: bytes in the form that is hashed. The longest that
/// the service writes has a comment of a transition with every character escaped.
pub const DETAIL_BYTES: usize = 16 * 1024;
/// The former description, of a description that was changed after its approval, in the activity: characters.
pub const DETAIL_TEXT: usize = 2_000;
/// Names and items of lists in a detail, at any depth: in memory each takes many times its bytes.
pub const DETAIL_MEMBERS: usize = 200;
/// Entries of the activity log that one request verifies at the most.
pub const VERIFIED_ENTRIES: u32 = 500;
/// Rows of an exported or imported tenant, in one answer or body.
pub const MOVED_ROWS: u32 = 200;
/// Bytes after which a part of an export, or a part of the activity that is verified, has no further row.
pub const PART_BYTES: i64 = 1024 * 1024;
/// A line of text that the service wrote, in an imported tenant: characters.
pub const MOVED_LINE: usize = 1_000;
/// Text that the service wrote, in an imported tenant: characters.
pub const MOVED_TEXT: usize = 30_000;
/// Rows of a tenant that is imported over HTTP. All of them become a tenant in one transaction, which others wait for;
/// larger tenants can be imported at the database.
pub const IMPORT_ROWS: i64 = 20_000;
/// The same in bytes, of rows in the form in which they are digested.
pub const IMPORT_BYTES: i64 = 32 * 1024 * 1024;
/// Hours after which an import without additions is dropped.
pub const IMPORT_HOURS: u64 = 24;
