// One operation: what it takes and gives, as a command line, and a form that sends it.
import { curl, resolve, seen, send } from "./api.js";
import { code, field, h, inline, prose } from "./dom.js";
import { choices, describe, example, limits, typeOf } from "./schema.js";
import { follow } from "./session.js";

// Who may call it, in a few words.
export function who({ rule, role }) {
  switch (rule) {
    case "public": return "anybody";
    case "anyone_in_tenant": return "anybody, of a tenant";
    case "signed_in": return "logged in";
    default: return role === "owner" ? "owners" : `${role}s and up`;
  }
}

export const badge = (method) => h(`span.method.${method.toLowerCase()}`, {}, method);

// The operation, closed; what is in it is made when it is opened.
export function operationView(operation) {
  const details = h("details.operation", { id: `op-${operation.id}` },
    h("summary", {}, badge(operation.method), h("code.path", {}, breakable(operation.path)),
      h("span.summary", {}, operation.summary), h("span.who", {}, who(operation.access))));
  details.addEventListener("toggle", () => {
    if (!details.open) return;
    if (details.children.length === 1) details.append(body(operation));
    // What was seen in the meantime saves typing.
    for (const input of details.querySelectorAll("input[required]")) {
      if (input.value || !seen.has(input.name)) continue;
      input.value = seen.get(input.name);
      input.dispatchEvent(new Event("input", { bubbles: true }));
    }
  });
  return details;
}

// A path may be broken before each of its slashes.
export const breakable = (path) => path.split(/(?=\/)/).flatMap((part) => [h("wbr"), part]);

function body(operation) {
  return h("div.inside", {},
    h("div.told", {}, prose(operation.description), takes(operation), gives(operation)),
    tryIt(operation));
}

function takes({ parameters, requestBody }) {
  const schema = requestBody && resolve(requestBody).content?.["application/json"]?.schema;
  return [
    parameters.length > 0 && [
      h("h3.minor", {}, "Parameters"),
      h("ul.members", {}, parameters.map((parameter) => {
        const allowed = limits(parameter.schema);
        return h("li", {},
          h("code", {}, parameter.name), " ", h("span.type", {}, `${typeOf(parameter.schema)}, ${parameter.in}`),
          parameter.required && h("span.required", {}, "required"),
          (parameter.description || allowed) &&
            h("div.soft", {}, inline(parameter.description ?? ""), " ", inline(allowed && `(${allowed})`)));
      })),
    ],
    schema && [h("h3.minor", {}, "Body"), describe(schema) ?? h("p.soft", {}, typeOf(schema))],
  ];
}

// Answers first, then problems: each code leads to its page.
function gives({ responses }) {
  const all = Object.entries(responses).map(([status, response]) => [status, resolve(response)]);
  const good = all.filter(([status]) => status < "400");
  const bad = all.filter(([status]) => status >= "400");
  return [
    h("h3.minor", {}, "Answers"),
    good.map(([status, response]) => {
      const [media, content] = Object.entries(response.content ?? {})[0] ?? [];
      const members = media?.includes("json") && describe(content.schema);
      const title = [h("span.status.good", {}, status), " ", response.description];
      return members
        ? h("details.answer", {}, h("summary", {}, title), members)
        : h("p.answer", {}, title, media && h("span.soft", {}, ` ${Object.keys(response.content).join(", ")}`));
    }),
    bad.length > 0 && h("details.answer", {},
      h("summary", {}, "Problems ", h("span.soft", {}, bad.map(([status]) => status).join(", "))),
      h("ul.members", {}, bad.flatMap(([status, { description = "" }]) =>
        description.split(/\n\n+/).map((text) => {
          const named = /^`(\w+)`: ([^]*)$/.exec(text);
          const link = named && h("a", { href: `/problems/${named[1]}` }, h("code", {}, named[1]));
          return h("li", {}, h("span.status", {}, status), " ", link, h("div.soft", {}, inline(named ? named[2] : text)));
        })))),
  ];
}

function control({ name, schema, required }) {
  const { schema: found } = choices(schema);
  if (found.enum || found.type === "boolean") {
    const values = found.enum ?? ["true", "false"];
    return h("select", { name, required }, !required && h("option", { value: "" }, ""), values.map((one) => h("option", {}, String(one))));
  }
  return h("input", { name, required, placeholder: typeOf(schema), autocomplete: "off", spellcheck: "false" });
}

