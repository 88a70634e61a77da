//! Handlers as data: the parameters and answers of an endpoint follow from its function's types, for dispatch and for
//! the OpenAPI document alike.

use std::{future::Future, marker::PhantomData};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderValue, header};
use serde_json::Value;
use uuid::Uuid;

#[cfg(feature = "openapi")]
use crate::api::facts::Fact;
use crate::{
    access::{
        context::AnswerOf,
        named::NamedTenant,
        rule::Access,
        scopes::{
            Scope, account::AccountScope, anonymous::AnonymousScope, public_tenant::PublicTenantScope,
            tenant::TenantScope,
        },
    },
    api::reply::Reply,
    http::{
        answer::Answer,
        problem::{Code, Problem, Result},
    },
    kernel::{
        decode::{Input, Object, query_object},
        json,
        values::{
            ApiKeyId, CommentId, DeliveryId, IdentityId, InvitationId, NotificationId, ProjectId, SessionId,
            TaskId, TenantId, UserId, uuid,
        },
    },
    ports::BoxFuture,
};

/// A request on its way to its handler.
#[derive(Clone)]
pub(crate) struct Incoming {
    pub(crate) path: Vec<(String, String)>,
    pub(crate) query: Option<String>,
    pub(crate) content_type: Option<HeaderValue>,
    /// Whether the body has a `Content-Encoding`.
    pub(crate) encoded: bool,
    pub(crate) accept: Vec<HeaderValue>,
    /// The body; the argument that reads it takes it out.
    pub(crate) body: Bytes,
    pub(crate) named: NamedTenant,
    pub(crate) scope: Option<Scope>,
}

// The part that the arguments of all handlers share is here, and not generic: there are many handlers.
impl Incoming {
    /// Takes the body and reads it: JSON, and an object.
    fn body(&mut self) -> Result<Object> {
        let body = std::mem::take(&mut self.body);
        let media_type = self.content_type.as_ref().and_then(|value| value.to_str().ok());
        if !media_type.is_some_and(json::is_media_type) {
            return Err(Problem::new(Code::UnsupportedMediaType));
        }
        if self.encoded {
            let detail = "Bodies are taken as they are: send this one without `Content-Encoding`.";
            return Err(Problem::with(Code::UnsupportedMediaType, detail)
                .header(header::ACCEPT_ENCODING, "identity".to_owned()));
        }
        match json::parse(&body) {
            Ok(Value::Object(members)) => Ok(Object::new(members)),
            Ok(_) => Err(Problem::with(Code::MalformedJson, "The body is JSON, but not an object.")),
            Err(detail) => Err(Problem::with(Code::MalformedJson, detail)),
        }
    }

    /// Takes the query.
    fn query(&mut self) -> Object {
        query_object(&self.query.take().unwrap_or_default())
    }

    /// Refuses parameters and a body that no argument of the handler took.
    fn refuse_rest(&mut self) -> Result<()> {
        let faults = self.query().into_faults();
        if !faults.is_empty() {
            return Err(Problem::faults(Code::InvalidParameter, faults));
        }
        if self.body.is_empty() { Ok(()) } else { Err(Problem::new(Code::UnexpectedBody)) }
    }

    /// The text of a placeholder of the path.
    pub(crate) fn placeholder(&self, name: &str) -> Option<&str> {
        self.path.iter().find(|(found, _)| found == name).map(|(_, text)| text.as_str())
    }

    /// Reads an id in the path. A text that is not a UUID names nothing: 404.
    fn id(&self, name: &str) -> Result<Uuid> {
        self.placeholder(name).and_then(uuid).ok_or_else(|| Problem::new(Code::NotFound))
    }
}

/// The scope that a handler asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScopeKind {
    /// [`AnonymousScope`].
    Anonymous,
    /// [`AccountScope`].
    Account,
    /// [`PublicTenantScope`].
    PublicTenant,
    /// [`TenantScope`].
    Tenant,
}

