//! Placeholders: rows among the accounts that stand for people who were imported with a tenant and have not joined. A
//! placeholder belongs to one tenant, nobody can log in to it, and its address and name are those of the file. A person
//! who has the address and joins the tenant takes its place.

use crate::{
    access::batch::{Batch, Slot},
    kernel::{
        sql::statements,
        values::{TenantId, UserId},
    },
};

/// The placeholder of the tenant that has the address of the account `?2`: one at the most.
const THEIRS: &str = "(SELECT p.id FROM users p JOIN users a ON a.email = p.imported_email WHERE p.imported_into = ?1 AND a.id = ?2)";

statements! { "placeholders";
    /// Keeps the old id, so that older entries of the activity, which never change, still lead to the member.
    tenant NAME = "UPDATE memberships SET imported_id = COALESCE(", THEIRS, ", imported_id) WHERE tenant_id = ?1 AND user_id = ?2";

    tenant ASSIGNED = "UPDATE tasks SET assignee_id = ?2, version = version + 1 WHERE tenant_id = ?1 AND assignee_id = ", THEIRS;

    tenant CREATED_TASKS = "UPDATE tasks SET created_by = ?2, version = version + 1 WHERE tenant_id = ?1 AND created_by = ", THEIRS;

    tenant CREATED_PROJECTS = "UPDATE projects SET created_by = ?2, version = version + 1 WHERE tenant_id = ?1 AND created_by = ", THEIRS;

    tenant SUBMITTED = "UPDATE projects SET submitted_by = ?2, version = version + 1 WHERE tenant_id = ?1 AND submitted_by = ", THEIRS;

    tenant WROTE = "UPDATE comments SET author_id = ?2, version = version + 1 WHERE tenant_id = ?1 AND author_id = ", THEIRS;

    tenant INVITED = "UPDATE invitations SET invited_by = ?2 WHERE tenant_id = ?1 AND invited_by = ", THEIRS;

    tenant ACCEPTED = "UPDATE invitations SET accepted_by = ?2 WHERE tenant_id = ?1 AND accepted_by = ", THEIRS;

    tenant TOLD = "UPDATE notifications SET recipient_id = ?2 WHERE tenant_id = ?1 AND recipient_id = ", THEIRS;

    tenant FOUNDED = "UPDATE tenants SET created_by = ?2 WHERE id = ?1 AND created_by = ", THEIRS;

    /// Comes after all rows that refer to it.
    tenant LEAVE = "DELETE FROM memberships WHERE tenant_id = ?1 AND user_id = ", THEIRS;

    /// The row stays, because rows that never change name it, but stands for nobody any more.
    global FORGET = "UPDATE users SET imported_email = NULL WHERE imported_into = ?1 \
         AND imported_email = (SELECT a.email FROM users a WHERE a.id = ?2)";

    /// After the deletion of a tenant nothing of its people is kept: the rest of these rows belongs to no tenant.
    global FORGET_SOME = "UPDATE users SET imported_into = '00000000-0000-0000-0000-000000000000', imported_email = NULL, name = '-' \
         WHERE id IN (SELECT p.id FROM users p WHERE p.imported_into = ?1 LIMIT ?2)";
}

/// Adds to a batch of the tenant that everything of a placeholder passes to the member who has its address and has just
/// joined.
pub(super) fn adopt(batch: &mut Batch<'_>, tenant: TenantId, user: UserId) {
    for sql in [
        &NAME,
        &ASSIGNED,
        &CREATED_TASKS,
        &CREATED_PROJECTS,
        &SUBMITTED,
        &WROTE,
        &INVITED,
        &ACCEPTED,
        &TOLD,
        &FOUNDED,
        &LEAVE,
    ] {
        let _: Slot<()> = batch.add(sql, [user.into()]);
    }
    let _: Slot<()> = batch.add_global(&FORGET, [tenant.into(), user.into()]);
}

/// Adds to a batch that deletes a tenant that at most `most` of its placeholders stand for nobody any more.
pub(super) fn forget(batch: &mut Batch<'_>, tenant: TenantId, most: i64) {
    let _: Slot<()> = batch.add_global(&FORGET_SOME, [tenant.into(), most.into()]);
}
