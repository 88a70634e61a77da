// What the API says of itself, and requests to it.
import { bearer, tenantHeader } from "./session.js";

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"];

const among = (list, one, other) => list.indexOf(one) - list.indexOf(other);

// Every operation of the description, by tag, path and method: { method, path, tag, access }.
export function operations({ tags, paths }) {
  const order = tags.map(({ name }) => name);
  const all = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, tag: operation.tags[0], access: operation["x-access"] })),
  );
  return all.sort((one, other) =>
    among(order, one.tag, other.tag) || (one.path === other.path ? among(METHODS, one.method, other.method) : one.path < other.path ? -1 : 1));
}

// Sends a request with JSON in the name of whoever is logged in, for the tenant in use. The answer:
// { status, time (ms), headers, text, body }, or { failed } if there is none.
export async function ask(method, path, body) {
  const headers = new Headers(tenantHeader());
  const token = await bearer();
  if (token) headers.set("authorization", `Bearer ${token}`);
  if (body) headers.set("content-type", "application/json");
  const began = performance.now();
  try {
    const response = await fetch(path, { method, headers, body: body && JSON.stringify(body), credentials: "omit", cache: "no-store" });
    const text = await response.text();
    return { status: response.status, time: performance.now() - began, headers: response.headers, text, body: parsed(text) };
  } catch (error) {
    return { failed: String(error.message ?? error) };
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
