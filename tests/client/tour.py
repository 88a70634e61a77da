"""The README's tour, through a client that openapi-generator makes of the description:
PYTHONPATH=generated python tour.py http://..
"""

import json
import os
import sys
import time
from datetime import date

import bailiwick_client as api

url = sys.argv[1]
client = api.ApiClient(api.Configuration(host=url))
unique = f"{os.getpid()}-{time.time_ns()}"


def refused(call, *arguments, **named):
    """The problem of a request that must be refused."""
    try:
        call(*arguments, **named)
    except api.ApiException as refusal:
        return json.loads(refusal.body)
    raise AssertionError("it was not refused")


# Register, log in, and have the tokens renewed.
auth = api.AuthApi(client)
account = api.Registration(email=f"ada-{unique}@example.com", name="Ada", password="correct horse")
ada = auth.auth_register(account)
assert ada.email == account.email
assert refused(auth.auth_register, account)["code"] == "email_taken"
tokens = auth.auth_login(api.Login(email=account.email, password=account.password))
tokens = auth.auth_refresh(api.Refresh(refresh_token=tokens.refresh_token))
client.configuration.access_token = tokens.access_token

# A tenant, which all that follows is about: a header of every request.
tenant = api.TenantsApi(client).tenants_create(api.NewTenant(slug=f"acme-{unique}", name="Acme"))
assert tenant.role == api.Role.OWNER
client.configuration.api_key["tenant"] = tenant.slug

# A project is a draft, and a draft cannot be completed; the refusal says what can be done instead.
projects = api.ProjectsApi(client)
project = projects.projects_create(api.NewProject(name="Moon landing"))


def move(to, comment=None):
    return projects.projects_transition(project.id, api.TransitionRequest(to=to, comment=comment, revision=project.revision))


refusal = refused(move, api.ProjectStatus.COMPLETED)
assert (refusal["code"], refusal["allowed"]) == ("transition_not_allowed", ["submitted", "archived"])
for status in api.ProjectStatus.SUBMITTED, api.ProjectStatus.APPROVED, api.ProjectStatus.IN_PROGRESS:
    assert move(status).status == status

# What is to be done, in which order, and what is said about it.
tasks = api.TasksApi(client)
rocket = api.NewTask(title="Build the rocket", priority=api.Priority.HIGH, due_on=date(2030, 3, 1))
rocket = tasks.tasks_create(project.id, rocket)
assert rocket.due_on == date(2030, 3, 1)
tasks.tasks_create(project.id, api.NewTask(title="Hire a crew"))
comments = api.CommentsApi(client)
comment = comments.comments_create(rocket.id, api.NewComment(body="The engine needs another test."))
assert comment.edited_at is None
assert comments.comments_list(rocket.id).data[0].author_id == ada.id

# A list, page by page.
titles, cursor = [], None
while True:
    page = tasks.tasks_list(limit=1, order=api.TaskOrder.DUE_ON, cursor=cursor)
    titles += [task.title for task in page.data]
    cursor = page.next_cursor
    if cursor is None:
        break
assert titles == ["Build the rocket", "Hire a crew"]

# A project with open tasks is not completed.
assert refused(move, api.ProjectStatus.COMPLETED)["code"] == "tasks_open"
for task in tasks.tasks_list_of_project(project.id).data:
    change = api.TaskPatch(status=api.TaskStatus.DONE, assignee_id=ada.id)
    assert tasks.tasks_update(task.id, change).assignee_id == ada.id
assert move(api.ProjectStatus.COMPLETED).status == api.ProjectStatus.COMPLETED
assert refused(move, api.ProjectStatus.IN_PROGRESS)["code"] == "comment_required"
move(api.ProjectStatus.IN_PROGRESS, "One more flight.")
been = projects.projects_transitions(project.id)
assert [moved.to.value for moved in been.data][:2] == ["in_progress", "completed"]

# Somebody else's tenant looks like one that does not exist.
client.configuration.api_key["tenant"] = f"somebody-else-{unique}"
assert refused(projects.projects_list)["code"] == "not_a_member"
client.configuration.api_key["tenant"] = tenant.slug
projects.projects_delete(project.id)
print(f"the tour went well at {url}")
