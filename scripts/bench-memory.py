#!/usr/bin/env python3
"""The memory that the worst legal requests take: `scripts/bench memory` runs it.

A few are asked at once, again and again, and what the server had resident at its peak is printed, above what it had when it
was idle: when it had answered one small request.
  bench-memory.py native BINARY DATABASE_URL [PSQL ..]   a server, started anew for each kind
  bench-memory.py edge DIRECTORY                         the Worker as it was built last, in one workerd, which has its D1 too
"""
import atexit, hashlib, http.client, json, os, re, socket, sqlite3, subprocess, sys, threading, time, urllib.parse, uuid

AT_ONCE = int(os.environ.get("AT_ONCE", "4"))
TIMES = int(os.environ.get("TIMES", "3"))  # each of them asks so often
BODY = 256 * 1024
ROCKET = "\U0001F680"  # four bytes
kind = sys.argv[1]


def serve_worker():
    """Starts the Worker: where it answers, where its control does, and the process that has its isolates."""
    variables = {"JWT_SECRET": "for this measurement alone, 32 bytes", "BCRYPT_COST": "4"}
    variables |= {name: "1000000" for name in ("RATE_LIMIT", "RATE_LIMIT_ACCOUNT", "RATE_LIMIT_ADDRESS")}
    host = subprocess.Popen(["node_modules/.bin/node", "tests/edge/serve.mjs", "--persist", sys.argv[2], "--vars", json.dumps(variables)],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    line = next(line for line in host.stdout if '"control"' in line)
    threading.Thread(target=host.stdout.read, daemon=True).start()
    at = json.loads(line)
    children = open(f"/proc/{host.pid}/task/{host.pid}/children").read().split()
    workerd = [child for child in children if "workerd" in open(f"/proc/{child}/cmdline").read()]
    return host, at["url"], at["control"], max(workerd, key=lambda child: resident(child, "VmRSS"))


def resident(process, what):
    """In MB."""
    lines = open(f"/proc/{process}/status").read().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(what))


class Server:
    """A native server, which can be started anew."""

    def __init__(self, binary):
        self.binary, self.running = binary, None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.at = "127.0.0.1:%d" % free.getsockname()[1]

    def start(self):
        self.stop()
        self.running = subprocess.Popen([self.binary], env={**os.environ, "BIND": self.at, "DATABASE_URL": database}, stdout=subprocess.DEVNULL)
        while True:
            try:
                http.client.HTTPConnection(self.at).request("GET", "/healthz")
                return self.running.pid
            except OSError:
                time.sleep(0.05)

    def stop(self):
        if self.running:
            self.running.terminate()
            self.running.wait()


host = control = native = None
if kind == "edge":
    host, base, control, server = serve_worker()
    address = urllib.parse.urlparse(base).netloc
else:
    native, database = Server(sys.argv[2]), sys.argv[3]
    address, server = native.at, native.start()


class Client:
    def __init__(self, token=None, tenant=None, at=address):
        self.token, self.tenant, self.at, self.connection = token, tenant, at, None

    def ask(self, method, path, body=None):
        headers = {"content-type": "application/json"}
        if self.token:
            headers["authorization"] = f"Bearer {self.token}"
        if self.tenant:
            headers["x-tenant-slug"] = self.tenant
        sent = body if isinstance(body, (bytes, type(None))) else json.dumps(body, ensure_ascii=False).encode()
        for attempt in (0, 1):
            try:
                self.connection = self.connection or http.client.HTTPConnection(self.at, timeout=600)
                self.connection.request(method, path, sent, headers)
                answer = self.connection.getresponse()
                return answer.status, answer.read()
            except (OSError, http.client.HTTPException):
                self.connection = None
                if attempt:
                    raise

    def served(self, method, path, body=None):
        """The same, again as long as others are in the way: what is measured is memory."""
        while (answer := self.ask(method, path, body))[0] == 503:
            time.sleep(1)
        return answer

    def made(self, method, path, body=None):
        status, text = self.served(method, path, body)
        assert 200 <= status < 300, (method, path, status, text[:500])
        return json.loads(text) if text else None


