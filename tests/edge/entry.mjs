// The Worker as it is deployed, with a switch in front of its D1: while it is off, every batch fails.
import Bailiwick from "../../edge/entry.mjs";

let outage = false;

function switched(database) {
  return new Proxy(database, {
    get(target, name) {
      if (name === "batch" && outage) {
        return () => Promise.reject(new Error("D1_ERROR: Network connection lost."));
      }
      const value = target[name];
      return typeof value === "function" && name !== "constructor" ? value.bind(target) : value;
    },
  });
}

export default class Switched extends Bailiwick {
  constructor(context, env) {
    super(context, { ...env, DB: switched(env.DB) });
  }

  async fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname.startsWith("/__outage/")) {
      outage = pathname.endsWith("/on");
      return new Response(null, { status: 204 });
    }
    return super.fetch(request);
  }
}
