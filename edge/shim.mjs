// The class that the Worker exports, on top of what edge/bindgen made: bundled into edge/build/index.js.
//
// A panic stops the module's instance where it is. The crate `worker` notes that in `state.criticalError`, an error of
// WebAssembly itself (a stack that overflowed, memory that ran out) is noted here, and the next event starts a new one.
import { WorkerEntrypoint } from "cloudflare:workers";
import * as built from "./build/index.js";

// Deep enough for a panic's place, which is far down in the frames of the module.
Error.stackTraceLimit = 100;
const state = built.__worker_init_state();

addEventListener("error", ({ error }) => noteTrap(error));

function noteTrap(error) {
  if (!(error instanceof WebAssembly.RuntimeError)) return;
  console.error("Critical", error);
  state.criticalError = true;
}

async function handled(handle) {
  if (state.criticalError) {
    console.log("Starting the module anew");
    built.__wbg_reset_state();
    state.criticalError = false;
    state.instanceId++;
  }
  try {
    return await handle();
  } catch (error) {
    noteTrap(error);
    throw error;
  }
}

export default class extends WorkerEntrypoint {
  fetch(request) {
    return handled(() => built.fetch.call(this, request, this.env, this.ctx));
  }

  scheduled(event) {
    return handled(() => built.scheduled.call(this, event, this.env, this.ctx));
  }
}
