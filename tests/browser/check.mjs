// Uses the pages in a headless Chromium, as a newcomer does:
//   node tests/browser/check.mjs --url http://127.0.0.1:8080 --screenshots DIRECTORY
// The service must be fresh: who registers first owns the tenant `default`. Prints what it checks. Ends with 1 at the first
// check that fails, or if the page said an error, broke its Content-Security-Policy or asked another origin for anything.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";

const { values: options } = parseArgs({ options: { url: { type: "string" }, screenshots: { type: "string" } } });
const { origin } = new URL(options.url);
const DESKTOP = { width: 1280, height: 900 };
const PHONE = { width: 390, height: 844 };
const SMALLEST = { width: 360, height: 740 };
const PASSWORD = "correct horse battery";

const directory = mkdtempSync(join(tmpdir(), "bailiwick-chromium-"));
mkdirSync(options.screenshots, { recursive: true });
const context = await chromium.launchPersistentContext(directory, {
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  headless: true,
  args: [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
  ],
  viewport: DESKTOP,
  colorScheme: "light",
});
// No measure of speed: what does not happen in this time never does.
const PATIENCE = 5 * 60_000;
context.setDefaultTimeout(PATIENCE);
const page = context.pages()[0] ?? (await context.newPage());

// What must not happen. A refusal that was asked for is a line in the console, too.
const complaints = [];
let refusals = 0;
context.on("request", (request) => {
  if (new URL(request.url()).origin !== origin) complaints.push(`asked ${request.url()}`);
});
page.on("pageerror", (error) => complaints.push(`threw ${error}`));
page.on("console", (message) => {
  if (!["error", "warning"].includes(message.type())) return;
  if (refusals > 0 && /status of 4\d\d/.test(message.text())) refusals -= 1;
  else complaints.push(`said ${message.text()}`);
});
await page.addInitScript(() => {
  document.addEventListener("securitypolicyviolation", (event) => console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`));
});

async function check(what, work) {
  await work();
  assert.deepEqual(complaints, [], what);
  console.log(`  ${what}`);
}

const open = async (path) => {
  await page.goto(options.url + path);
  if (/^\/(docs|start)/.test(path)) await page.waitForSelector("body[data-ready]");
};
const picture = async (name, whole = false) => {
  // A frame of the present size has been shown when the one after the next is asked for.
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
  const take = () => page.screenshot({ path: join(options.screenshots, `${name}.png`), fullPage: whole });
  // Chromium says so when it has no frame to show yet, and tells nobody when it has one. Nothing is checked by pictures.
  for (const since = Date.now(); ; await page.waitForTimeout(100)) {
    try {
      return await take();
    } catch (error) {
      if (!/Unable to capture screenshot/.test(error) || Date.now() - since > PATIENCE) throw error;
    }
  }
};
const step = (title) => page.locator(".tour > li").filter({ has: page.getByRole("heading", { name: title }) });
// An operation of the reference, as "projects/POST/v1/projects".
const operation = async (place) => {
  // Otherwise it is the page that is there already.
  await page.goto("about:blank");
  await open(`/docs#tag/${place}`);
  const section = page.locator(`section[id$="tag/${place}"]`);
  await section.getByRole("button", { name: "Test Request" }).first().waitFor();
  return section;
};
// Sends the request of an operation as it is there, and returns its headers, its body and the answer.
const sent = async (section, status) => {
  await section.getByRole("button", { name: "Test Request" }).first().click();
  if (status >= 400) refusals += 1;
  const [response] = await Promise.all([
    page.waitForResponse((response) => new URL(response.url()).pathname.startsWith("/v1/projects")),
    page.getByRole("button", { name: /^Send \w+ request/ }).click(),
  ]);
  assert.equal(response.status(), status, await response.text());
  return { headers: await response.request().allHeaders(), body: response.request().postDataJSON(), answer: await response.json() };
};
const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

// How well text can be read on what is behind it (WCAG 2.2, 1.4.3): the worst ratio of all texts that are seen.
const worstContrast = () =>
  page.evaluate(() => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const rgba = (colour) => {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      return canvas.getImageData(0, 0, 1, 1).data;
    };
    const luminance = ([r, g, b]) => {
      const [x, y, z] = [r, g, b].map((value) => value / 255).map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
      return 0.2126 * x + 0.7152 * y + 0.0722 * z;
    };
    const behind = (element) => {
      for (let at = element; at; at = at.parentElement) {
        const found = rgba(getComputedStyle(at).backgroundColor);
        if (found[3] === 255) return found;
      }
      return [255, 255, 255];
    };
    let worst = { ratio: 21 };
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const element = node.parentElement;
      if (!node.data.trim() || !element.checkVisibility() || element.closest(":disabled, .hidden, .skip, script, style, noscript, title, desc")) continue;
      const style = getComputedStyle(element);
      const colour = element instanceof SVGElement ? style.fill : style.color;
      const [one, other] = [rgba(colour), behind(element)].map(luminance).sort((a, b) => b - a);
      const ratio = (one + 0.05) / (other + 0.05);
      if (ratio < worst.ratio) worst = { ratio, text: node.data.trim().slice(0, 40), colour };
    }
    return worst;
  });