def sql(statement):
    """What comes into the database by no request, or by too many."""
    if kind == "edge":
        Client(at=urllib.parse.urlparse(control).netloc).made("POST", "/sql", {"sql": statement})
    elif database.startswith("sqlite:"):
        with sqlite3.connect(database.removeprefix("sqlite://"), timeout=120) as connection:
            connection.execute(statement)
        connection.close()
    else:
        subprocess.run(sys.argv[4:] + ["-q", "-v", "ON_ERROR_STOP=1"], input=statement, text=True, check=True)


def new_id():
    bits = int(time.time() * 1000) << 80 | 7 << 76 | 2 << 62
    return str(uuid.UUID(int=bits | uuid.uuid4().int & ((1 << 62) - 1) | (uuid.uuid4().int & 0xFFF) << 64))


def expression(characters):
    """So many characters of four bytes each, in few."""
    return f"replace(replace('aaaaaaaaaa', 'a', '{'b' * (characters // 100)}'), 'b', '{ROCKET * 10}')"


def small():
    """The request that an idle server has answered."""
    owner.made("GET", "/v1/me")


def settle():
    time.sleep(1)
    small()


def within_a_body(most, make):
    """The longest list of items, up to so many, that a body has room for."""
    one, two = (len(json.dumps(make(count), ensure_ascii=False).encode()) for count in (1, 2))
    return make(min(most, (BODY - one) // (two - one)))


@atexit.register
def end():
    if native:
        native.stop()
    else:
        host.stdin.close()
        host.wait()


owner = Client()
PERSON = {"email": "owner@example.com", "name": "O", "password": "correct horse battery"}
me = owner.made("POST", "/v1/auth/register", PERSON)["id"]
owner.token = owner.made("POST", "/v1/auth/login", {name: PERSON[name] for name in ("email", "password")})["access_token"]
tenant = owner.made("POST", "/v1/tenants", {"slug": "worst", "name": "Worst"})["id"]
owner.tenant = "worst"
settle()
idle = resident(server, "VmRSS")

# 110 of everything, as long as it can be.
description = ROCKET * 10_000
projects = [owner.made("POST", "/v1/projects", {"name": "A bridge", "description": description, "visibility": "public"})["id"] for _ in range(110)]
project = projects[0]
sql(f"UPDATE projects SET status = 'approved' WHERE tenant_id = '{tenant}'")
tasks = [owner.made("POST", f"/v1/projects/{project}/tasks", {"title": "A pier", "description": description})["id"] for _ in range(110)]
task = tasks[0]
for _ in range(110):
    owner.made("POST", f"/v1/tasks/{task}/comments", {"body": description})
AT = "'2026-01-01T00:00:00.000Z'"
for _ in range(110):
    row = new_id()
    sql("INSERT INTO notifications (tenant_id, id, recipient_id, kind, title, body, subject_type, subject_id, created_at) "
        f"VALUES ('{tenant}', '{row}', '{me}', 'approved', {expression(1000)}, {expression(30_000)}, 'project', '{row}', {AT})")
# What takes the most memory for its bytes: 200 items, and as much text as there is room for; or as few bytes as there can be.
heavy = {"comment": "x" * 15_000, "list": [[0]] * 95}
light = {"list": [[0]] * 99}
for detail, count in ((light, 520), (heavy, 110)):
    for _ in range(0, count, 5):
        rows = ", ".join(f"('{tenant}', '{(row := new_id())}', NULL, 'project.moved', 'project', '{project}', '{json.dumps(detail)}', {AT})" for _ in range(5))
        sql(f"INSERT INTO activity (tenant_id, id, actor_id, action, entity_type, entity_id, detail, created_at) VALUES {rows}")


def get(path):
    return lambda client: client.ask("GET", path)


def walked(path, cursor):
    """A list that goes on where each part says."""
    def ask(client):
        part = path
        while True:
            status, text = client.ask("GET", part)
            assert status == 200, (part, status, text[:300])
            found = cursor(json.loads(text))
            if not found:
                return status, text
            part = f"{path}{'&' if '?' in path else '?'}{found}"
    return ask


def verified(answer):
    head = answer["head"]
    return f"head={head if isinstance(head, str) else urllib.parse.quote(str(head['seq']) + ':' + head['hash'])}" if answer["more"] else None


def verify_all(client):
    return walked("/v1/admin/activity/verify", verified)(client)


def seal(client):
    """Waits for the background, where entries get their place in the chain."""
    while client.made("GET", "/v1/admin/activity/verify")["pending"]:
        if kind == "edge":
            Client(at=urllib.parse.urlparse(control).netloc).made("POST", "/scheduled", {})
        time.sleep(0.5)


seal(owner)

export = walked("/v1/admin/export", lambda part: part["next"] and f"from={urllib.parse.quote(part['next'])}")


def exported(client):
    rows, part = [], client.made("GET", "/v1/admin/export")
    head = part["head"]
    while part["next"]:
        part = client.made("GET", f"/v1/admin/export?from={urllib.parse.quote(part['next'])}")
        rows += part["rows"]
    return head, rows


tiny = Client(owner.token, "tiny")
owner.made("POST", "/v1/tenants", {"slug": "tiny", "name": "Tiny"})
tiny.made("POST", "/v1/projects", {"name": "A bridge"})
seal(tiny)
head, base_rows = exported(tiny)
entry = next(row for row in base_rows if row["table"] == "activity")
base_rows = [row for row in base_rows if row["table"] != "activity"]
BEGINNING = 0, hashlib.sha256(head["tenant_id"].encode()).hexdigest()


def imported(client):
    """An import to which rows can be added, and how many it has."""
    slug = f"i{uuid.uuid4().hex[:20]}"
    into = client.made("POST", "/v1/imports", {**head, "new_ids": True, "as_slug": slug})["tenant_id"]
    client.made("POST", f"/v1/imports/{into}/rows", {"first": 0, "rows": base_rows})
    return into, len(base_rows)


def entries(after, count, detail):
    """Entries of the activity behind a place of the chain, and the place of the last."""
    rows, (seq, previous) = [], after
    for _ in range(count):
        seq += 1
        own = {**entry["row"], "id": new_id(), "detail": detail}
        hashed = {name: own[name] for name in ("action", "actor_id", "created_at", "detail", "entity_id", "entity_type", "id")}
        hashed |= {"previous": previous, "seq": seq, "tenant_id": head["tenant_id"]}
        previous = hashlib.sha256(json.dumps(hashed, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
        rows.append({**entry, "row": {**own, "seq": seq, "hash": previous}})
    return rows, (seq, previous)


def part(detail, expected):
    def ask(client):
        into, first = imported(client)
        body = within_a_body(200, lambda count: {"first": first, "rows": entries(BEGINNING, count, detail)[0]})
        status, text = client.ask("POST", f"/v1/imports/{into}/rows", body)
        assert status in expected, (status, text[:500])
        client.ask("DELETE", f"/v1/imports/{into}")
        return status, text
    return ask


def raw_part(value):
    """One entry that fills the body with as many values as there is room for, which is refused when it was read."""
    def ask(client):
        into, first = imported(client)
        start = json.dumps({"first": first, "rows": [{**entry, "row": {**entry["row"], "id": new_id(), "detail": {"a": []}}}]})
        room = (BODY - len(start)) // (len(value) + 1)
        body = start.replace('"a": []', '"a": [' + ",".join([value] * room) + "]").encode()
        status, text = client.ask("POST", f"/v1/imports/{into}/rows", body)
        assert status == 422, (status, text[:500])
        client.ask("DELETE", f"/v1/imports/{into}")
        return status, text
    return ask


def finish(megabytes):
    def ask(client):
        into, first = imported(client)
        body = within_a_body(200, lambda count: {"first": first, "rows": entries(BEGINNING, count, heavy)[0]})
        place = BEGINNING
        for _ in range(megabytes * 4):
            added, place = entries(place, len(body["rows"]), heavy)
            client.made("POST", f"/v1/imports/{into}/rows", {"first": first, "rows": added})
            first += len(added)
        status, text = client.served("POST", f"/v1/imports/{into}/finish", {"rows": first, "sha256": "0" * 64})
        assert status == 409, (status, text[:500])
        status, text = client.served("POST", f"/v1/imports/{into}/finish", {"rows": first, "sha256": json.loads(text)["sha256"]})
        assert status == 200, (status, text[:500])
        return status, text
    return ask


operation = {"op": "create", "title": "A long pier", "description": " ".join(f"pier{n}" for n in range(320))}
bulk = within_a_body(100, lambda count: {"operations": [operation] * count})


def words(client):
    return client.ask("POST", f"/v1/projects/{project}/tasks/bulk", bulk)


WORST = {
    "projects": get("/v1/projects?limit=100"),
    "tasks": get("/v1/tasks?limit=100"),
    "tasks, soonest first": get("/v1/tasks?limit=100&order=due_on"),
    "tasks that a search finds": get("/v1/tasks?limit=100&q=pier"),
    "the public catalogue": get("/v1/catalog/projects?limit=100"),
    "comments": get(f"/v1/tasks/{task}/comments?limit=100"),
    "notifications": get("/v1/notifications?limit=100"),
    "activity": get("/v1/admin/activity?limit=100"),
    "a project's moves": get(f"/v1/projects/{project}/transitions?limit=100"),
    "all of an export": export,
    "all of a verification": verify_all,
    f"{len(bulk['operations'])} tasks at once": words,
    "a part of an import, long entries": part(heavy, (200,)),
    "a part of an import, entries of many items": part(light, (200,)),
    "a part of an import that is one list of numbers": raw_part("0"),
    "a part of an import that is one list of lists": raw_part("[0]"),
    "imports of 2 MB finished" if kind == "edge" else "imports of 30 MB finished": finish(2 if kind == "edge" else 30),
}


def at_once(asks, times):
    """All of them, each by somebody of their own who begins when all are there."""
    together, wrong = threading.Barrier(len(asks)), []

    def run(ask):
        client = Client(owner.token, owner.tenant)
        together.wait()
        try:
            for _ in range(times):
                status, text = ask(client)
                assert status < 500 and (200 <= status < 300 or status == 422), (status, text[:300])
        except BaseException as problem:
            wrong.append(problem)

    threads = [threading.Thread(target=run, args=(ask,)) for ask in asks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong:
        raise wrong[0]


def measured(name, asks):
    global server, idle
    if native:
        server = native.start()
    settle()
    if native:
        idle = resident(server, "VmRSS")
    open(f"/proc/{server}/clear_refs", "w").write("5")
    at_once(asks, 1 if "finished" in name else TIMES)
    above = resident(server, "VmHWM") - idle
    module = f", the module's own memory {json.loads(Client().ask('GET', '/__memory')[1])['bytes'] / 1048576:.0f} MB so far" if kind == "edge" else ""
    print(f"  {name}: {above:.0f} MB{module}", flush=True)
    return above


wanted = os.environ.get("ATTACKS", "")
print(f"  idle: {idle:.0f} MB; above that, {AT_ONCE} at once, {TIMES} times each (imports that are finished once):", flush=True)
kinds = {name: [ask] * AT_ONCE for name, ask in WORST.items()}
mixed = [ask for name, ask in WORST.items() if "import" not in name]
kinds[f"the first {len(mixed)} of these, one of each at once"] = mixed
worst = max(measured(name, asks) for name, asks in kinds.items() if re.search(wanted, name))
print(f"  at most {worst:.0f} MB above idle", flush=True)
