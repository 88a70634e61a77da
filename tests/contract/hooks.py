"""What schemathesis does not know: who asks, in which tenant, and how to come by what a request needs to succeed.

A case whose part (path, query, headers, body) is meant to be right gets the parts of it right that only the service can
know: ids, tokens, the slug of the tenant. Where it is meant to be wrong, it is left as it was generated. What would take
away from under all others what they stand on (their session, the tenant) has people and tenants of its own. The same
case is answered the same each time, or what is played again to be made shorter would be taken for flaky.
`CONTRACT_STAGE` is JSON that tests/contract/fuzz.rs writes.

The bodies themselves are generated from the schemas, so this is no list of bodies: a sample of each would try the one
request that is tried elsewhere. Only an import, whose parts fit each other, is taken from the registry of samples
(native/src/verify/samples.rs).
"""

import hashlib
import itertools
import json
import os
import re
import threading
import time
import uuid
import zlib

import requests
import schemathesis
from hypothesis import strategies as st
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.meta import TestPhase

STAGE = json.loads(os.environ["CONTRACT_STAGE"])
COUNTER = itertools.count()
LOCK = threading.Lock()


def unique(prefix):
    return f"{prefix}-{os.getpid()}-{next(COUNTER)}"


def new_id():
    """An id of version 7, as the service makes them."""
    chance = uuid.uuid4().int & ((1 << 80) - 1)
    return str(uuid.UUID(int=(int(time.time() * 1000) << 80) | (7 << 76) | (chance & ~(0xF << 76) & ~(3 << 62)) | (2 << 62)))


