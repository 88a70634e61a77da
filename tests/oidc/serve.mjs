// A real OpenID provider (oidc-provider), for the tests:
//   node tests/oidc/serve.mjs
// Prints one line of JSON when it is ready: the issuer, and where it can be told what to do (`control`, all POST):
//   /token   logs somebody in by the authorization code flow, over HTTP, and answers with their tokens
//   /sign    signs any header and claims with the provider's keys, or others, for tokens as no provider makes them
//   /rotate  restarts the provider with new keys; it still shows the old ones if told so
//   /outage  has it answer 503 where its keys are, or no more
//   /keys    the keys that it shows
// Ends when its standard input does.
import { createHash, createHmac, createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { createServer } from "node:http";
import Provider from "oidc-provider";
import { controlled } from "../control.mjs";

// It warns of what makes it unfit for production, which a test's provider need not be.
console.info = console.warn = () => {};

const AUDIENCE = "bailiwick";
const RESOURCE = "urn:bailiwick:api";
const REDIRECT = "https://client.example/callback";
const ALGORITHMS = {
  RS256: ["rsa", { modulusLength: 2048 }],
  ES256: ["ec", { namedCurve: "P-256" }],
  EdDSA: ["ed25519", {}],
};

let generation = 0;
function newKeys() {
  generation += 1;
  return Object.entries(ALGORITHMS).map(([alg, [type, options]]) => ({
    ...generateKeyPairSync(type, options).privateKey.export({ format: "jwk" }),
    kid: `${alg}-${generation}`,
    alg,
    use: "sig",
  }));
}

// Those who have an account at the provider, by their subject.
const accounts = new Map();
// A client for each algorithm of access tokens; the ID tokens of the first one are for us.
const clients = [
  { client_id: AUDIENCE, id_token_signed_response_alg: "RS256" },
  ...Object.keys(ALGORITHMS).map((alg) => ({ client_id: alg, id_token_signed_response_alg: alg })),
].map((client) => ({ ...client, redirect_uris: [REDIRECT], token_endpoint_auth_method: "none" }));

function start(issuer, keys) {
  const provider = new Provider(issuer, {
    jwks: { keys },
    clients,
    cookies: { keys: [randomBytes(32).toString("hex")] },
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
    scopes: ["openid", "email", "profile"],
    conformIdTokenClaims: false,
    findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub, ...accounts.get(sub) }) }),
    extraTokenClaims: (_, token) => accounts.get(token.accountId),
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    features: {
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_, __, client) => ({
          scope: "api",
          audience: AUDIENCE,
          accessTokenFormat: "jwt",
          jwt: { sign: { alg: client.clientId } },
        }),
      },
    },
    // Nobody is asked for their consent.
    async loadExistingGrant(context) {
      const { client, session } = context.oidc;
      const grant = new context.oidc.provider.Grant({ clientId: client.clientId, accountId: session.accountId });
      grant.addOIDCScope("openid email profile");
      grant.addResourceScope(RESOURCE, "api");
      await grant.save();
      return grant;
    },
  });
  const answer = provider.callback();
  return async (request, response) => {
    // What goes wrong with one request is told to whoever made it, and ends nothing else.
    try {
      if (!request.url.startsWith("/interaction/")) return await answer(request, response);
      const { params } = await provider.interactionDetails(request, response);
      await provider.interactionFinished(request, response, { login: { accountId: params.login_hint } });
    } catch (error) {
      if (!response.headersSent) response.statusCode = 500;
      response.end(String(error));
    }
  };
}

const listen = (server) => {
  // As in control.mjs.
  server.keepAliveTimeout = 10 * 60 * 1000;
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(`http://127.0.0.1:${server.address().port}`)));
};

let outage = false;
let current;
const issuer = await listen(
  createServer((request, response) => {
    if (outage && request.url === "/jwks") {
      response.statusCode = 503;
      return response.end();
    }
    return current(request, response);
  }),
);
let keys = newKeys();
let shown = keys;
current = start(issuer, keys);