/// A type that a handler can take as an argument.
pub(crate) trait Extract: Sized + Send {
    /// The scope, if the argument is one.
    const SCOPE: Option<ScopeKind> = None;

    fn extract(incoming: &mut Incoming) -> Result<Self>;

    #[cfg(feature = "openapi")]
    fn facts() -> Vec<Fact> {
        Vec::new()
    }
}

/// An answer in progress.
pub(crate) type Answering = BoxFuture<'static, Result<Answer>>;

/// The request headers on which a route's answer depends, by its type.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traits {
    /// `Idempotency-Key`: makes the answer that is stored under it.
    pub(crate) answer_to_store: Option<AnswerOf>,
    /// `If-Match`, beside the routes that change or delete what is there.
    pub(crate) conditional: bool,
}

/// A function that answers a route: its arguments are extracted, in order, from the request.
pub(crate) trait Handler<Arguments>: Copy + Send + Sync + 'static {
    const SCOPE: Option<ScopeKind>;
    const TRAITS: Traits;

    fn call(self, incoming: &mut Incoming) -> Result<Answering>;

    #[cfg(feature = "openapi")]
    fn facts() -> Vec<Fact>;
}

macro_rules! handler {
    ($($argument:ident),*) => {
        impl<F, Fut, R, $($argument),*> Handler<($($argument,)*)> for F
        where
            F: Fn($($argument),*) -> Fut + Copy + Send + Sync + 'static,
            Fut: Future<Output = Result<R>> + Send + 'static,
            R: Reply,
            $($argument: Extract,)*
        {
            const SCOPE: Option<ScopeKind> = first_scope(&[$($argument::SCOPE),*]);
            // In the anonymous scope the caller is unknown, so there is nobody to store an answer for.
            const TRAITS: Traits = Traits {
                answer_to_store: match Self::SCOPE {
                    Some(ScopeKind::Account | ScopeKind::Tenant) => R::ANSWER_TO_STORE,
                    _ => None,
                },
                conditional: R::CONDITIONAL,
            };

            #[allow(non_snake_case, unused_mut, unused_variables, clippy::allow_attributes, reason = "the macro names variables after types")]
            fn call(self, incoming: &mut Incoming) -> Result<Answering> {
                $(let $argument = $argument::extract(incoming)?;)*
                incoming.refuse_rest()?;
                Ok(Box::pin(self($($argument),*).map(|reply| reply?.reply())))
            }

            #[cfg(feature = "openapi")]
            fn facts() -> Vec<Fact> {
                [$($argument::facts(),)* R::facts()].into_iter().flatten().collect()
            }
        }
    };
}

handler!();
handler!(A);
handler!(A, B);
handler!(A, B, C);
handler!(A, B, C, D);
handler!(A, B, C, D, E);

const fn first_scope(scopes: &[Option<ScopeKind>]) -> Option<ScopeKind> {
    let mut index = 0;
    while index < scopes.len() {
        if scopes[index].is_some() {
            return scopes[index];
        }
        index += 1;
    }
    None
}

/// A handler with its arguments' types forgotten, as the route table holds it.
pub(crate) trait ErasedEndpoint: Sync {
    /// Takes the handler's arguments out of the request and begins to answer.
    fn call(&self, incoming: &mut Incoming) -> Result<Answering>;

    /// Which request headers matter to it.
    fn traits(&self) -> Traits;

    #[cfg(feature = "openapi")]
    fn facts(&self) -> Vec<Fact>;
}

/// A handler with its arguments' types.
pub(crate) struct Endpoint<H, Arguments> {
    handler: H,
    arguments: PhantomData<fn(Arguments)>,
}

