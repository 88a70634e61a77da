//! A table of two routes: what `routes!` makes of its lines.

use http::Method;

use crate::{
    access::{rule::Access, scopes::tenant::TenantScope},
    api::{
        endpoint::Endpoint,
        reply::{NoContent, Versioned},
    },
    http::problem::{Code::UnderReview, Result},
    kernel::values::{ProjectId, enumerations::Role},
    repository::projects::{Project, Projects},
    routes::Route,
};

mod projects {
    use super::{NoContent, Project, ProjectId, Projects, Result, TenantScope, Versioned};

    pub(super) async fn get(scope: TenantScope, id: ProjectId) -> Result<Versioned<Project>> {
        scope.projects().get(id).await.map(Versioned)
    }

    pub(super) async fn delete(scope: TenantScope, id: ProjectId) -> Result<NoContent> {
        scope.projects().delete(id).await.map(|()| NoContent)
    }
}

routes! {
    /// Read a project.
    /// With `Access::Public` this line would not compile: that rule opens no scope of a tenant, which the handler takes.
    GET    "/v1/projects/{project_id}", Access::Member(Role::Viewer),  1, [],            projects::get;
    /// Delete a project.
    /// Its tasks and comments go with it.
    DELETE "/v1/projects/{project_id}", Access::Member(Role::Manager), 1, [UnderReview], projects::delete;
}

#[test]
fn a_route_is_data() {
    let [get, delete] = ROUTES else { panic!("two routes") };
    assert_eq!((&get.method, get.name, get.batches), (&Method::GET, "projects::get", 1));
    assert_eq!((delete.access, delete.problems), (Access::Member(Role::Manager), &[UnderReview][..]));
    assert!(delete.is_conditional() && !get.is_conditional());
}