// Controls and regions without a name, ids that stand twice, headings that skip a level.
const unnamed = () =>
  page.evaluate(() => {
    const found = [];
    for (const control of document.querySelectorAll("input, select, textarea")) if (!control.labels.length) found.push(`no label: ${control.outerHTML}`);
    for (const button of document.querySelectorAll("button, a[href], summary")) if (!(button.textContent.trim() || button.getAttribute("aria-label"))) found.push(`no name: ${button.outerHTML}`);
    for (const region of document.querySelectorAll("[role=region], nav, dialog")) if (!region.getAttribute("aria-label") && !region.getAttribute("aria-labelledby")) found.push(`no name: ${region.outerHTML.slice(0, 80)}`);
    for (const image of document.querySelectorAll("img")) if (!image.hasAttribute("alt")) found.push(`no alt: ${image.outerHTML}`);
    const ids = [...document.querySelectorAll("[id]")].map(({ id }) => id);
    found.push(...ids.filter((id, at) => ids.indexOf(id) !== at).map((id) => `twice: ${id}`));
    const levels = [...document.querySelectorAll("main :is(h1, h2, h3, h4)")].filter((heading) => heading.checkVisibility()).map(({ tagName }) => Number(tagName[1]));
    levels.forEach((level, at) => at > 0 && level > levels[at - 1] + 1 && found.push(`a heading skips a level: ${level}`));
    return found;
  });

