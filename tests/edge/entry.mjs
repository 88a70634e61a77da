// The Worker as it is deployed, with a switch in front of its D1 (while it is off, every batch fails), faults that befall
// single batches, a count of what batches cost there, a way around it, and a look at the memory of its module.
import { bytes } from "./memory.mjs";
import Bailiwick from "../../edge/entry.mjs";

let outage = false;
const cost = { batches: 0, statements: 0, rows_read: 0, rows_written: 0, size: 0 };
// Batches that have not come to their end.
let running = 0;

async function counted(answer) {
  running += 1;
  const results = await answer.finally(() => (running -= 1));
  cost.batches += 1;
  for (const { meta } of results) {
    cost.statements += 1;
    cost.rows_read += meta.rows_read ?? 0;
    cost.rows_written += meta.rows_written ?? 0;
    cost.size = meta.size_after ?? cost.size;
  }
  return results;
}

// Each befalls one batch that has a statement with the text `like` in it: `error` is thrown, before the batch is run or,
// with `after`, after it was.
let faults = [];

function switched(database) {
  return new Proxy(database, {
    get(target, name) {
      if (name === "batch" && outage) {
        return () => Promise.reject(new Error("D1_ERROR: Network connection lost."));
      }
      if (name === "batch") {
        return async (statements) => {
          const place = faults.findIndex(({ like }) => statements.some(({ statement }) => statement.includes(like)));
          const [fault] = place < 0 ? [] : faults.splice(place, 1);
          if (fault && !fault.after) throw new Error(fault.error);
          const results = await counted(target.batch(statements));
          if (fault) throw new Error(fault.error);
          return results;
        };
      }
      const value = target[name];
      return typeof value === "function" && name !== "constructor" ? value.bind(target) : value;
    },
  });
}

// Windows of 60 seconds of the wall clock end whenever they do: between any two requests of a test. With a
// RATE_LIMIT_PERIOD in days Miniflare's own counters go by that instead; its bindings only refuse to be told.
function unhurried(env) {
  const days = /^(\d+)d$/.exec(env.RATE_LIMIT_PERIOD ?? "")?.[1];
  if (!days) return {};
  const named = (name) => {
    const { fetcher, limitVal: limit } = env[name];
    const ask = (key) => ({ method: "POST", body: JSON.stringify({ key, limit, period: days * 24 * 60 * 60, delta: 1 }) });
    const limited = async ({ key }) => (await fetcher.fetch("http://ratelimit/limit", ask(key))).json();
    return [name, Object.create(env[name], { limit: { value: limited } })];
  };
  return Object.fromEntries(Object.keys(env).filter((name) => name.startsWith("RATE_LIMIT_BY_")).map(named));
}

export default class Switched extends Bailiwick {
  constructor(context, env) {
    super(context, { ...env, ...unhurried(env), DB: switched(env.DB) });
    this.database = env.DB;
  }

  async fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname.startsWith("/__outage/")) {
      outage = pathname.endsWith("/on");
      return new Response(null, { status: 204 });
    }
    if (pathname === "/__memory") {
      return Response.json({ bytes: bytes() });
    }
    if (pathname === "/__cost") {
      return Response.json(cost);
    }
    if (pathname === "/__faults") {
      const left = faults.length;
      ({ faults } = await request.json());
      return Response.json({ left });
    }
    if (pathname === "/__scheduled") {
      await this.scheduled({ cron: "* * * * *" });
      return new Response(null, { status: 204 });
    }
    if (pathname === "/__sql") {
      const { sql, statements } = await request.json();
      try {
        if (statements) {
          await this.database.batch(statements.map((statement) => this.database.prepare(statement)));
          return Response.json({});
        }
        const [columns, ...rows] = await this.database.prepare(sql).raw({ columnNames: true });
        return Response.json({ columns, rows });
      } catch (error) {
        return new Response(String(error), { status: 500 });
      }
    }
    // As a native server does it. What is behind the responses before comes to its end first; its batches follow close upon
    // one another.
    if (request.headers.get("x-fault") === "count") {
      for (let quiet = 0; quiet < 3; quiet = running ? 0 : quiet + 1) await new Promise((resolve) => setTimeout(resolve, 5));
      const before = cost.rows_read;
      const answer = await super.fetch(request);
      const headers = new Headers(answer.headers);
      headers.set("x-visited", cost.rows_read - before);
      return new Response(answer.body, { status: answer.status, headers });
    }
    return super.fetch(request);
  }
}
