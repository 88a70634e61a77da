//! Tenants that are moved.

use super::super::{Case, own, rows};

/// Rows of one answer, each of which is looked at again for the bytes of all before it.
const PART: u32 = 3 * 210;
const COUNTS: &str = "An export notices by this that something was changed meanwhile.";

pub(super) const ALL: &[Case] = &[
    rows("import::INSERT", "@other, 0, '{}', 'd', @now", 2),
    rows("import::STATE", "@user, 0", 1),
    rows("import::ADVANCE", "@user, '{}', 5, 'e', @now, 4, 0", 2),
    rows(
        "import::ADD",
        "@user, '[{\"line\":999999999,\"kind\":\"labels\",\"name\":\"new\",\"content\":{}}]'",
        5,
    ),
    rows("import::ARRIVED", "@user, '[{\"name\":\"x\"}]'", 3),
    rows("import::ACCOUNTS", "'[{\"id\":\"@user\",\"email\":\"@email\"}]'", 5),
    own("import::DELETE", "@user, 0", "What has arrived goes with it."),
    own("import::COMPLETE", "@user, @rows, 'd', 0", "What has arrived goes with it."),
    rows("tenants::GIVE_WAY", "", 3),
    rows("tenants::UNCLAIMED", "", 3),
    rows("tenants::ENDS_LIKE_NONE", "@tenant", 2),
    own("moved_users::PAGE", "@start, 200, 1048576", "It finds whoever is named anywhere in the tenant."),
    own("moved_users::CHANGES", "", COUNTS),
    rows("moved_users::INSERT", "@user", 5),
    rows("moved_tenants::PAGE", "@start, 200, 1048576", 2),
    rows("moved_tenants::CHANGES", "", 2),
    rows("moved_tenants::INSERT", "@user", 5),
    rows("moved_activity::PAGE", "0, 200, 1048576", PART),
    own("moved_activity::CHANGES", "", COUNTS),
    rows("moved_activity::INSERT", "@user", 5),
    rows("moved_memberships::PAGE", "@start, 200, 1048576", PART),
    own("moved_memberships::CHANGES", "", COUNTS),
    rows("moved_memberships::INSERT", "@user", 5),
    rows("moved_projects::PAGE", "@start, 200, 1048576", PART),
    own("moved_projects::CHANGES", "", COUNTS),
    rows("moved_projects::INSERT", "@user", 5),
    rows("moved_tasks::PAGE", "@start, 200, 1048576", PART),
    own("moved_tasks::CHANGES", "", COUNTS),
    rows("moved_tasks::INSERT", "@user", 5),
    rows("moved_comments::PAGE", "@start, 200, 1048576", PART),
    own("moved_comments::CHANGES", "", COUNTS),
    rows("moved_comments::INSERT", "@user", 5),
    rows("moved_invitations::PAGE", "@start, 200, 1048576", PART),
    own("moved_invitations::CHANGES", "", COUNTS),
    rows("moved_invitations::INSERT", "@user", 5),
    rows("moved_notifications::PAGE", "@start, 200, 1048576", PART),
    own("moved_notifications::CHANGES", "", COUNTS),
    rows("moved_notifications::INSERT", "@user", 5),
    rows("moved_api_keys::PAGE", "@start, 200, 1048576", PART),
    own("moved_api_keys::CHANGES", "", COUNTS),
    rows("moved_api_keys::INSERT", "@user", 5),
];