try {
  await check("the page for people at /", async () => {
    await open("/");
    assert.equal(await page.locator("h1").textContent(), "Bailiwick");
    await picture("home-desktop-light");
    await page.getByRole("link", { name: "Start here" }).first().click();
    await page.waitForSelector("body[data-ready]");
    assert.deepEqual(await unnamed(), []);
  });

  const described = await (await fetch(`${options.url}/openapi.json`)).json();
  const operations = Object.entries(described.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, { tags }]) => `#tag/${tags[0].replaceAll("_", "-")}/${method.toUpperCase()}${path}`));

  await check("the workflow is there as a picture and as a table, and so is who may call what", async () => {
    const { transitions, statuses } = await (await fetch(`${options.url}/v1/workflow`)).json();
    for (const { from, to } of transitions) assert.equal(await page.locator(`.diagram #${from}-${to} path`).count(), 1);
    for (const status of statuses) assert.ok(await page.locator(`.diagram #${status} text`).isVisible());
    await page.getByText("The same as a table").click();
    assert.equal(await page.locator("#transitions tbody tr").count(), transitions.length);
    await page.getByText("The table of all routes").click();
    const led = await page.locator("#access-table a").evaluateAll((all) => all.map(({ hash }) => decodeURI(hash)));
    assert.deepEqual(led.sort(), operations.sort());
    const row = await page.locator("#access-table tr", { hasText: "/v1/tenant/config" }).first().innerText();
    assert.equal(row.match(/yes/g).length, 1, row);
  });

  await check("registering through the form logs in", async () => {
    const form = step("Register, or log in").locator("form");
    await form.getByLabel("Name").fill("Ada");
    await form.getByLabel("Email").fill("ada@example.com");
    await form.getByLabel("Password").fill("short");
    refusals = 1;
    await form.getByRole("button", { name: "Register and log in" }).click();
    await form.getByRole("alert").getByText("/password").waitFor();
    await form.getByLabel("Password").fill(PASSWORD);
    await form.getByRole("button", { name: "Register and log in" }).click();
    await page.locator("#session-button", { hasText: "Ada" }).waitFor();
    const kept = await page.evaluate(() => ({ here: Object.keys(sessionStorage), lasting: JSON.stringify(localStorage), cookies: document.cookie }));
    assert.deepEqual(kept, { here: ["bailiwick.session"], lasting: "{}", cookies: "" });
  });

  await check("the first steps: a project, its submission, and a refusal that explains itself", async () => {
    for (const [title, status] of [["Create a project", "201"], ["Submit it", "200"], ["Try an invalid transition", "409"]]) {
      if (status === "409") refusals = 1;
      await step(title).getByRole("button", { name: title }).click();
      await step(title).locator(".head .status", { hasText: status }).waitFor();
    }
    const problem = step("Try an invalid transition").locator(".problem");
    assert.match(await problem.innerText(), /allowed\s+draft, approved, rejected/);
    await step("Try an invalid transition").scrollIntoViewIfNeeded();
    await picture("tour-desktop-light");
  });

  await check("the panel: tokens are renewed, somebody else logs in, another tenant is used", async () => {
    await page.evaluate(async () => (await import("/docs/api.js")).ask("POST", "/v1/tenants", { slug: "acme", name: "Acme" }));
    await page.locator("#session-button", { hasText: "Ada" }).click();
    await page.getByRole("button", { name: "Renew the token" }).click();
    await page.getByRole("button", { name: "Log out" }).click();
    await page.locator("#session-button", { hasText: "Log in" }).click();
    const dialog = page.locator("#session");
    await dialog.getByRole("button", { name: "Log in", exact: true }).first().click();
    await dialog.getByLabel("Email").fill("ada@example.com");
    await dialog.getByLabel("Password").fill(PASSWORD);
    await dialog.locator("button[type=submit]").click();
    await page.locator("#session-button", { hasText: "Ada" }).click();
    await picture("session-desktop-light");
    await page.getByLabel("Tenant in use").focus();
    await page.getByLabel("Tenant in use").selectOption("acme");
    await page.locator("#session-button", { hasText: "acme" }).waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.tagName), "SELECT", "the focus stays");
    await page.getByRole("button", { name: "Close" }).click();
  });

  await check("/docs shows every operation of the description, with its own examples and samples in several languages", async () => {
    await open("/docs");
    await picture("docs-desktop-light");
    const tags = page.locator("aside a, nav a").filter({ visible: true });
    for (const { "x-displayName": name } of described.tags.slice(1)) await page.locator("aside, nav").getByRole("button", { name: `Open ${name}`, exact: false }).or(tags.getByText(name, { exact: true })).first().click();
    const shown = await page.locator("a[href^='#tag/']").evaluateAll((all) => all.map(({ hash }) => decodeURI(hash)));
    assert.deepEqual([...new Set(shown.filter((hash) => /\/[A-Z]+\//.test(hash)))].sort(), operations.sort());
    for (const language of ["Shell", "Node.js", "Python"]) await page.getByRole("tab", { name: language }).or(page.getByText(language, { exact: true })).first().waitFor();
    const move = await operation("projects/POST/v1/projects/{project_id}/transitions");
    const example = described.components.examples.TransitionRequest.value;
    for (const [name, value] of Object.entries(example)) await move.getByText(new RegExp(`"${name}": ${JSON.stringify(value)}`)).first().waitFor();
  });

  await check("the search finds what is only in the texts", async () => {
    await open("/docs");
    for (const word of ["slack", "due_on", "idempotency", "pagination"]) {
      await page.keyboard.press("Control+k");
      const search = page.getByRole("combobox").or(page.getByRole("searchbox")).first();
      await search.fill(word);
      const found = page.getByRole("option");
      await found.first().waitFor();
      if (word === "slack") await found.getByText("Change the tenant configuration").waitFor();
      if (word === "due_on") await found.getByText("Create a task").waitFor();
      if (word === "idempotency") await found.getByText("Repeating a request: idempotency").waitFor();
      if (word === "pagination") await found.getByText("Lists and pagination").waitFor();
      if (word === "slack") await picture("search-desktop-light");
      await page.keyboard.press("Escape");
    }
  });

  await check("a request is sent in the name of whoever is logged in, for the tenant in use", async () => {
    const { headers, body, answer } = await sent(await operation("projects/POST/v1/projects"), 201);
    assert.match(headers.authorization, /^Bearer ey[^, ]+$/);
    assert.equal(headers["x-tenant-slug"], "acme");
    assert.deepEqual(body, described.components.examples.NewProject.value);
    assert.equal(answer.name, body.name);
    await picture("request-desktop-light");
  });

  await check("a token or an API key that was pasted counts more, and without any it is said what is missing", async () => {
    const section = await operation("projects/GET/v1/projects");
    await section.getByRole("button", { name: "Test Request" }).first().click();
    await page.getByRole("dialog").getByPlaceholder("Token").fill("bwk_pasted");
    await page.keyboard.press("Escape");
    const { headers, answer } = await sent(section, 401);
    assert.equal(headers.authorization, "Bearer bwk_pasted");
    assert.equal(answer.code, "invalid_token");
    const session = await page.evaluate(() => sessionStorage.getItem("bailiwick.session"));
    await page.evaluate(() => sessionStorage.clear());
    assert.equal((await sent(await operation("projects/GET/v1/projects"), 401)).answer.code, "authentication_required");
    await page.evaluate((session) => sessionStorage.setItem("bailiwick.session", session), session);
  });

  await check("if the reference's script cannot be had, that is said", async () => {
    await page.route("**/docs/scalar.js", (route) => route.abort());
    await page.goto(`${options.url}/docs`);
    await page.locator("#failed").waitFor();
    await page.unroute("**/docs/scalar.js");
    assert.equal(complaints.filter((complaint) => !complaint.includes("ERR_FAILED")).length, 0);
    complaints.length = 0;
  });

  await check("tokens that are about to expire are renewed, once for all that wait", async () => {
    const before = await page.evaluate(() => {
      const session = JSON.parse(sessionStorage.getItem("bailiwick.session"));
      sessionStorage.setItem("bailiwick.session", JSON.stringify({ ...session, expires: 0 }));
      return session.refresh;
    });
    await open("/start");
    let renewals = 0;
    const count = (request) => request.url().endsWith("/v1/auth/refresh") && renewals++;
    page.on("request", count);
    const statuses = await page.evaluate(async () => {
      const { ask } = await import("/docs/api.js");
      return Promise.all(["/v1/me", "/v1/projects"].map(async (path) => (await ask("GET", path)).status));
    });
    assert.deepEqual(statuses, [200, 200]);
    page.off("request", count);
    const after = await page.evaluate(() => JSON.parse(sessionStorage.getItem("bailiwick.session")).refresh);
    assert.equal(renewals, 1);
    assert.notEqual(after, before);
  });

  await check("a session that was ended elsewhere is told", async () => {
    await page.evaluate(async () => (await import("/docs/api.js")).ask("POST", "/v1/auth/logout"));
    refusals = 1;
    await step("Create a project").getByRole("button", { name: "Create a project" }).click();
    await step("Create a project").locator(".problem", { hasText: "invalid_token" }).waitFor();
    await page.locator("#session-button").click();
    refusals = 1;
    const told = page.waitForResponse((response) => response.url().endsWith("/v1/auth/logout"));
    await page.getByRole("button", { name: "Log out" }).click();
    await page.locator("#session-button", { hasText: "Log in" }).waitFor();
    assert.equal((await told).status(), 401);
  });

  await check("somebody without a tenant is led to one of their own", async () => {
    const form = step("Register, or log in").locator("form");
    await form.getByRole("button", { name: "Register", exact: true }).click();
    await form.getByLabel("Name").fill("Grace");
    await form.getByLabel("Email").fill("grace@example.com");
    await form.getByLabel("Password").fill(PASSWORD);
    await form.locator("button[type=submit]").click();
    await step("Create a tenant").getByRole("button", { name: "Create a tenant" }).click();
    await page.locator("#session-button", { hasText: "bridges-" }).waitFor();
    await step("Create a project").getByRole("button", { name: "Create a project" }).click();
    await step("Create a project").locator(".head .status", { hasText: "201" }).waitFor();
  });

  await check("a problem's page", async () => {
    await open("/problems");
    await picture("problems-desktop-light");
    await page.getByRole("link", { name: "transition_not_allowed" }).click();
    assert.match(await page.locator("h1").innerText(), /There is no such transition/);
    assert.match(await page.locator("main").innerText(), /What to do[^]*allowed/);
    assert.deepEqual(await unnamed(), []);
    await picture("problem-desktop-light");
  });

  for (const [device, viewport] of Object.entries({ desktop: DESKTOP, phone: PHONE, smallest: SMALLEST })) {
    for (const colorScheme of ["light", "dark"]) {
      await check(`${device}, ${colorScheme}: nothing sticks out, and everything can be read`, async () => {
        await page.setViewportSize(viewport);
        await page.emulateMedia({ colorScheme });
        for (const [name, path] of [["home", "/"], ["problems", "/problems"], ["problem", "/problems/four_eyes"], ["start", "/start"], ["docs", "/docs"]]) {
          await open(path);
          if (name === "start") await page.locator("details.answer").evaluateAll((all) => all.forEach((details) => (details.open = true)));
          assert.equal(await overflow(), 0, `${path} is wider than ${viewport.width}`);
          // What the reference looks like is Scalar's business.
          const worst = name === "docs" ? { ratio: 21 } : await worstContrast();
          assert.ok(worst.ratio >= 4.5, `${path}: ${JSON.stringify(worst)}`);
          if (device === "smallest") continue;
          if (name === "start") await open("/start");
          await picture(`${name}-${device}-${colorScheme}`);
          if (name === "docs") {
            await operation("projects/POST/v1/projects/{project_id}/transitions");
            await picture(`operation-${device}-${colorScheme}`);
          }
          if (name !== "start") continue;
          await page.locator("#workflow").evaluate((element) => element.scrollIntoView());
          await picture(`workflow-${device}-${colorScheme}`);
        }
      });
    }
  }

  await check("the switch turns to dark and back, and stays as it was left", async () => {
    await page.setViewportSize(DESKTOP);
    await page.emulateMedia({ colorScheme: "light" });
    await open("/docs");
    // The reference's own ground turns with it.
    const ground = () => page.evaluate(() => getComputedStyle(document.querySelector("#reference .scalar-app")).backgroundColor);
    const bright = await ground();
    await page.getByRole("button", { name: "Dark", exact: true }).click();
    assert.notEqual(await ground(), bright);
    await page.getByRole("button", { name: "Light", exact: true }).click();
    assert.equal(await ground(), bright);
    await open("/start");
    const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await paper();
    await page.getByRole("button", { name: "Dark", exact: true }).click();
    const dark = await paper();
    assert.notEqual(dark, light);
    await open("/problems");
    assert.equal(await paper(), dark);
    await page.getByRole("button", { name: "Light", exact: true }).click();
    assert.equal(await paper(), light);
  });
} finally {
  await context.close();
  rmSync(directory, { recursive: true, force: true });
}
