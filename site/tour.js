// The first steps: from nothing to a project and a refusal that explains itself.
import { accountForm } from "./account.js";
import { answerPlace } from "./answer.js";
import { ask } from "./api.js";
import { code, h, inline } from "./dom.js";
import { enter, follow } from "./session.js";

// The steps. Each but the first is a request that anybody could send; what it needs of the one before is kept in `made`.
const STEPS = [
  {
    title: "Create a project",
    text: "A new project is a draft. Only its name is required.",
    request: () => ["POST", "/v1/projects", { name: "Bridge", description: "Over the river" }],
    done: (made, answer) => (made.project = answer.body.id),
  },
  {
    title: "Submit it",
    text: "Members submit drafts; managers approve them. One table defines the whole workflow.",
    request: (made) => ["POST", `/v1/projects/${made.project}/transitions`, { to: "submitted" }],
  },
  {
    title: "Try an invalid transition",
    text: "A submitted project cannot be completed yet. The answer is a problem with a stable `code`. Its `allowed` lists the possible statuses, and its `type` links to the explanation.",
    request: (made) => ["POST", `/v1/projects/${made.project}/transitions`, { to: "completed" }],
    refused: true,
  },
];

const TENANT = {
  title: "Create a tenant",
  text: "You do not belong to a tenant yet. Create one, and you own it. Requests name it in a header, which this page then sends.",
  request: () => ["POST", "/v1/tenants", { slug: `bridges-${Math.random().toString(36).slice(2, 8)}`, name: "Bridges" }],
  done: (made, answer) => enter(answer.body.slug),
};

export function tour() {
  const account = h("div.account-place", {}, accountForm());
  const hello = h("p", {});
  const first = h("li", {}, h("h3", {}, "Register, or log in"), hello, account);
  const list = h("ol.tour", {}, first);
  let key;
  follow((session) => {
    account.hidden = Boolean(session);
    hello.replaceChildren(...(session ? ["You are logged in as ", h("strong", {}, session.user.name), ". Your access token goes with every request from this page."] : ["The page keeps your tokens for this tab only."]));
    first.classList.toggle("done", Boolean(session));
    // Somebody else begins anew; who has just got their first tenant goes on.
    const changed = session ? session.user.id : "";
    if (changed === key) return;
    key = changed;
    list.replaceChildren(first, ...steps(session));
  });
  return list;
}

function steps(session) {
  const made = {};
  const wanted = session && !session.tenants.length ? [TENANT, ...STEPS] : STEPS;
  const views = wanted.map((step) => stepView(step, made, () => views[views.findIndex(({ of }) => of === step) + 1]?.enable()));
  if (session) views[0].enable();
  return views.map(({ element }) => element);
}

function stepView(step, made, next) {
  const result = answerPlace();
  const line = h("div");
  const button = h("button", {
    type: "button", disabled: true,
    click: async () => {
      button.disabled = true;
      const [method, path, body] = step.request(made);
      line.replaceChildren(code(`${method} ${path}\n${JSON.stringify(body)}`, "the request"));
      const answer = await ask(method, path, body);
      result.show(answer);
      button.disabled = false;
      const worked = step.refused ? answer.status === 409 : answer.status < 400;
      element.classList.toggle("done", worked);
      if (!worked) return;
      await step.done?.(made, answer);
      next();
    },
  }, step.title);
  const element = h("li", {}, h("h3", {}, step.title), h("p", {}, inline(step.text)), h("p", {}, button), line, result.element);
  return { of: step, element, enable: () => (button.disabled = false) };
}
