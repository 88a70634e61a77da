// The README's tour, through a client that is generated from the description: BAILIWICK=http://.. node tour.js
// The types in ./api.ts are what openapi-typescript makes of core/openapi.json.
import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

type Schemas = components["schemas"];

const baseUrl = process.env["BAILIWICK"] ?? "http://127.0.0.1:8080";
const client = createClient<paths>({ baseUrl });
const unique = `${process.pid}-${Date.now()}`;

/** What came of a request that must succeed. */
async function done<T>(answer: Promise<{ data?: T; error?: Schemas["Problem"] }>): Promise<T> {
  const { data, error } = await answer;
  if (error) throw new Error(`${error.code}: ${error.detail}`);
  return data as T;
}

/** The problem of a request that must be refused. */
async function refused(answer: Promise<{ error?: Schemas["Problem"] }>): Promise<Schemas["Problem"]> {
  const { error } = await answer;
  assert(error, "it was not refused");
  return error;
}

// Register, and log in.
const account = { email: `ada-${unique}@example.com`, name: "Ada", password: "correct horse" };
const ada = await done(client.POST("/v1/auth/register", { body: account }));
assert.equal(ada.email, account.email);
const taken = await refused(client.POST("/v1/auth/register", { body: account }));
assert.equal(taken.code, "email_taken");

const { email, password } = account;
let tokens = await done(client.POST("/v1/auth/login", { body: { email, password } }));
tokens = await done(client.POST("/v1/auth/refresh", { body: { refresh_token: tokens.refresh_token } }));
assert.equal(tokens.token_type satisfies "Bearer", "Bearer");
let slug = "default";
client.use({
  onRequest({ request }) {
    request.headers.set("authorization", `Bearer ${tokens.access_token}`);
    request.headers.set("x-tenant-slug", slug);
    return request;
  },
});

// A tenant, which all that follows is about.
const tenant = await done(client.POST("/v1/tenants", { body: { slug: `acme-${unique}`, name: "Acme" } }));
slug = tenant.slug;
assert.equal(tenant.role satisfies Schemas["Role"], "owner");

// A project is a draft, and a draft cannot be completed; the refusal says what can be done instead.
const project = await done(
  client.POST("/v1/projects", { body: { name: "Moon landing", description: "Before the decade is out." } }),
);
const path = { project_id: project.id };
function move(to: Schemas["ProjectStatus"], comment?: string) {
  // What is optional is left out, and not sent as `undefined`.
  const body: Schemas["TransitionRequest"] = comment === undefined ? { to, revision: project.revision } : { to, comment };
  return client.POST("/v1/projects/{project_id}/transitions", { params: { path }, body });
}
const refusal = await refused(move("completed"));
assert.equal(refusal.code, "transition_not_allowed");
assert.deepEqual(refusal.allowed, ["submitted", "archived"]);

for (const to of ["submitted", "approved", "in_progress"] as const) {
  const moved = await done(move(to));
  assert.equal(moved.status, to);
}

// What is to be done, in which order, and what is said about it.
const tasks = { params: { path } };
const measure = await done(
  client.POST("/v1/projects/{project_id}/tasks", {
    ...tasks,
    body: { title: "Build the rocket", priority: "high", due_on: "2030-03-01" },
  }),
);
await done(client.POST("/v1/projects/{project_id}/tasks", { ...tasks, body: { title: "Hire a crew" } }));
const about = { params: { path: { task_id: measure.id } } };
const comment = await done(
  client.POST("/v1/tasks/{task_id}/comments", { ...about, body: { body: "The engine needs another test." } }),
);
assert.equal(comment.edited_at, null);
const comments = await done(client.GET("/v1/tasks/{task_id}/comments", about));
assert.equal(comments.data[0]?.author_id, ada.id);

// A list, page by page.
const titles: string[] = [];
let cursor: string | null = null;
do {
  const query: { limit: number; order: Schemas["TaskOrder"]; cursor?: string } = { limit: 1, order: "due_on" };
  if (cursor !== null) query.cursor = cursor;
  const page: Schemas["PageOfTask"] = await done(client.GET("/v1/tasks", { params: { query } }));
  titles.push(...page.data.map((task) => task.title));
  cursor = page.next_cursor;
} while (cursor !== null);
assert.deepEqual(titles, ["Build the rocket", "Hire a crew"]);

// A project with open tasks is not completed.
const open = await refused(move("completed"));
assert.equal(open.code, "tasks_open");
const listed = await done(client.GET("/v1/projects/{project_id}/tasks", tasks));
for (const task of listed.data) {
  const params = { path: { task_id: task.id } };
  const changed = await done(client.PATCH("/v1/tasks/{task_id}", { params, body: { status: "done", assignee_id: ada.id } }));
  assert.equal(changed.assignee_id, ada.id);
}
assert.equal((await done(move("completed"))).status, "completed");

// Where it has been, and where Ada may move it now.
const journey = await done(client.GET("/v1/projects/{project_id}/transitions", { params: { path } }));
assert.deepEqual(journey.data.map((moved) => moved.to), ["completed", "in_progress", "approved", "submitted"]);
const back = journey.transitions.find((outlook) => outlook.to === "in_progress");
assert.deepEqual(back?.guards, ["comment"]);
assert.equal((await refused(move("in_progress"))).code, "comment_required");
await done(move("in_progress", "One more flight."));

// Faults are pointed at; and somebody else's tenant looks like one that does not exist.
const invalid = await refused(client.POST("/v1/projects", { body: { name: "" } }));
assert.deepEqual(invalid.errors?.map(({ pointer, code }) => [pointer, code]), [["/name", "too_short"]]);
slug = `somebody-else-${unique}`;
const foreign = await refused(client.GET("/v1/projects"));
assert.equal(foreign.code, "not_a_member");

slug = tenant.slug;
await done(client.DELETE("/v1/projects/{project_id}", { params: { path } }));
console.log(`the tour went well at ${baseUrl}`);
