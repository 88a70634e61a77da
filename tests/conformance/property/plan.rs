//! What a step is going to do, and what is to come of it.

use bailiwick_tests::client::Answer;
use reqwest::Method;
use serde_json::Value;

use super::world::{Told, World};

/// Status and code of a problem.
pub(super) type Refusal = (u16, &'static str);

/// What somebody may do, restated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    Viewer,
    Member,
    Manager,
    Owner,
}

impl Rank {
    pub(super) const ALL: [Self; 4] = [Self::Viewer, Self::Member, Self::Manager, Self::Owner];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Member => "member",
            Self::Manager => "manager",
            Self::Owner => "owner",
        }
    }
}

/// How a request names its tenant.
#[derive(Clone, Debug)]
pub(super) enum Naming {
    Nothing,
    Id(String),
    Slug(String),
    Both(String, String),
    /// Two ids.
    Twice(String, String),
}

/// Who asks, about which tenant, and how they name it.
#[derive(Clone, Debug)]
pub(super) struct Scene {
    pub(super) caller: Option<usize>,
    pub(super) tenant: usize,
    pub(super) naming: Naming,
}

impl Scene {
    /// Somebody asks about no tenant.
    pub(super) fn alone(caller: Option<usize>) -> Self {
        Self { caller, tenant: 0, naming: Naming::Nothing }
    }

    fn request(&self, method: Method, path: impl Into<String>) -> Request {
        Request { scene: self.clone(), method, path: path.into(), body: None, catalogue: false }
    }

    pub(super) fn get(&self, path: impl Into<String>) -> Request {
        self.request(Method::GET, path)
    }

    pub(super) fn post(&self, path: impl Into<String>) -> Request {
        self.request(Method::POST, path)
    }

    pub(super) fn patch(&self, path: impl Into<String>) -> Request {
        self.request(Method::PATCH, path)
    }

    pub(super) fn delete(&self, path: impl Into<String>) -> Request {
        self.request(Method::DELETE, path)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) scene: Scene,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) body: Option<Value>,
    /// Whether it asks for what is shown to anybody.
    pub(super) catalogue: bool,
}

impl Request {
    pub(super) fn json(self, body: Value) -> Self {
        Self { body: Some(body), ..self }
    }

    /// What is to come of it.
    pub(super) fn expecting(self, verdict: Result<Done, Refusal>) -> Plan {
        Plan { request: self, verdict, even_so: None, shown_again: None }
    }
}

impl std::fmt::Display for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.scene.caller {
            Some(user) => write!(f, "user {user}: ")?,
            None => write!(f, "nobody: ")?,
        }
        write!(f, "{} {} {:?}", self.method, self.path, self.scene.naming)?;
        self.body.as_ref().map_or(Ok(()), |body| write!(f, " {body}"))
    }
}

pub(super) type Settle = Box<dyn FnOnce(&mut World, &Answer) -> Told + Send>;

/// Success: its status, and what compares the answer with the model and carries the change out there.
pub(super) struct Done {
    pub(super) status: u16,
    pub(super) settle: Settle,
}

/// Success.
#[expect(clippy::unnecessary_wraps, reason = "it ends a chain of what may be refused")]
pub(super) fn done(
    status: u16,
    settle: impl FnOnce(&mut World, &Answer) -> Told + Send + 'static,
) -> Result<Done, Refusal> {
    Ok(Done { status, settle: Box::new(settle) })
}

pub(super) struct Plan {
    pub(super) request: Request,
    pub(super) verdict: Result<Done, Refusal>,
    /// The user and the place of a session that ends although the request is refused.
    pub(super) even_so: Option<(usize, usize)>,
    /// A token that was shown before, and may be once more.
    pub(super) shown_again: Option<String>,
}