impl<H: Handler<Arguments>, Arguments> Endpoint<H, Arguments> {
    /// Puts a handler behind an access rule. It does not compile if the handler asks for another scope than the
    /// rule opens.
    #[expect(clippy::panic, reason = "runs at compile time only, over the route table")]
    pub(crate) const fn new(handler: H, access: Access) -> Self {
        match (H::SCOPE, access) {
            (None | Some(ScopeKind::Anonymous), Access::Public)
            | (Some(ScopeKind::Account), Access::SignedIn)
            | (Some(ScopeKind::PublicTenant), Access::AnyoneInTenant)
            | (Some(ScopeKind::Tenant), Access::Member(_) | Access::InPerson(_)) => {}
            _ => panic!("the handler asks for another scope than its route's access rule opens"),
        }
        Self { handler, arguments: PhantomData }
    }
}

impl<H: Handler<Arguments>, Arguments: 'static> ErasedEndpoint for Endpoint<H, Arguments> {
    fn call(&self, incoming: &mut Incoming) -> Result<Answering> {
        self.handler.call(incoming)
    }

    fn traits(&self) -> Traits {
        H::TRAITS
    }

    #[cfg(feature = "openapi")]
    fn facts(&self) -> Vec<Fact> {
        H::facts()
    }
}

macro_rules! scope {
    ($type:ident, $variant:ident) => {
        impl Extract for $type {
            const SCOPE: Option<ScopeKind> = Some(ScopeKind::$variant);

            fn extract(incoming: &mut Incoming) -> Result<Self> {
                match incoming.scope.take() {
                    Some(Scope::$variant(scope)) => Ok(scope),
                    _ => Err(Problem::internal("the dispatcher opened another scope")),
                }
            }
        }
    };
}

scope!(AnonymousScope, Anonymous);
scope!(AccountScope, Account);
scope!(PublicTenantScope, PublicTenant);
scope!(TenantScope, Tenant);

/// The tenant that the headers name, for a route whose access does not depend on it.
impl Extract for NamedTenant {
    fn extract(incoming: &mut Incoming) -> Result<Self> {
        Ok(std::mem::take(&mut incoming.named))
    }

    #[cfg(feature = "openapi")]
    fn facts() -> Vec<Fact> {
        vec![Fact::NamesATenant]
    }
}

/// A JSON body.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: Input> Extract for Body<T> {
    fn extract(incoming: &mut Incoming) -> Result<Self> {
        T::decode(incoming.body()?)
            .map(Self)
            .map_err(|faults| Problem::faults(Code::ValidationFailed, faults))
    }

    #[cfg(feature = "openapi")]
    fn facts() -> Vec<Fact> {
        vec![Fact::Body { required: true, schema: T::schema }]
    }
}

/// A JSON body that may be absent.
impl<T: Input> Extract for Option<Body<T>> {
    fn extract(incoming: &mut Incoming) -> Result<Self> {
        if incoming.body.is_empty() { Ok(None) } else { Body::extract(incoming).map(Some) }
    }

    #[cfg(feature = "openapi")]
    fn facts() -> Vec<Fact> {
        vec![Fact::Body { required: false, schema: T::schema }]
    }
}

/// The query parameters.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: Input> Extract for Query<T> {
    fn extract(incoming: &mut Incoming) -> Result<Self> {
        T::decode(incoming.query())
            .map(Self)
            .map_err(|faults| Problem::faults(Code::InvalidParameter, faults))
    }

    #[cfg(feature = "openapi")]
    fn facts() -> Vec<Fact> {
        vec![Fact::Query { schema: T::schema }]
    }
}

/// An id in the path, by its type.
macro_rules! path_id {
    ($type:ident, $name:literal) => {
        impl Extract for $type {
            fn extract(incoming: &mut Incoming) -> Result<Self> {
                incoming.id($name).map(Self)
            }
        }
    };
}

path_id!(ProjectId, "project_id");
path_id!(TaskId, "task_id");
path_id!(CommentId, "comment_id");
path_id!(UserId, "user_id");
path_id!(InvitationId, "invitation_id");
path_id!(NotificationId, "notification_id");
path_id!(DeliveryId, "delivery_id");
path_id!(SessionId, "session_id");
path_id!(ApiKeyId, "api_key_id");
path_id!(IdentityId, "identity_id");
path_id!(TenantId, "tenant_id");