function tryIt(operation) {
  const inputs = operation.parameters.map((parameter) => ({ parameter, input: control(parameter) }));
  const slug = inputs.find(({ parameter }) => parameter.name === "X-Tenant-Slug")?.input;
  const content = operation.requestBody && resolve(operation.requestBody).content?.["application/json"];
  const text = content && h("textarea", { name: "body", rows: "7", spellcheck: "false" }, JSON.stringify(prefilled(content), null, 2));
  const line = code("", "the command line");
  const result = answerPlace();
  const button = h("button", { type: "submit" }, "Send");
  const needsLogin = !["public", "anyone_in_tenant"].includes(operation.access.rule);
  const warning = h("p.soft.login-first", {}, "Log in first, with the button at the top.");

  const request = () => {
    let path = operation.path;
    const query = new URLSearchParams();
    const headers = {};
    for (const { parameter: { name, in: place }, input: { value } } of inputs) {
      if (place === "path") path = path.replace(`{${name}}`, value ? encodeURIComponent(value) : `{${name}}`);
      else if (value !== "" && place === "query") query.append(name, value);
      else if (value !== "") headers[name] = value;
    }
    return { method: operation.method, path: query.size ? `${path}?${query}` : path, headers, body: text?.value };
  };
  const update = () => line.set(curl(request(), needsLogin));
  const form = h("form.try", {
    input: update,
    submit: async (event) => {
      event.preventDefault();
      button.disabled = true;
      result.show(await send(request()));
      button.disabled = false;
    },
  },
    h("h3.minor", {}, "Try it"),
    inputs.map(({ parameter, input }) => field([h("code", {}, parameter.name), parameter.required && h("span.required", {}, "required")], input)),
    text && field("Body (JSON)", text),
    needsLogin && warning,
    h("p", {}, button),
    result.element,
    h("details.answer", {}, h("summary", {}, "As a command"), line));
  follow((session) => {
    warning.hidden = Boolean(session);
    if (slug && !slug.dataset.edited) slug.value = session?.tenant ?? "";
    update();
  });
  slug?.addEventListener("input", () => (slug.dataset.edited = "yes"));
  return form;
}

function prefilled({ schema, example: given, examples }) {
  return given ?? Object.values(examples ?? {})[0]?.value ?? example(schema);
}

// Where answers are shown. What came is read out in a few words, and not all of it.
export function answerPlace() {
  const said = h("p.hidden", { role: "status" });
  const shown = h("div.result");
  return {
    element: h("div", {}, said, shown),
    show(answer) {
      said.textContent = answer.failed ? "No answer" : `${answer.status} ${answer.body?.title ?? ""}`;
      shown.replaceChildren(answerView(answer));
    },
  };
}

// An answer, with a problem laid out.
function answerView(answer) {
  if (answer.failed) return h("p.bad", {}, `No answer: ${answer.failed}`);
  const { status, time, headers, text, body } = answer;
  const problem = headers.get("content-type")?.startsWith("application/problem+json");
  const shown = body === undefined ? text : JSON.stringify(body, null, 2);
  const list = [...headers].map(([name, value]) => `${name}: ${value}`).join("\n");
  return h("div.reply", {},
    h("p.head", {}, h(`span.status${status < 400 ? ".good" : ""}`, {}, status), h("span.soft", {}, `${Math.round(time)} ms`)),
    problem && problemView(body),
    shown && h("details.answer", { open: !problem }, h("summary", {}, "Body"), code(shown, "the body")),
    h("details.answer", {}, h("summary", {}, "Headers"), code(list, "the headers")));
}

const TOLD = ["type", "title", "status", "code", "detail", "request_id", "errors"];

function problemView(problem) {
  const more = Object.entries(problem).filter(([name]) => !TOLD.includes(name));
  return h("div.problem", {},
    h("p", {}, h("strong", {}, problem.title), h("br"), inline(problem.detail)),
    problem.errors && h("ul", {}, problem.errors.map(({ pointer, detail }) => h("li", {}, h("code", {}, pointer || "/"), " ", inline(detail)))),
    more.length > 0 && h("dl", {}, more.map(([name, value]) => [h("dt", {}, h("code", {}, name)), h("dd", {}, [value].flat().join(", "))])),
    h("p", {}, h("a", { href: problem.type }, "What ", h("code", {}, problem.code), " means, and what to do")));
}