// The authorization code flow with PKCE, as a browser and a client go through it.
async function token({ client, account: { sub, ...claims }, id }) {
  accounts.set(sub, claims);
  const cookies = new Map();
  const verifier = randomBytes(32).toString("base64url");
  const query = new URLSearchParams({
    client_id: client,
    response_type: "code",
    redirect_uri: REDIRECT,
    scope: `openid email profile${id ? "" : " api"}`,
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
    login_hint: sub,
    ...(id ? {} : { resource: RESOURCE }),
  });
  let url = new URL(`/auth?${query}`, issuer);
  while (!url.href.startsWith(REDIRECT)) {
    const cookie = [...cookies].map((pair) => pair.join("=")).join("; ");
    const response = await fetch(url, { redirect: "manual", headers: { cookie } });
    for (const set of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]*)=([^;]*)/.exec(set);
      cookies.set(name, value);
    }
    const location = response.headers.get("location");
    if (!location) throw new Error(`${url} answered ${response.status}: ${await response.text()}`);
    url = new URL(location, url);
  }
  const code = url.searchParams.get("code");
  if (!code) throw new Error(`the provider refused: ${url.search}`);
  const body = new URLSearchParams({
    grant_type: "authorization_code",
    client_id: client,
    redirect_uri: REDIRECT,
    code,
    code_verifier: verifier,
    ...(id ? {} : { resource: RESOURCE }),
  });
  const response = await fetch(new URL("/token", issuer), { method: "POST", body });
  if (!response.ok) throw new Error(`no tokens: ${await response.text()}`);
  return response.json();
}

function signature(how, message) {
  const own = (alg) => keys.find((key) => key.alg === alg);
  const asymmetric = (jwk, alg) => {
    const key = createPrivateKey({ key: jwk, format: "jwk" });
    return sign(alg === "EdDSA" ? null : "sha256", message, { key, dsaEncoding: "ieee-p1363" });
  };
  const stranger = (alg) => generateKeyPairSync(...ALGORITHMS[alg]).privateKey.export({ format: "jwk" });
  const publicKey = (alg) => createPublicKey({ key: own(alg), format: "jwk" });
  switch (how.by) {
    case "provider":
      return asymmetric(own(how.alg), how.alg);
    case "stranger":
      return asymmetric(stranger(how.alg), how.alg);
    // The public key as the secret of an HMAC.
    case "public-pem":
      return createHmac("sha256", publicKey(how.alg).export({ format: "pem", type: "spki" })).update(message).digest();
    case "public-der":
      return createHmac("sha256", publicKey(how.alg).export({ format: "der", type: "spki" })).update(message).digest();
    case "public-jwk":
      return createHmac("sha256", JSON.stringify(publicKey(how.alg).export({ format: "jwk" }))).update(message).digest();
    case "nobody":
      return Buffer.alloc(0);
    default:
      throw new Error(`who is ${how.by}?`);
  }
}

async function control(path, body) {
  if (path === "/token") return token(body);
  if (path === "/sign") {
    const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const message = `${part(body.header)}.${part(body.claims)}`;
    return { token: `${message}.${signature(body, Buffer.from(message)).toString("base64url")}` };
  }
  if (path === "/rotate") {
    const old = keys;
    keys = newKeys();
    shown = body.keep ? [...keys, ...old] : keys;
    current = start(issuer, shown);
    return {};
  }
  if (path === "/outage") {
    outage = body.on;
    return {};
  }
  if (path === "/keys") return (await fetch(new URL("/jwks", issuer))).json();
  throw new Error(`there is no ${path}`);
}

console.log(JSON.stringify({ issuer, control: await listen(controlled(control)) }));
process.stdin.resume().on("end", () => process.exit(0));
process.on("SIGTERM", () => process.exit(0));
