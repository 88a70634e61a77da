// JSON schemas, for people: what a value looks like, and an example of it.
import { resolve } from "./api.js";
import { h, inline } from "./dom.js";

const DEPTH = 4;

// A schema without `null` among its choices, and whether it was there.
export function choices(schema) {
  const found = resolve(schema);
  const any = found.anyOf ?? found.oneOf;
  if (any) {
    const rest = any.filter((one) => one.type !== "null");
    const { anyOf, oneOf, ...beside } = found;
    const only = rest.length === 1 ? { ...resolve(rest[0]), ...beside } : { ...beside, any: rest };
    return { schema: only, nullable: rest.length < any.length };
  }
  if (Array.isArray(found.type)) {
    const rest = found.type.filter((type) => type !== "null");
    return { schema: { ...found, type: rest.length === 1 ? rest[0] : rest }, nullable: rest.length < found.type.length };
  }
  return { schema: found, nullable: false };
}

export function typeOf(given) {
  const { schema, nullable } = choices(given);
  const name = schema.any
    ? schema.any.map(typeOf).join(" or ")
    : schema.type === "array"
      ? `list of ${typeOf(schema.items)}`
      : schema.format && schema.type === "string" ? schema.format : (schema.type ?? "any");
  return nullable ? `${name} or null` : String(name);
}

// What values are allowed, in words.
export function limits(given) {
  const { schema } = choices(given);
  const words = [];
  if (schema.enum) words.push(`one of ${schema.enum.map((value) => `\`${value}\``).join(", ")}`);
  if (schema.const !== undefined) words.push(`always \`${schema.const}\``);
  const range = (least, most, of) => {
    if (least != null && most != null) words.push(`${least} to ${most}${of}`);
    else if (most != null) words.push(`at most ${most}${of}`);
    else if (least != null) words.push(`at least ${least}${of}`);
  };
  range(schema.minLength, schema.maxLength, " characters");
  range(schema.minimum, schema.maximum, "");
  range(schema.minItems, schema.maxItems, " items");
  if (schema.default !== undefined && schema.default !== null) words.push(`\`${schema.default}\` if absent`);
  return words.join("; ");
}

// The members of an object, and theirs.
export function describe(given, depth = 0) {
  const { schema } = choices(given);
  const inner = schema.type === "array" ? choices(schema.items).schema : schema;
  const members = Object.entries(inner.properties ?? {});
  if (!members.length || depth > DEPTH) return null;
  return h("ul.members", {}, members.map(([name, member]) => {
    const required = inner.required?.includes(name);
    const allowed = limits(member);
    const description = choices(member).schema.description;
    return h("li", {},
      h("code", {}, name), " ", h("span.type", {}, typeOf(member)), required && h("span.required", {}, "required"),
      (description || allowed) && h("div.soft", {}, inline(description ?? ""), description && allowed && " ", inline(allowed && `(${allowed})`)),
      describe(member, depth + 1));
  }));
}

// A value that fits, where schemas say so much. Members that may be left out are, unless there are no others.
export function example(given, name = "", depth = 0) {
  const { schema } = choices(given);
  const told = schema.example ?? schema.examples?.[0] ?? schema.const ?? schema.enum?.[0];
  if (told !== undefined) return told;
  if (schema.any) return example(schema.any[0], name, depth);
  if (schema.type === "array") return depth > DEPTH ? [] : [example(schema.items, name, depth + 1)];
  if (schema.properties) {
    const members = Object.entries(schema.properties);
    const plain = members.find(([, of]) => !choices(of).nullable && typeOf(of) !== "uuid");
    const wanted = schema.required?.length ? members.filter(([member]) => schema.required.includes(member)) : [plain ?? members[0]];
    return Object.fromEntries(wanted.map(([member, of]) => [member, example(of, member, depth + 1)]));
  }
  return leaf(schema, name);
}

function leaf({ type, format, minimum, pattern }, name) {
  if (type === "integer" || type === "number") return minimum ?? 1;
  if (type === "boolean") return true;
  if (type !== "string") return {};
  switch (format) {
    case "uuid": return "00000000-0000-7000-8000-000000000000";
    case "email": return "ada@example.com";
    case "password": return "correct horse battery";
    case "date": return "2030-03-01";
    case "date-time": return "2030-03-01T09:30:00.000Z";
    case "uri": return "https://example.com/";
  }
  if (pattern?.startsWith("^[a-z0-9-]")) return "bridges";
  return name ? `A ${name.replaceAll("_", " ")}` : "text";
}
