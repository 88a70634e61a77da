//! The contents of a project (its name, description and visibility), and who may change them when: contents under
//! review stay as they are, and approved contents are a manager's to change, which is recorded.

use serde_json::Value as Json;

use crate::{
    access::batch::Slot,
    domain::{notice::Notice, workflow::insufficient_role},
    http::problem::{Code, Problem, Result},
    kernel::{
        decode::Patch,
        json, limits,
        sql::Value,
        values::{
            ProjectId,
            enumerations::{ProjectStatus, Role},
        },
        words::{index, index_name},
    },
    repository::{
        Repository,
        activity::Event,
        audience::{Audience, AudienceQuery},
        projects::{self, Project, ProjectPatch},
        quotas, repeat,
    },
};

/// Whether the contents of a project in this status are approved; fails if nobody may change them now.
fn approved(status: ProjectStatus) -> Result<bool> {
    match status {
        ProjectStatus::Draft | ProjectStatus::Rejected => Ok(false),
        ProjectStatus::Approved | ProjectStatus::InProgress | ProjectStatus::Completed => Ok(true),
        ProjectStatus::Submitted => Err(Problem::new(Code::UnderReview)),
        ProjectStatus::Archived => Err(Problem::new(Code::ProjectArchived)),
    }
}

/// A former description, as far as the log has room for it.
fn excerpt(text: &str) -> String {
    let mut characters = text.chars();
    let start: String = characters.by_ref().take(limits::DETAIL_TEXT).collect();
    if characters.next().is_some() { start + "\u{2026}" } else { start }
}

/// The details of a change for the log; with the former contents, if those were approved.
fn detail(patch: &ProjectPatch, before: Option<&Project>) -> Json {
    let ProjectPatch { name, description, visibility } = patch;
    let mut detail = Vec::new();
    let mut was = Vec::new();
    if let Patch(Some(name)) = name {
        detail.push(("name", name.clone().into()));
        was.extend(before.map(|before| ("name", before.name.clone().into())));
    }
    if let Patch(Some(visibility)) = visibility {
        detail.push(("visibility", (*visibility).into()));
        was.extend(before.map(|before| ("visibility", before.visibility.into())));
    }
    if let Patch(Some(_)) = description {
        // The log notes only the change; the text itself may be long.
        detail.push(("description", Json::Bool(true)));
        was.extend(before.map(|before| ("description", excerpt(before.description.as_str()).into())));
    }
    if let Some(before) = before {
        was.push(("revision", before.revision.into()));
        detail.push(("before", json::object(was)));
    }
    json::object(detail)
}

/// Changes the contents of a project.
pub(super) async fn change(
    repository: Repository<'_>,
    id: ProjectId,
    patch: &ProjectPatch,
) -> Result<Project> {
    // After a conflict the change is decided again, on the new state.
    repeat(|| attempt(repository, id, patch)).await
}

async fn attempt(repository: Repository<'_>, id: ProjectId, patch: &ProjectPatch) -> Result<Project> {
    let scope = repository.scope;
    let mut batch = scope.batch();
    let found = batch.add::<Project, _>(&projects::BY_ID, [id.into()]);
    let audience = AudienceQuery::ask(&mut batch, scope.user(), &Audience::OfProject(id));
    let (membership, mut outcome) = scope.read(batch).await?;
    let found = outcome.optional(found)?.ok_or_else(|| Problem::new(Code::NotFound))?;
    let found = scope.matched(found)?;
    let ProjectPatch { name: Patch(name), description: Patch(description), visibility: Patch(visibility) } =
        patch.clone();
    if name.is_none() && description.is_none() && visibility.is_none() {
        return Ok(found);
    }
    let approved = approved(found.status)?;
    if approved && membership.role < Role::Manager {
        return Err(insufficient_role(Role::Manager));
    }
    let same = name.as_ref().is_none_or(|name| *name == found.name)
        && description.as_ref().is_none_or(|description| *description == found.description)
        && visibility.is_none_or(|visibility| visibility == found.visibility);
    if same {
        return Ok(found);
    }

    let name_words = name.as_ref().map_or(Value::Text(None), |name| index_name(name.as_str()));
    let description_words = description.as_ref().map_or(Value::Text(None), |text| index(text.as_str()));
    let writes = name.is_some() || description.is_some();
    let mut batch = scope.batch();
    scope.require_match(&mut batch, &projects::UNCHANGED, id.0);
    let changed: Slot<Project> = batch.require(
        &projects::UPDATE,
        [
            id.into(),
            name.into(),
            description.into(),
            visibility.into(),
            scope.services().now().into(),
            name_words,
            description_words,
            // The log records the approved contents, so the change must replace that very revision.
            approved.then_some(found.revision).into(),
        ],
        Problem::new(Code::Conflict),
    );
    if writes {
        quotas::require_room(&mut batch);
    }
    let detail = detail(patch, Some(&found).filter(|_| approved));
    repository.record(&mut batch, Event::new("project.updated", "project", id.0, detail))?;
    if approved {
        let notice = Notice::changed(membership.name.as_str(), id, found.name.as_str());
        repository.notify(&mut batch, &audience.take(&mut outcome)?, &notice)?;
    }
    let mut outcome = scope.commit(batch, approved.then_some(Role::Manager)).await?;
    outcome.one(changed)
}
