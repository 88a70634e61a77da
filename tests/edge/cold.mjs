// What a cold isolate costs: how long a fresh workerd takes from its start to the first answer, with the Worker as it was
// built last, and with a minimal one in JavaScript. They take turns, because machines are noisy; the medians are compared.
//   node_modules/.bin/node tests/edge/cold.mjs [ROUNDS]
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";

const rounds = Number(process.argv[2] ?? 20);
const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const file = (path) => join(root, path);
const module = (type, path) => ({ type, path: file(path) });
const compatibilityDate = JSON.parse(/^compatibility_date = (.*)/m.exec(readFileSync(file("wrangler.toml"), "utf8"))[1]);

const workers = {
  ours: {
    modulesRoot: root,
    modules: [module("ESModule", "edge/entry.mjs"), module("ESModule", "edge/build/index.js"), module("CompiledWasm", "edge/build/index_bg.wasm")],
    bindings: { JWT_SECRET: "for this measurement alone, 32 bytes" },
    d1Databases: { DB: "bailiwick" },
    assets: { directory: file("site"), binding: "ASSETS", run_worker_first: true, routerConfig: { has_user_worker: true } },
    ratelimits: Object.fromEntries(
      ["REQUESTS", "ACCOUNT", "ADDRESS"].map((by) => [`RATE_LIMIT_BY_${by}`, { namespace_id: "1001", simple: { limit: 1000, period: 60 } }]),
    ),
  },
  minimal: {
    modules: true,
    script: `export default { fetch() { return Response.json({ status: "ok" }); } };`,
  },
};

// From the start of workerd to its first answer, and of that the time after workerd said that it is ready.
async function cold(worker) {
  const begun = performance.now();
  const miniflare = new Miniflare(convertV4MiniflareOptions({ host: "127.0.0.1", port: 0, compatibilityDate, ...worker }));
  const url = await miniflare.ready;
  const ready = performance.now();
  const answer = await fetch(new URL("/healthz", url));
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  await answer.arrayBuffer();
  const answered = performance.now();
  await miniflare.dispose();
  return { whole: answered - begun, first: answered - ready };
}

const taken = { ours: [], minimal: [] };
for (let round = 0; round < rounds; round++) {
  for (const name of round % 2 ? ["ours", "minimal"] : ["minimal", "ours"]) taken[name].push(await cold(workers[name]));
}
const median = (name, what) => taken[name].map((each) => each[what]).sort((a, b) => a - b)[rounds >> 1];
for (const [what, title] of [["whole", "start to first answer"], ["first", "of that, the first answer"]]) {
  const [ours, minimal] = [median("ours", what), median("minimal", what)];
  console.log(`cold start, ${title}: ${ours.toFixed(1)} ms; a minimal Worker in JavaScript ${minimal.toFixed(1)} ms; median of ${rounds}`);
}
