// The Worker's entry: the built module, and an answer for when it panics.
//
// A panic ends the module's instance in the middle of an event, whose promise then never settles. The built module
// notes that in a state of its own, from which it starts anew with the next event; here the note also fails the
// events that were in flight.
import Built from "./build/index.js";

const REQUEST_ID = /^[A-Za-z0-9._-]{1,64}$/;
const inFlight = new Set();
let crashed = false;

Object.defineProperty(globalThis.__worker_init_state, "criticalError", {
  get: () => crashed,
  set(value) {
    crashed = value;
    if (crashed) inFlight.forEach((fail) => fail(new Error("the Worker panicked")));
  },
});

export default class Bailiwick extends Built {
  async fetch(request) {
    try {
      return await unlessPanicked(() => super.fetch(request));
    } catch (error) {
      return internalError(request, error);
    }
  }

  // What this throws is logged by the platform, and the event counts as failed.
  async scheduled(event) {
    await unlessPanicked(() => super.scheduled(event));
  }
}

async function unlessPanicked(work) {
  let fail;
  const panic = new Promise((_, reject) => (fail = reject));
  inFlight.add(fail);
  try {
    return await Promise.race([work(), panic]);
  } finally {
    inFlight.delete(fail);
  }
}

function internalError(request, error) {
  const given = request.headers.get("x-request-id") ?? "";
  const request_id = REQUEST_ID.test(given) ? given : crypto.randomUUID();
  console.error(JSON.stringify({ request_id, status: 500, internal: String(error) }));
  const problem = {
    type: "/problems/internal_error",
    title: "Internal error",
    status: 500,
    code: "internal_error",
    detail: "Something went wrong here. It was logged under the `request_id`: give that to the operator.",
    request_id,
  };
  return new Response(JSON.stringify(problem), {
    status: 500,
    headers: {
      "content-type": "application/problem+json",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      "x-request-id": request_id,
    },
  });
}
