// The API as it describes itself, and requests to it.
import { bearer, tenantHeader } from "./session.js";

const PLACES = ["path", "query", "header"];
const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"];
let description;

const among = (list, one, other) => list.indexOf(one) - list.indexOf(other);

export async function load() {
  description = await (await fetch("/openapi.json")).json();
  return description;
}

// What a reference stands for; members beside it (a description) count more than its own.
export function resolve(value) {
  if (!value?.$ref) return value ?? {};
  const { $ref, ...beside } = value;
  const found = $ref.slice(2).split("/").reduce((at, name) => at?.[name.replaceAll("~1", "/").replaceAll("~0", "~")], description);
  return { ...resolve(found), ...beside };
}

// Every operation, by tag, path and method: { id, method, path, tag, access, parameters, ... as the document has it }.
export function operations() {
  const tags = (description.tags ?? []).map(({ name }) => name);
  const all = Object.entries(description.paths).flatMap(([path, methods]) =>
    Object.entries(methods).filter(([method]) => METHODS.includes(method.toUpperCase())).map(([method, operation]) => ({
      ...operation,
      id: operation.operationId,
      method: method.toUpperCase(),
      path,
      tag: operation.tags?.[0] ?? "other",
      access: operation["x-access"] ?? { rule: operation.security?.length ? "signed_in" : "public" },
      parameters: (operation.parameters ?? []).map(resolve).sort((one, other) => among(PLACES, one.in, other.in)),
    })),
  );
  return all.sort((one, other) =>
    among(tags, one.tag, other.tag) || (one.path === other.path ? among(METHODS, one.method, other.method) : one.path < other.path ? -1 : 1));
}

// Ids that answers have shown, by the name of the place in a path that they fit: so that the next form has them already.
export const seen = new Map();

function remember(path, answer) {
  const shown = [answer.headers.get("location"), answer.body?.id && `${path}/${answer.body.id}`, answer.body?.data?.[0]?.id && `${path}/${answer.body.data[0].id}`];
  for (const at of shown.filter(Boolean)) {
    for (const template of Object.keys(description.paths)) {
      const names = [...template.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
      const found = new RegExp(`^${template.replace(/\{\w+\}/g, "([^/?]+)")}$`).exec(at.split("?")[0]);
      if (found && names.length) names.forEach((name, place) => seen.set(name, decodeURIComponent(found[place + 1])));
    }
  }
}

// Sends { method, path, headers, body (text) } in the name of whoever is logged in. The answer:
// { status, time (ms), headers, text, body }, or { failed } if there is none.
export async function send({ method, path, headers = {}, body }) {
  const all = new Headers(headers);
  const token = all.has("authorization") ? null : await bearer();
  if (token) all.set("authorization", `Bearer ${token}`);
  if (body != null && !all.has("content-type")) all.set("content-type", "application/json");
  const began = performance.now();
  try {
    const response = await fetch(path, { method, headers: all, body, credentials: "omit", cache: "no-store" });
    const text = await response.text();
    const answer = { status: response.status, time: performance.now() - began, headers: response.headers, text, body: parsed(text) };
    if (response.ok) remember(path.split("?")[0], answer);
    return answer;
  } catch (error) {
    return { failed: String(error.message ?? error) };
  }
}

// The same with JSON, for what the page itself asks: the tenant in use is named, and the body is an object.
export function ask(method, path, body) {
  return send({ method, path, headers: tenantHeader(), body: body && JSON.stringify(body) });
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

// The request as a command line. The token is a variable, so that it gets into no history.
export function curl({ method, path, headers = {}, body }, authenticated) {
  const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;
  const words = [`curl${method === "GET" ? "" : ` -X ${method}`} ${quoted(location.origin + path)}`];
  if (authenticated) words.push('-H "Authorization: Bearer $TOKEN"');
  for (const [name, value] of Object.entries(headers)) words.push(`-H ${quoted(`${name}: ${value}`)}`);
  if (body != null) words.push("-H 'Content-Type: application/json'", `-d ${quoted(body)}`);
  return words.join(" \\\n  ");
}
