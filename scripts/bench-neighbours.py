#!/usr/bin/env python3
"""What one tenant does to another: `scripts/bench neighbours` runs it against a server that it has started.

Somebody works in a tenant of their own, one request after the other, each after a pause. For each attack that is measured
without it and with it, in turns, and the medians of the ratios are printed: of the median and of the 99th percentile.
Attackers keep to the default RATE_LIMIT: 20 requests a second.
  bench-neighbours.py URL BINARY DIRECTORY SECONDS ROUNDS
"""
import http.client, json, os, random, statistics, subprocess, sys, threading, time, urllib.parse

base, binary, directory, seconds, rounds = sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4]), int(sys.argv[5])
address = urllib.parse.urlparse(base).netloc
ALLOWED = 20.0  # requests a second
PASSWORD = "correct horse battery"


class Client:
    """One connection, which is made anew when it breaks."""

    def __init__(self, token=None, tenant=None):
        self.token, self.tenant, self.connection = token, tenant, None

    def ask(self, method, path, body=None, raw=None):
        headers = {"content-type": "application/json"}
        if self.token:
            headers["authorization"] = f"Bearer {self.token}"
        if self.tenant:
            headers["x-tenant-slug"] = self.tenant
        sent = raw if raw is not None else (json.dumps(body).encode() if body is not None else None)
        for attempt in (0, 1):
            try:
                self.connection = self.connection or http.client.HTTPConnection(address, timeout=120)
                self.connection.request(method, path, sent, headers)
                answer = self.connection.getresponse()
                return answer.status, answer.read()
            except (OSError, http.client.HTTPException):
                self.connection = None
                if attempt:
                    return 0, b""

    def made(self, method, path, body=None):
        status, text = self.ask(method, path, body)
        assert 200 <= status < 300, (method, path, status, text[:500])
        return json.loads(text) if text else None


def account(name):
    """Somebody with a tenant of their own."""
    client = Client()
    email = f"{name}@example.com"
    client.made("POST", "/v1/auth/register", {"email": email, "name": name, "password": PASSWORD})
    client.token = client.made("POST", "/v1/auth/login", {"email": email, "password": PASSWORD})["access_token"]
    client.made("POST", "/v1/tenants", {"slug": name, "name": name})
    client.tenant = name
    return client


