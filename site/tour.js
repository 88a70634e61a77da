// Logging in, and the first steps: from nothing to a project and a refusal that explains itself.
import { ask } from "./api.js";
import { code, field, h, inline } from "./dom.js";
import { answerPlace } from "./operation.js";
import { enter, follow, login, register } from "./session.js";

// A form to register or to log in.
export function accountForm() {
  const name = h("input", { name: "name", autocomplete: "name", required: true });
  const email = h("input", { name: "email", type: "email", autocomplete: "username", required: true });
  const password = h("input", { name: "password", type: "password", autocomplete: "current-password", required: true });
  const named = field("Name", name);
  const hint = h("p.soft", {}, inline("A password has 8 to 72 bytes. The first person to register owns the tenant `default`."));
  const failed = h("div.failed", { role: "alert" });
  const submit = h("button", { type: "submit" });
  const choose = (mode) => h("button.quiet", { type: "button", "aria-pressed": "false", click: () => become(mode) }, mode === "register" ? "Register" : "Log in");
  const modes = { register: choose("register"), login: choose("login") };
  let mode;
  function become(chosen) {
    mode = chosen;
    for (const [other, button] of Object.entries(modes)) button.setAttribute("aria-pressed", String(other === mode));
    named.hidden = hint.hidden = mode === "login";
    name.required = mode === "register";
    password.autocomplete = mode === "register" ? "new-password" : "current-password";
    submit.textContent = mode === "register" ? "Register and log in" : "Log in";
    failed.replaceChildren();
  }
  become("register");
  return h("form.account", {
    submit: async (event) => {
      event.preventDefault();
      submit.disabled = true;
      failed.replaceChildren();
      try {
        if (mode === "register") await register({ name: name.value, email: email.value, password: password.value });
        // From here on there is an account, whatever becomes of the login.
        become("login");
        await login(email.value, password.value);
        password.value = "";
      } catch (error) {
        const faults = error.problem?.errors ?? [];
        failed.append(h("p.bad", {}, inline(error.message)), h("ul", {}, faults.map(({ pointer, detail }) => h("li", {}, h("code", {}, pointer), " ", inline(detail)))));
      }
      submit.disabled = false;
    },
  }, h("div.modes", { role: "group", "aria-label": "Register or log in" }, Object.values(modes)), named, field("Email", email), field("Password", password), hint, failed, submit);
}

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
