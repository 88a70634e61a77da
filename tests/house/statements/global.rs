//! The statements that are about no single tenant and reach tenants' rows all the same: all of them, and why.

/// A statement that may span tenants.
pub(super) struct Global {
    pub(super) name: &'static str,
    /// Why it may.
    pub(super) why: &'static str,
    /// What binds it instead: conjuncts, or values that are stored, each with the table that it binds. Every other
    /// table of the statement must be bound to one of these by its tenant column. `..` stands for what follows.
    pub(super) by: &'static [(&'static str, &'static str)],
}

/// Nothing binds this table: it is about every row.
pub(super) const ANY_ROW: &str = "every row";

impl Global {
    /// The place among what binds the statement, if this is there for the table of this name.
    pub(super) fn position(&self, name: &str, what: &str) -> Option<usize> {
        self.by.iter().position(|(table, by)| {
            *table == name && by.strip_suffix("..").map_or(*by == what, |start| what.starts_with(start))
        })
    }
}

pub(super) const GLOBAL: &[Global] = &[
    Global {
        name: "account_deletion::OWNERS_STAY",
        why: "An account that owns tenants leaves each with another owner; it learns only whether one would have none.",
        by: &[("o", "o.user_id = ?1")],
    },
    Global {
        name: "account_deletion::LAST_OWNED",
        why: "Who cannot delete their account is told which tenants they are the last owner of.",
        by: &[("o", "o.user_id = ?1")],
    },
    Global {
        name: "account_deletion::UNASSIGN",
        why: "A deleted account has no tasks, in whatever tenants it is a member of.",
        by: &[("tasks", "tenant_id IN (SELECT .."), ("m", "m.user_id = ?1")],
    },
    Global {
        name: "account_deletion::REVOKE_OF_INVITER",
        why: "What a deleted account invites to is open no longer, in whatever tenants it is a member of.",
        by: &[("invitations", "tenant_id IN (SELECT .."), ("m", "m.user_id = ?1")],
    },
    Global {
        name: "account_deletion::REVOKE_OF_ADDRESS",
        why: "Who registers the address of a deleted account comes back to none of its tenants by an older invitation.",
        by: &[("invitations", "tenant_id IN (SELECT .."), ("m", "m.user_id = ?1")],
    },
    Global {
        name: "account_deletion::MEMBERSHIPS",
        why: "The memberships of an account end with it.",
        by: &[("memberships", "user_id = ?1")],
    },
    Global {
        name: "activity::INSERT_FOR_DELETED",
        why: "That somebody has left is told in each tenant that their deleted account was in, and in no other.",
        by: &[("m", "m.user_id = ?1")],
    },
    Global {
        name: "activity::INSERT_FOR_USER",
        why: "A change of the caller's account is recorded in each tenant in which the caller is an active member, and in no other.",
        by: &[("m", "m.user_id = ?1")],
    },
    Global {
        name: "activity::INSERT_FOR_RENAMED",
        why: "Another name is told in each tenant that its bearer is an active member of, and in no other.",
        by: &[("m", "m.user_id = ?1")],
    },
    Global {
        name: "activity::INSERT_FOR_JOINED",
        why: "Which tenant was joined is known to the database only; it is that of the user's own new membership.",
        by: &[("m", "m.user_id = ?1"), ("m", "m.id = ?4")],
    },
    Global {
        name: "activity::INSERT_FOR_CLAIM",
        why: "It is about the tenant `default`, if this user has just claimed it.",
        by: &[("t", "t.slug = 'default'"), ("t", "t.created_by = ?1")],
    },
    Global {
        name: "admin::OWNED",
        why: "It lists the tenants that the user of the account owns; what it counts is in those.",
        by: &[("m", "m.user_id = ?1"), ("m", "m.role = 'owner'"), ("m", "m.status = 'active'")],
    },
    Global {
        name: "chain::WAITING",
        why: "Activity of all tenants is sealed by one task, which no request reaches; it learns only whose waits.",
        by: &[("a", "a.seq IS NULL"), ("b", "b.seq IS NULL")],
    },
    Global {
        name: "deliveries::DUE",
        why: "The outbox of all tenants is emptied by one task, which no request reaches; it learns only whether any is due.",
        by: &[
            ("d", "d.state = 'pending'"),
            ("d", "d.next_attempt_at <= ?1"),
            ("e", "e.next_attempt_at <= ?1"),
            ("t", "t.suspended_at IS NULL"),
        ],
    },
    Global {
        name: "deliveries::CLAIM",
        why: "The same task claims what is due, whosever it is, and none more than its share; only the claim is changed.",
        by: &[
            ("deliveries", "(tenant_id, id) IN (SELECT .."),
            ("d", "d.state = 'pending'"),
            ("d", "d.next_attempt_at <= COALESCE(w.latest, ?1)"),
            ("e", "e.next_attempt_at <= ?1"),
            ("f", "f.state = 'pending'"),
            ("t", "t.suspended_at IS NULL"),
        ],
    },
    Global {
        name: "deliveries::CLAIMED",
        why: "The same task reads what it has claimed, each with the configuration of its own tenant.",
        by: &[("d", "d.claim = ?1")],
    },
    Global {
        name: "deliveries::DEPTH",
        why: "Whoever operates the service sees how much waits and was given up in all; it learns numbers and times only.",
        by: &[("d", "d.state = 'pending'"), ("e", "e.state = 'dead'")],
    },
    Global {
        name: "giving_up::FORGET",
        why: "Imports that nobody goes on with are given up by one task, which no request reaches; it learns only how many.",
        by: &[("imports", "(tenant_id, user_id) IN (SELECT .."), ("m", "m.updated_at <= ?1")],
    },
    Global {
        name: "giving_up::IMPORTS",
        why: "Imports that were given up are dropped by one task, which no request reaches; it learns only how many.",
        by: &[("imports", "(tenant_id, user_id) IN (SELECT .."), ("m", "m.updated_at <= ?1")],
    },
    Global {
        name: "giving_up::ROWS",
        why: "What has arrived of imports that were given up is dropped by one task, which no request reaches; it learns only how much.",
        by: &[
            ("import_rows", "(tenant_id, user_id, line) IN (SELECT .."),
            ("m", "m.updated_at <= ?1"),
            ("r", "r.tenant_id = i.tenant_id"),
        ],
    },
    Global {
        name: "stored_answers::PRUNE",
        why: "Answers of all tenants are dropped after a day by one task, which no request reaches; it learns nothing of them.",
        by: &[("idempotency_keys", "(tenant_id, key_hash) IN (SELECT .."), ("k", "k.created_at <= ?1")],
    },
    Global {
        name: "tenants::ENDS_LIKE_NONE",
        why: "An import chooses its tenant's id; it learns only whether one that ends like it is taken.",
        by: &[("tenants", "SUBSTR(CAST(id AS TEXT), 29) = SUBSTR(CAST(?1 AS TEXT), 29)")],
    },
    Global {
        name: "memberships::INSERT_FOR_CLAIM",
        why: "It makes a user the owner of the tenant `default`, if they have just claimed it.",
        by: &[("t", "t.slug = 'default'"), ("t", "t.created_by = ?1")],
    },
    Global {
        name: "memberships::INSERT_WHERE_OPEN",
        why: "Who registers joins the tenant that they named, by id or slug, if it is open to all.",
        by: &[
            ("t", "t.id = ?4 OR t.slug = ?5"),
            ("t", "t.config ->> 'open_registration' IN ('viewer', 'member')"),
        ],
    },
    Global {
        name: "quotas::IMPORTS",
        why: "An account has only so many imports under way, of whatever tenants; it learns only whether there are more.",
        by: &[("x", "x.user_id = ?1")],
    },
    Global {
        name: "quotas::TENANTS",
        why: "An account owns only so many tenants; it learns only whether there are more.",
        by: &[("x", "x.user_id = ?1")],
    },
    Global {
        name: "operator::LIST",
        why: "The operator's command line lists all tenants; no request reaches it.",
        by: &[("t", ANY_ROW)],
    },
    Global {
        name: "operator_users::MEMBERSHIPS",
        why: "The operator's command line tells where somebody is a member; no request reaches it.",
        by: &[("m", "m.user_id = ?1")],
    },
    Global {
        name: "removal::LEFT",
        why: "What is left of deleted tenants is removed by one task, which no request reaches, each by statements of its own.",
        by: &[("tenants", "deleted_at IS NOT NULL")],
    },
    Global {
        name: "sizes::UNDER_WAY",
        why: "Measuring tenants is one task, which no request reaches, and goes on where others left one, by statements of its own.",
        by: &[("sizes", "part IS NOT NULL")],
    },
    Global {
        name: "resets::ASK",
        why: "An account that nobody has logged in to gets a password if it is a member or invited somewhere; nobody learns where, or whether.",
        by: &[("m", "m.user_id = u.id")],
    },
    Global {
        name: "retention::DELIVERIES",
        why: "What was sent or given up is dropped after OUTBOX_RETENTION by one task, which no request reaches; it learns only how much.",
        by: &[
            ("deliveries", "(tenant_id, id) IN (SELECT .."),
            ("d", "d.state <> 'pending'"),
            ("d", "d.next_attempt_at <= ?1"),
        ],
    },
    Global {
        name: "retention::NOTIFICATIONS",
        why: "What was read is dropped after NOTIFICATION_RETENTION by one task, which no request reaches; it learns only how much.",
        by: &[("notifications", "(tenant_id, id) IN (SELECT .."), ("n", "n.read_at <= ?1")],
    },
    Global {
        name: "search::WAITING_PROJECTS",
        why: "Projects of all tenants are indexed by one task, which no request reaches; it learns only whose wait.",
        by: &[("a", "a.indexed < 2"), ("b", "b.indexed < 2")],
    },
    Global {
        name: "search::WAITING_TASKS",
        why: "Tasks of all tenants are indexed by one task, which no request reaches; it learns only whose wait.",
        by: &[("a", "a.indexed < 2"), ("b", "b.indexed < 2")],
    },
    Global {
        name: "checks::TENANT_BY_SLUG",
        why: "Finding the tenant that a request names comes before there is one; it returns the id and grants nothing.",
        by: &[("tenants", "slug = ?1")],
    },
    Global {
        name: "tenants::INSERT",
        why: "It makes a tenant, which nobody has yet.",
        by: &[("tenants", "id = ?1")],
    },
    Global {
        name: "tenants::CLAIM_DEFAULT",
        why: "The first user who registers gets the tenant `default`, which has neither creator nor member.",
        by: &[("tenants", "slug = 'default'"), ("tenants", "created_by IS NULL")],
    },
    Global {
        name: "tenants::OF_USER",
        why: "It lists the tenants that the user of the account is an active member of.",
        by: &[("m", "m.user_id = ?1"), ("m", "m.status = 'active'")],
    },
];