def words(length):
    return " ".join(f"pier{number}" for number in range(length // 5))[:length]


class Attacker:
    """Requests by as many threads at once, all together as many a second as one user is allowed."""

    def __init__(self, client, ask, threads=8):
        self.client, self.ask_one, self.threads, self.count, self.stopped = client, ask, threads, 0, threading.Event()
        self.lock, self.next, self.statuses = threading.Lock(), 0.0, {}

    def turn(self):
        with self.lock:
            now = time.monotonic()
            self.next = max(self.next, now - 1) + 1 / ALLOWED
            self.count += 1
            return self.next - now, self.count

    def run(self):
        client = Client(self.client.token, self.client.tenant)
        while not self.stopped.is_set():
            pause, number = self.turn()
            if pause > 0 and self.stopped.wait(pause):
                break
            try:
                status, _ = self.ask_one(client, number)
            except AssertionError as refused:
                status = refused.args[0][2]
            with self.lock:
                self.statuses[status] = self.statuses.get(status, 0) + 1

    def __enter__(self):
        self.running = [threading.Thread(target=self.run, daemon=True) for _ in range(self.threads)]
        for thread in self.running:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        for thread in self.running:
            thread.join()


def serve_attack(name):
    """In a process of its own, so that the bystander's clock runs by itself: until its input ends."""
    attack = ATTACKS[name]
    client = Client(os.environ["ATTACKER"], "attacker")
    with Attacker(client, attack(client)) as attacker:
        print("attacks", flush=True)
        sys.stdin.read()
    print(json.dumps(attacker.statuses), flush=True)


# What attackers ask, again and again. Each is made by a function that prepares it.
def bulk(client, assignee=None, text=2000):
    project = client.made("POST", "/v1/projects", {"name": "Attack"})["id"]
    task = {"op": "create", "title": words(200), "description": words(text)}
    if assignee:
        task["assignee_id"] = assignee
    body = json.dumps({"operations": [task] * 100}).encode()
    return lambda client, _: client.ask("POST", f"/v1/projects/{project}/tasks/bulk", raw=body)


def told(client):
    # Nobody is told of what they do themselves: a colleague is.
    return bulk(client, os.environ["COLLEAGUE"], 100)


def comments(client):
    task = client.made("GET", "/v1/tasks?limit=1")["data"][0]["id"]
    body = json.dumps({"body": f"@{os.environ['COLLEAGUE']} " + words(9900)}).encode()
    return lambda client, _: client.ask("POST", f"/v1/tasks/{task}/comments", raw=body)


def exported():
    lines = open(f"{directory}/large.ndjson").read().splitlines()
    return json.loads(lines[0]), [json.loads(line) for line in lines[1:-1]], json.loads(lines[-1])["totals"]


def bring(client, slug, head, rows):
    """Has all of a file arrive, and returns the id that the tenant will have."""
    tenant = client.made("POST", "/v1/imports", {**head, "new_ids": True, "as_slug": slug})["tenant_id"]
    for first in range(0, len(rows), 100):
        client.made("POST", f"/v1/imports/{tenant}/rows", {"first": first, "rows": rows[first : first + 100]})
    return tenant


def detail(deep):
    def prepare(client):
        head, rows, _ = exported()
        tenant = client.made("POST", "/v1/imports", {**head, "new_ids": True, "as_slug": f"d{random.randrange(10**12)}"})["tenant_id"]
        inner = {f"k{number}": number for number in range(190)}
        for _ in range(25 if deep else 0):
            inner = {"a": inner}
        if not deep:
            inner = {f"k{number}": 1 for number in range(20000)}
        entry = next(row for row in rows if row["table"] == "activity")
        rows = [rows[0], {**entry, "row": {**entry["row"], "detail": inner}}]
        body = json.dumps({"first": 0, "rows": rows}).encode()[:262144]
        return lambda client, _: client.ask("POST", f"/v1/imports/{tenant}/rows", raw=body)
    return prepare


def reads(*paths):
    return lambda _: lambda client, number: client.ask("GET", paths[number % len(paths)])


def finish(client):
    head, rows, totals = exported()
    slug = f"f{random.randrange(10**9)}"
    tenant = bring(client, slug, head, rows)
    # Its slug goes to another one meanwhile, so it is all done, and undone, each time.
    client.made("POST", "/v1/tenants", {"slug": slug, "name": "F"})
    body = json.dumps({"rows": totals["rows"], "sha256": totals["sha256"]}).encode()
    return lambda client, _: client.ask("POST", f"/v1/imports/{tenant}/finish", raw=body)


def moving(client):
    head, rows, totals = exported()

    def ask(client, number):
        tenant = bring(client, f"m{random.randrange(10**12)}", head, rows)
        return client.ask("POST", f"/v1/imports/{tenant}/finish", {"rows": totals["rows"], "sha256": totals["sha256"]})
    return ask


def deletion(client):
    def ask(client, number):
        slug = f"x{random.randrange(10**12)}"
        own = Client(client.token, None)
        own.made("POST", "/v1/tenants", {"slug": slug, "name": "X"})
        own.tenant = slug
        bulk(own)(own, number)
        return own.ask("DELETE", f"/v1/tenant?confirm={slug}")
    return ask


def logins(_):
    return lambda client, number: Client().ask("POST", "/v1/auth/login", {"email": f"nobody{number}@example.com", "password": "x" * 72})


ATTACKS = {
    "tasks of which somebody is told by mail": told,
    "long comments with a mention": comments,
    "an entry with 20,000 members": detail(False),
    "a deep entry": detail(True),
    "export, verification and activity": reads("/v1/admin/export", "/v1/admin/activity/verify", "/v1/admin/activity?limit=100"),
    "an import finished in vain": finish,
    "imports, one after the other": moving,
    "tasks with long texts, 100 at once": bulk,
    "searches that find all": reads("/v1/tasks?q=p&limit=100", "/v1/projects?q=a&limit=100"),
    "tenants made, filled and deleted": deletion,
    "logins": logins,
}


def work(client, project, tasks):
    """What the bystander does, for so many seconds: times in milliseconds."""
    times, refused, until = [], [], time.monotonic() + seconds
    number = 0
    while time.monotonic() < until:
        number += 1
        asked = [
            ("GET", f"/v1/projects/{project}", None),
            ("GET", f"/v1/projects/{project}/tasks", None),
            ("PATCH", f"/v1/tasks/{random.choice(tasks)}", {"title": f"Pier {number}"}),
            ("GET", "/v1/tasks?q=pier", None),
            ("POST", f"/v1/tasks/{tasks[0]}/comments", {"body": "It holds"}),
        ][number % 5]
        time.sleep(random.uniform(0.01, 0.03))
        begun = time.perf_counter()
        status, text = client.ask(*asked)
        times.append((time.perf_counter() - begun) * 1000)
        if not 200 <= status < 300:
            refused.append((status, text[:200]))
    return times, refused


def percentile(times, part):
    return sorted(times)[min(len(times) - 1, int(len(times) * part))]


def main():
    attacker, bystander = account("attacker"), account("bystander")
    colleague = Client()
    email = {"email": "colleague@example.com", "name": "C", "password": PASSWORD}
    invited = attacker.made("POST", "/v1/invitations", {"email": email["email"], "role": "member"})
    colleague_id = colleague.made("POST", "/v1/auth/register", {**email, "invitation_token": invited["token"]})["id"]
    attacker.made("PATCH", "/v1/tenant/config", {"channels": {"task_assigned": ["email", "in_app"], "mentioned": ["email", "in_app"]}})
    # With an entry of the activity for each that is nearly as much as an import may bring.
    for _ in range(90):
        bulk(attacker, None, 300)(attacker, 0)
    environment = {**os.environ, "ATTACKER": attacker.token, "COLLEAGUE": colleague_id}
    subprocess.run([binary, "export", "--tenant", "attacker", "--url", base, "-o", f"{directory}/large.ndjson"],
                   env={**environment, "BAILIWICK_TOKEN": attacker.token}, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    project = bystander.made("POST", "/v1/projects", {"name": "Bridge"})["id"]
    tasks = [bystander.made("POST", f"/v1/projects/{project}/tasks", {"title": f"Pier {n}"})["id"] for n in range(20)]
    work(bystander, project, tasks)
    wanted = os.environ.get("ATTACKS", "")
    for name in (name for name in ATTACKS if wanted in name):
        medians, tails, refusals, statuses = [], [], [], {}
        for _ in range(rounds):
            calm, refused = work(bystander, project, tasks)
            refusals += refused
            other = subprocess.Popen(["nice", "-n", "19", sys.executable, __file__, *sys.argv[1:6], name], env=environment,
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            assert other.stdout.readline() == "attacks\n", name
            beside, refused = work(bystander, project, tasks)
            refusals += refused
            for status, count in json.loads(other.communicate("")[0]).items():
                statuses[status] = statuses.get(status, 0) + count
            medians.append(percentile(beside, 0.5) / percentile(calm, 0.5))
            tails.append(percentile(beside, 0.99) / percentile(calm, 0.99))
            figures = f"{percentile(calm, 0.5):.1f} and {percentile(calm, 0.99):.1f} ms, beside it {percentile(beside, 0.5):.1f} and {percentile(beside, 0.99):.1f} ms"
        print(f"{name}: median {statistics.median(medians):.2f}, 99th percentile {statistics.median(tails):.2f} of what it is without "
              f"({figures} in the last round; {len(refusals)} refused{refusals[:1] or ''}; attackers' answers {statuses})", flush=True)


if len(sys.argv) > 6:
    serve_attack(sys.argv[6])
else:
    main()
