// Serves the built Worker in workerd, on a D1 of its own, for the tests:
//   node tests/edge/serve.mjs --persist DIRECTORY [--vars JSON] [--first FILE]
// FILE has statements, as a JSON array, that are run when the first migration was and the others were not.
// Prints one line of JSON when it is ready: where the Worker answers, and where its D1, whose file is below DIRECTORY, can
// be asked directly (POST /sql, a statement or several in one batch), switched off and on (POST /outage) and made to fail
// now and then (POST /faults, answered with how many of the faults before have not befallen anything), and its cron trigger
// set off (POST /scheduled, answered when the handler is through). Ends when its standard input does.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { controlled } from "../control.mjs";

const { values: options } = parseArgs({ options: { persist: { type: "string" }, vars: { type: "string", default: "{}" }, first: { type: "string" } } });
const vars = JSON.parse(options.vars);
const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const file = (path) => join(root, path);
const esModule = (path) => ({ type: "ESModule", path: file(path) });
const wrangler = readFileSync(file("wrangler.toml"), "utf8");
// The first setting of that name, whose value is JSON as much as TOML.
const setting = (name) => JSON.parse(new RegExp(`^${name} = (.*)`, "m").exec(wrangler)[1]);

const miniflare = new Miniflare(
  convertV4MiniflareOptions({
    host: "127.0.0.1",
    port: 0,
    modulesRoot: root,
    modules: [
      esModule("tests/edge/entry.mjs"),
      esModule("tests/edge/memory.mjs"),
      esModule("edge/entry.mjs"),
      esModule("edge/build/index.js"),
      { type: "CompiledWasm", path: file("edge/build/index_bg.wasm") },
    ],
    compatibilityDate: setting("compatibility_date"),
    compatibilityFlags: setting("compatibility_flags"),
    bindings: vars,
    d1Databases: { DB: "bailiwick" },
    assets: {
      directory: file(setting("directory")),
      binding: setting("binding"),
      run_worker_first: setting("run_worker_first"),
      routerConfig: { has_user_worker: true },
      assetConfig: { html_handling: setting("html_handling"), not_found_handling: setting("not_found_handling") },
    },
    ratelimits: Object.fromEntries(
      [...wrangler.matchAll(/^name = "(RATE_\w+)"\nnamespace_id = "(\d+)"\nsimple = { limit = (\d+), period = (\d+) }/gm)].map(
        ([, name, namespace_id, limit, period]) => [
          name,
          // The period of another length is entry.mjs' business: Miniflare takes those that Cloudflare has.
          { namespace_id, simple: { limit: Number(vars[name.replace("_BY_REQUESTS", "").replace("_BY_", "_")] ?? limit), period: Number(period) } },
        ],
      ),
    ),
    // The tests read D1's file below it.
    resourcePersistencePath: options.persist,
  }),
);

const url = String(await miniflare.ready).replace(/\/$/, "");
const database = await miniflare.getD1Database("DB");
for (const name of readdirSync(file("migrations/sqlite")).sort()) {
  // D1 takes statements, not scripts; none of ours has a semicolon at the end of a line but as its own end.
  const script = readFileSync(file(`migrations/sqlite/${name}`), "utf8").replace(/^--.*$/gm, "");
  const statements = script.split(/;\s*$/m).map((statement) => statement.trim()).filter(Boolean);
  await database.batch(statements.map((statement) => database.prepare(statement)));
  if (options.first && name.startsWith("0001_")) {
    const first = JSON.parse(readFileSync(options.first, "utf8"));
    await database.batch(first.map((statement) => database.prepare(statement)));
  }
}

// Asks the Worker, by a connection of its own: workerd closes one that was idle for 5 seconds, perhaps just when something
// is sent on it.
const asked = (path, options = {}) => fetch(`${url}${path}`, { ...options, headers: { connection: "close" } });

async function control(path, body) {
  if (path === "/sql") {
    // Not through Miniflare: its own way to D1 stops this process until workerd has answered, and workerd may be
    // waiting for this process to read its log.
    const answer = await asked("/__sql", { method: "POST", body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(await answer.text());
    return answer.json();
  }
  if (path === "/outage") {
    await asked(`/__outage/${body.on ? "on" : "off"}`);
    return {};
  }
  if (path === "/faults") {
    const answer = await asked("/__faults", { method: "POST", body: JSON.stringify(body) });
    return answer.json();
  }
  if (path === "/scheduled") {
    const answer = await asked("/__scheduled");
    if (answer.status !== 204) throw new Error(await answer.text());
    return {};
  }
  throw new Error(`there is no ${path}`);
}

const server = controlled(control);
server.listen(0, "127.0.0.1", () => {
  console.log(JSON.stringify({ url, control: `http://127.0.0.1:${server.address().port}` }));
});

async function stop() {
  server.close();
  await miniflare.dispose();
  process.exit(0);
}
process.stdin.resume().on("end", stop);
process.on("SIGTERM", stop);