def ask(method, path, token=None, tenant=None, body=None):
    """Asks for something that the stage needs; it must succeed."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    if tenant:
        headers["x-tenant-id"] = tenant
    answer = requests.request(method, STAGE["url"] + path, headers=headers, json=body, timeout=300)
    assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
    return answer.json() if answer.content else None


class Person:
    """Somebody with an account, and a session that is renewed before it ends."""

    def __init__(self, email=None, invitation=None):
        self.email = email
        if email is None:
            self.email = f"{unique('fuzz')}@example.com"
            new = {"email": self.email, "name": "Fuzz", "password": STAGE["password"], "invitation_token": invitation}
            self.id = ask("POST", "/v1/auth/register", body=new)["id"]
        self.since, self.access = 0.0, None

    def session(self):
        return ask("POST", "/v1/auth/login", body={"email": self.email, "password": STAGE["password"]})

    def token(self):
        if time.monotonic() - self.since > 600 or self.access is None:
            self.access, self.since = self.session()["access_token"], time.monotonic()
        return self.access


class Stage:
    """Somebody and a tenant that they own."""

    def __init__(self, person, tenant, slug):
        self.person, self.tenant, self.slug = person, tenant, slug

    @classmethod
    def fresh(cls):
        person, slug = Person(), unique("fuzz")
        tenant = ask("POST", "/v1/tenants", person.token(), body={"slug": slug, "name": "Fuzz"})
        return cls(person, tenant["id"], slug)

    def make(self, path, body):
        return ask("POST", path, self.person.token(), self.tenant, body)

    def admit(self, role):
        """Somebody new in the tenant."""
        invited = Person.__new__(Person)
        invited.email, invited.since, invited.access = f"{unique('fuzz')}@example.com", 0.0, None
        token = self.make("/v1/invitations", {"email": invited.email, "role": "member"})["token"]
        new = {"email": invited.email, "name": "Fuzz", "password": STAGE["password"], "invitation_token": token}
        invited.id = ask("POST", "/v1/auth/register", body=new)["id"]
        if role != "member":
            ask("PATCH", f"/v1/members/{invited.id}", self.person.token(), self.tenant, {"role": role})
        return invited


MAIN = Stage(Person(STAGE["owner"]), STAGE["tenant"], STAGE["slug"])
# Here members come and go, and whoever asks has a new session each time, so that any other can be ended.
PEOPLE = Stage.fresh()
DELIVERIES, RESETS = itertools.cycle(STAGE["deliveries"]), itertools.cycle(STAGE["resets"])

# These have a stage of their own each time that they succeed: they end what others would go on with.
ALONE = {
    "auth_logout", "me_revoke_sessions", "me_change_password", "me_update", "me_delete", "members_leave",
    "tenants_delete", "tenants_configure", "invitations_accept",
}
ON_PEOPLE = {"me_sessions", "me_revoke_session", "members_list", "members_get", "members_person", "members_update", "members_remove"}


def external_token():
    """A token of the identity provider for somebody new."""
    subject = unique("fuzz")
    claims = {"sub": subject, "email": f"{subject}@idp.example", "email_verified": True, "name": "Fuzz"}
    body = {"client": "ES256", "account": claims, "id": False}
    answer = requests.post(STAGE["provider"] + "/token", data=json.dumps(body), timeout=300)
    return answer.json()["access_token"]


def project(stage):
    return stage.make("/v1/projects", {"name": "Fuzz"})["id"]


def task(stage):
    return stage.make(f"/v1/projects/{project(stage)}/tasks", {"title": "Fuzz"})["id"]


def identity(stage):
    return ask("POST", "/v1/me/identities", stage.person.token(), body={"token": external_token()})["id"]


def session(stage):
    token = stage.person.session()["access_token"]
    listed = ask("GET", "/v1/me/sessions", token)["data"]
    return next(session["id"] for session in listed if session["current"])


def of_import(part, tenant):
    """A part of the file with a tenant, as the registry of samples has it."""
    return json.loads(json.dumps(STAGE["import"][part]).replace(STAGE["import"]["tenant"], tenant))


def head(tenant):
    """What a file with a tenant begins with."""
    return of_import("head", tenant)


def rows(tenant):
    """All rows of it."""
    return of_import("rows", tenant)


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def totals(tenant):
    """What it ends with."""
    digest = hashlib.sha256(canonical(head(tenant)).encode()).hexdigest()
    for row in rows(tenant):
        digest = hashlib.sha256((digest + canonical(row)).encode()).hexdigest()
    return {"rows": len(rows(tenant)), "sha256": digest}


def imported(stage, whole):
    """A tenant that is brought in."""
    tenant = new_id()
    ask("POST", "/v1/imports", stage.person.token(), body=head(tenant))
    if whole:
        ask("POST", f"/v1/imports/{tenant}/rows", stage.person.token(), body={"first": 0, "rows": rows(tenant)})
    return tenant


THINGS = {
    "project_id": project,
    "task_id": task,
    "user_id": lambda stage: stage.admit("viewer").id,
    "invitation_id": lambda stage: stage.make("/v1/invitations", {"email": f"{unique('fuzz')}@example.com", "role": "viewer"})["id"],
    "api_key_id": lambda stage: stage.make("/v1/api-keys", {"name": "Fuzz", "role": "viewer"})["id"],
    "notification_id": lambda _: STAGE["notification"],
    "delivery_id": lambda _: next(DELIVERIES),
    "session_id": session,
    "tenant_id": lambda stage: imported(stage, False),
    "identity_id": identity,
}


def ids(operation, stage, names):
    """What the placeholders of a path mean, made for this one case."""
    if operation == "catalogue_get":
        return {"project_id": STAGE["public_project"]}
    if operation == "transfer_finish":
        return {"tenant_id": imported(stage, True)}
    found = {name: THINGS[name](stage) for name in names if name in THINGS}
    if "comment_id" in names:
        found["comment_id"] = stage.make(f"/v1/tasks/{found['task_id']}/comments", {"body": "Fuzz"})["id"]
    return found


# Links lead to the first item of a list, so there is one.
ids("", MAIN, ["task_id", "comment_id", "invitation_id", "api_key_id", "identity_id"])

# What is there afterwards as it was before is made once.
KEPT = {}


def ids_for(operation, method, stage, names, right):
    used_up = method == "DELETE" or operation in ("projects_transition", "admin_retry_delivery", "members_update", "transfer_add", "transfer_finish")
    if used_up and right:
        return ids(operation, stage, names)
    with LOCK:
        if operation not in KEPT:
            KEPT[operation] = ids(operation, stage, names)
        return dict(KEPT[operation])


def tomorrow():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 24 * 3600))


def draw(value):
    """A number that depends on nothing but what was generated."""
    return zlib.crc32(repr(value).encode())


def body_for(operation, stage, body, stateful):
    """A body, with what only the service can know put right."""
    body, half = dict(body), draw(body) % 2
    if stateful and operation == "tenants_create":
        body["slug"] = unique("fuzz")
    elif stateful and operation in ("auth_register", "invitations_create"):
        body["email"] = f"{unique('fuzz')}@example.com"
    elif operation == "auth_login" and half:
        body.update(email=stage.person.email, password=STAGE["password"])
    elif operation == "auth_reset_password" and half:
        body["token"] = next(RESETS)
    elif operation == "auth_refresh" and half and not stateful:
        body["refresh_token"] = stage.person.session()["refresh_token"]
    elif operation == "me_change_password":
        body["current_password"] = STAGE["password"]
    elif operation == "me_link_identity":
        body["token"] = external_token()
    elif operation == "invitations_accept" and half and not stateful:
        host = Stage.fresh()
        body["token"] = host.make("/v1/invitations", {"email": stage.person.email, "role": "viewer"})["token"]
    elif operation == "api_keys_create" and body.get("expires_at"):
        body["expires_at"] = tomorrow()
    elif operation in ("tasks_create", "tasks_update") and body.get("assignee_id"):
        body["assignee_id"] = STAGE["member"]
    elif operation == "tenants_configure":
        # Slack's, or nowhere; and where something goes by Slack, it must be said where that is.
        if body.get("slack_webhook_url") or "slack" in json.dumps(body.get("channels")):
            body["slack_webhook_url"] = "https://hooks.slack.com/services/T000/B000/XXXX"
    return body


def applicable(operation, stage, path):
    """One of many operations on tasks of a project, on a task of its own."""
    operation = dict(operation)
    if operation.get("assignee_id"):
        operation["assignee_id"] = STAGE["member"]
    if operation["op"] != "create":
        url = f"{STAGE['url']}/v1/projects/{path['project_id']}/tasks"
        headers = {"authorization": f"Bearer {stage.person.token()}", "x-tenant-id": stage.tenant}
        made = requests.post(url, headers=headers, json={"title": "Fuzz"}, timeout=300)
        # A link may have led to a project that is gone: then that is what is answered.
        if made.ok:
            operation["id"] = made.json()["id"]
    return operation


STAGES = {}


def is_right(case, location=None):
    """Whether a part of a case is meant to be right; all of it, if none is named."""
    if case.meta is None:
        return True
    return case.meta.generation.mode.is_positive if location is None else not case.meta.is_negative_at(location)


def stage_of(case):
    """The stage that a case plays on, from its authentication to its end."""
    operation = case.operation.definition.raw["operationId"]
    if operation in ON_PEOPLE:
        return PEOPLE
    if operation not in ALONE:
        return MAIN
    key = case.id if is_right(case) else "to be refused"
    with LOCK:
        known = STAGES.get(key)
    if known is None:
        known = Stage.fresh()
        if operation in ("members_leave", "me_delete"):
            known.admit("owner")
        with LOCK:
            STAGES[key] = known
    return known


ABOUT_A_TENANT = set()


@schemathesis.hook
def before_load_schema(context, schema):
    """The slug of the tenant is sent beside the token, and is no credential: what is told of those does not hold for it."""
    schema["components"]["securitySchemes"].pop("tenant")
    for methods in schema["paths"].values():
        for operation in methods.values():
            if any("tenant" in one for one in operation["security"]):
                ABOUT_A_TENANT.add(operation["operationId"])
                operation["security"] = [one for one in operation["security"] if one and "tenant" not in one]


@schemathesis.auth(refresh_interval=None)
class Authentication:
    """Who asks is the owner of the stage."""

    def get(self, case, context):
        if not case.operation.definition.raw["security"]:
            return None
        person = stage_of(case).person
        return person.session()["access_token"] if person is PEOPLE.person else person.token()

    def set(self, case, data, context):
        case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.hook
def before_call(context, case, kwargs):
    operation, stage = case.operation.definition.raw["operationId"], stage_of(case)
    names, method = case.operation.path.replace("}", "{").split("{")[1::2], case.method.upper()
    stateful = case.meta is not None and case.meta.phase.name == TestPhase.STATEFUL
    led = stateful and case._override.path_parameters
    right = {location: is_right(case, location) for location in ParameterLocation}
    # Now and then it is left to be found nowhere.
    somewhere = method != "GET" or draw(case.path_parameters) % 8
    if names and right[ParameterLocation.PATH] and not led and somewhere:
        case.path_parameters.update(ids_for(operation, method, stage, names, is_right(case)))
    if operation == "members_list":
        # Links lead to the first one.
        stage.admit("viewer")
    if operation in ABOUT_A_TENANT:
        if draw((sorted(case.query), case.body)) % 2:
            case.headers["X-Tenant-ID"] = stage.tenant
        else:
            case.headers["X-Tenant-Slug"] = stage.slug
    # Headers that the descriptions tell of. No tag can be made up, and the same key is good for the same request only.
    described = case.operation.definition.raw["description"]
    if "`If-Match` makes" in described and draw(case.body) % 3 == 0:
        case.headers["If-Match"] = "*"
    if "An `Idempotency-Key` makes" in described and draw(case.body) % 2:
        case.headers["Idempotency-Key"] = unique("key")
    if right[ParameterLocation.QUERY] and case.query:
        if "q" in case.query:
            # Letters or digits, and not too many words of them.
            case.query["q"] = next(iter(re.findall(r"[a-z0-9]{1,20}", str(case.query["q"]).lower())), "moon")
        # A cursor is sealed: there is none to make up.
        case.query.pop("cursor", None)
        if "confirm" in case.query:
            case.query["confirm"] = stage.slug
    if operation.startswith("transfer_") and right[ParameterLocation.BODY] and isinstance(case.body, dict):
        tenant = case.path_parameters.get("tenant_id")
        if operation == "transfer_begin":
            case.body = head(new_id())
        elif operation == "transfer_add":
            case.body = {"first": 0, "rows": rows(tenant)}
        elif operation == "transfer_finish":
            case.body = totals(tenant)
    elif right[ParameterLocation.BODY] and isinstance(case.body, dict):
        case.body = body_for(operation, stage, case.body, stateful)
        if operation == "tasks_apply":
            operations = case.body["operations"][:5]
            case.body = {"operations": [applicable(each, stage, case.path_parameters) for each in operations]}


def password(text):
    return 8 <= len(text.encode()) <= 72 and "\0" not in text


# JSON Schema counts characters, bcrypt bytes.
schemathesis.openapi.format("password", st.text(min_size=8, max_size=72).filter(password))


@schemathesis.check
def problem_code_conformance(ctx, response, case):
    """The code of a problem is one of those that the description lists for this status."""
    if response.status_code < 400 or response.status_code == 405:
        return
    declared = case.operation.responses.find_by_status_code(response.status_code)
    if declared is None:
        return
    content = declared.definition["content"]["application/problem+json"]
    code = response.json()["code"]
    assert code in content["examples"], f"{code} is not among {sorted(content['examples'])}"


@schemathesis.check
class EveryOperationSucceeds:
    """Every operation is reached: one that never succeeds was not tested. It tells how often each did."""

    def __init__(self):
        self.answers = {}

    def after_response(self, ctx, response, case):
        with LOCK:
            answers = self.answers.setdefault(case.operation.label, {})
            answers[case.id] = response.status_code

    def after_run(self, ctx):
        never = []
        for label, answers in sorted(self.answers.items()):
            good = sum(200 <= status < 300 for status in answers.values())
            print(f"{good:5} of {len(answers):5} succeeded: {label}")
            if not good:
                never.append(label)
        assert not never, f"never succeeded: {', '.join(never)}"
