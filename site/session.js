// Who is logged in. Tokens are kept for this tab alone (sessionStorage) and sent to this origin alone.
const KEY = "bailiwick.session";
const EARLY_MS = 20_000;
const listeners = new Set();
let session = restored();
let renewing;

function restored() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY));
  } catch {
    return null;
  }
}

function keep(changed) {
  session = changed;
  try {
    if (session) sessionStorage.setItem(KEY, JSON.stringify(session));
    else sessionStorage.removeItem(KEY);
  } catch {
    // Then it ends with this page.
  }
  listeners.forEach((listener) => listener(session));
}

// { user, tenants, tenant (a slug, or ""), expires (ms), ... }, or null.
export const current = () => session;

// Calls back now and after every change.
export function follow(listener) {
  listeners.add(listener);
  listener(session);
}

async function json(method, path, body, token) {
  const headers = { ...(body && { "content-type": "application/json" }), ...(token && { authorization: `Bearer ${token}` }) };
  const response = await fetch(path, { method, headers, body: body && JSON.stringify(body), credentials: "omit", cache: "no-store" });
  const answer = response.status === 204 ? null : await response.json();
  if (!response.ok) throw Object.assign(new Error(answer.detail ?? `status ${response.status}`), { problem: answer });
  return answer;
}

const tokens = (answer) => ({ access: answer.access_token, refresh: answer.refresh_token, expires: Date.now() + answer.expires_in * 1000 });

export const register = (account) => json("POST", "/v1/auth/register", account);

export async function login(email, password) {
  const answer = await json("POST", "/v1/auth/login", { email, password });
  const [user, tenants] = await Promise.all([json("GET", "/v1/me", null, answer.access_token), myTenants(answer.access_token)]);
  keep({ ...tokens(answer), user, tenants, tenant: tenants.some(({ slug }) => slug === "default") ? "" : (tenants[0]?.slug ?? "") });
}

const myTenants = async (token) => (await json("GET", "/v1/tenants?limit=100", null, token)).data;

// Asks anew which tenants there are, and goes on in this one.
export async function enter(slug) {
  const tenants = await myTenants(await bearer());
  keep({ ...session, tenants, tenant: slug });
}

export const use = (slug) => keep({ ...session, tenant: slug });

export async function logout() {
  const { access } = session;
  keep(null);
  // It may have ended already, which is what was wanted.
  await json("POST", "/v1/auth/logout", null, access).catch(() => {});
}

// Renews the tokens. A refresh token is good once, so nobody renews while somebody does. (Another tab may: within seconds
// it gets the same.)
export function renew() {
  renewing ??= json("POST", "/v1/auth/refresh", { refresh_token: session.refresh })
    .then((answer) => session && keep({ ...session, ...tokens(answer) }))
    .catch((error) => {
      // Refused, it will not work again; not reached, it may.
      if (error.problem?.status === 401) keep(null);
      throw error;
    })
    .finally(() => (renewing = undefined));
  return renewing;
}

// The access token, renewed if it is about to expire; null if nobody is logged in.
export async function bearer() {
  if (session && session.expires - EARLY_MS < Date.now()) await renew().catch(() => {});
  return session?.access ?? null;
}

export const tenantHeader = () => (session?.tenant ? { "X-Tenant-Slug": session.tenant } : {});
