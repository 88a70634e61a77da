// What requests cost on D1: batches, and the rows that are read and written, which is what Cloudflare bills. Starts the
// Worker as it was built last: node_modules/.bin/node tests/edge/cost.mjs
// docs/SCALING.md has its figures. Work behind a response (sealing, indexing, sending) counts to the request before it.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const persist = mkdtempSync(join(tmpdir(), "cost-"));
const vars = { JWT_SECRET: "for this measurement alone, 32 bytes", RATE_LIMIT: "100000", RATE_LIMIT_ACCOUNT: "1000", RATE_LIMIT_ADDRESS: "1000", BCRYPT_COST: "4" };
const host = spawn(process.execPath, ["tests/edge/serve.mjs", "--persist", persist, "--vars", JSON.stringify(vars)], {
  stdio: ["pipe", "pipe", "inherit"],
});
const url = await new Promise((resolve) => {
  createInterface({ input: host.stdout }).on("line", (line) => line.includes('"control"') && resolve(JSON.parse(line).url));
});

let token = "";
let tenant = "default";
async function ask(method, path, body) {
  const headers = { "content-type": "application/json", "x-tenant-slug": tenant, ...(token && { authorization: `Bearer ${token}` }) };
  const answer = await fetch(url + path, { method, headers, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.status === 204 ? null : answer.json();
}
// When nothing has been counted for a while, what is behind the response is through, too.
async function settled() {
  for (let before; ; ) {
    const now = await (await fetch(`${url}/__cost`)).json();
    if (before && JSON.stringify(before) === JSON.stringify(now)) return now;
    before = now;
    await new Promise((resolve) => setTimeout(resolve, 400));
  }
}
async function measure(what, times, act) {
  const before = await settled();
  for (let n = 0; n < times; n++) await act(n);
  const after = await settled();
  const each = (name) => ((after[name] - before[name]) / times).toFixed(1).padStart(9);
  console.log(`${what.padEnd(44)}${["batches", "statements", "rows_read", "rows_written"].map(each).join("")}`);
  return after;
}

console.log("each request".padEnd(44) + ["batches", "statem.", "read", "written"].map((name) => name.padStart(9)).join(""));
await ask("POST", "/v1/auth/register", { email: "a@example.com", name: "A", password: "correct horse" });
await measure("POST /v1/auth/login", 10, async () => {
  token = (await ask("POST", "/v1/auth/login", { email: "a@example.com", password: "correct horse" })).access_token;
});
await ask("POST", "/v1/tenants", { slug: "acme", name: "Acme" });
tenant = "acme";
let project;
await measure("POST /v1/projects", 20, async (n) => {
  project = (await ask("POST", "/v1/projects", { name: `Bridge ${n}`, description: "Over the river and into the trees" })).id;
});
const before = await settled();
const bulk = Array.from({ length: 100 }, (_, n) => ({ op: "create", title: `Measure pier ${n}`, description: "Twice, from both banks of the river" }));
await measure("POST ../tasks/bulk, 100 new tasks", 50, () => ask("POST", `/v1/projects/${project}/tasks/bulk`, { operations: bulk }));
const after = await settled();
await measure("GET /v1/projects/{project_id}", 20, () => ask("GET", `/v1/projects/${project}`));
await measure("GET /v1/projects (20 of 20)", 20, () => ask("GET", "/v1/projects"));
const tasks = (await ask("GET", "/v1/tasks?limit=100")).data;
await measure("GET /v1/tasks (20 of 5000)", 20, () => ask("GET", "/v1/tasks"));
await measure("GET /v1/tasks?q= (finds 20 of 5000)", 20, () => ask("GET", "/v1/tasks?q=pier"));
await measure("GET /v1/tasks?q= (finds nothing)", 20, () => ask("GET", "/v1/tasks?q=tunnel"));
await measure("PATCH /v1/tasks/{task_id}", 20, (n) => ask("PATCH", `/v1/tasks/${tasks[n].id}`, { status: "done" }));
await measure("POST /v1/tasks/{task_id}/comments", 20, (n) => ask("POST", `/v1/tasks/${tasks[n].id}/comments`, { body: "Done, and done well" }));
await measure("GET /readyz", 20, () => ask("GET", "/readyz"));
console.log(`a task with its entry in the activity log: ${Math.round((after.size - before.size) / 5000)} bytes`);
host.stdin.end();
host.on("exit", () => rmSync(persist, { recursive: true, force: true }));
