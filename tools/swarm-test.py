#!/usr/bin/env python3
"""swarm-test.py [IMAGE [IMAGE]]: deploy/swarm as its users meet it, in a Swarm of this machine alone,
which is made for the test and left again. The images are pidgeon:bookworm and, for the
backends after a rolling update, pidgeon:trixie. Sessions and mail come from Python's imaplib and smtplib."""

import atexit
import concurrent.futures
import hashlib
import imaplib
import json
import os
import re
import selectors
import shutil
import smtplib
import ssl
import subprocess
import sys
import tempfile
import threading
import time

USERS = [f"u{n:03d}" for n in range(300)]
STACK = "mail"
BEFORE, AFTER = [*sys.argv[1:], "pidgeon:bookworm", "pidgeon:trixie"][:2]
PATIENCE = 60  # seconds, for what takes a few on a quiet machine
here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
work = tempfile.mkdtemp(prefix="pidgeon-swarm-")
os.chmod(work, 0o755)
began = time.monotonic()
tls = None


def docker(*args, fail=True, **env):
    done = subprocess.run(["docker", *args], capture_output=True, text=True, cwd=work, env={**os.environ, **env})
    if fail and done.returncode:
        raise SystemExit(f"FAIL  docker {' '.join(args)}: {done.stderr.strip()}")
    return done.stdout


def ok(what):
    print(f"ok    {what} (at {time.monotonic() - began:.0f} s)", flush=True)


def check(true, what):
    if not true:
        for service in ("proxy", "backend"):
            print(docker("service", "ps", "--no-trunc", f"{STACK}_{service}", fail=False))
        for name, task in tasks().items():
            log = subprocess.run(["docker", "logs", "--tail", "8", task["id"]], capture_output=True, text=True)
            print(f"{name} | " + (log.stdout + log.stderr).replace("\n", f"\n{name} | "))
        raise SystemExit(f"FAIL  {what}")


def within(seconds, what, ask):
    """The first true answer of ask."""
    end = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer:
            return answer
        check(time.monotonic() < end, f"{what}: not within {seconds} s")
        time.sleep(0.2)


def tasks():
    """What runs, as proxy.1 or backend.2, with the address by which this machine reaches it."""
    bridge = {id: at for n in json.loads(docker("network", "inspect", "docker_gwbridge", fail=False) or "[]") for id, at in n["Containers"].items()}
    found = {}
    for line in docker("ps", "--no-trunc", "--format", "{{.ID}} {{.Names}} {{.Status}}").splitlines():
        id, name, status = line.split(" ", 2)
        if name.startswith(STACK + "_") and id in bridge:
            found[name.removeprefix(STACK + "_").rsplit(".", 1)[0]] = {
                "id": id, "address": bridge[id]["IPv4Address"].split("/")[0], "healthy": "(healthy)" in status}
    return found


def healthy(proxies, backends):
    now = tasks()
    return sum(t["healthy"] for t in now.values()) == proxies + backends and now


def deploy(**env):
    docker("stack", "deploy", "-c", "stack.yaml", STACK, **{
        "SITE": work + "/site", "IMAP_PORT": "0", "IMAPS_PORT": "0", "PROXY_IMAGE": BEFORE, "BACKEND_IMAGE": BEFORE, **env})


def have():
    """The backends that each user has mail on."""
    found = {}
    for name, task in sorted(tasks().items()):
        if name.startswith("backend"):
            for user in docker("exec", task["id"], "ls", "/srv/mail").split():
                found.setdefault(user, []).append(name)
    return found


class Refused(Exception):
    """A login that was refused for good."""


def login(user, proxy):
    """A session, or the reason why there is none for the moment."""
    try:
        session = imaplib.IMAP4_SSL(proxy["address"], 993, ssl_context=tls, timeout=30)
        session.login(user, "secret")
        session.select()
        return session
    except imaplib.IMAP4.error as e:
        # Without a code of RFC 5530 the connection has ended.
        if "AUTHENTICATIONFAILED" in str(e):
            raise Refused(f"{user}: {e}")
        return str(e)
    except OSError as e:
        return str(e)


class Sessions(threading.Thread):
    """Notes when the session of a user ends."""

    def __init__(self):
        super().__init__(daemon=True)
        self.open, self.ended, self.lock, self.watching = {}, {}, threading.Lock(), True
        self.selector = selectors.DefaultSelector()

    def add(self, user, session, *through):
        with self.lock:
            self.open[user] = (session, through)
            self.ended.pop(user, None)
            self.selector.register(session.sock, selectors.EVENT_READ, user)

    def run(self):
        while self.watching:
            if not self.selector.get_map():
                time.sleep(0.1)
                continue
            for key, _ in self.selector.select(0.2):
                try:
                    if key.fileobj.recv(4096):
                        continue
                except OSError:
                    pass
                with self.lock:
                    self.selector.unregister(key.fileobj)
                    self.ended[key.data] = (time.time(), self.open.pop(key.data)[1])

    def fill(self):
        """Logs everybody in who is not, in turn through each proxy."""
        now = tasks()
        proxies = [t for name, t in sorted(now.items()) if name.startswith("proxy")]

        def enter(user):
            proxy = proxies[USERS.index(user) % len(proxies)]
            session = within(PATIENCE, f"a login of {user}", lambda: not isinstance(s := login(user, proxy), str) and s)
            return user, (session, proxy["id"])
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            new = dict(pool.map(enter, [user for user in USERS if user not in self.open]))
        where = have()
        for user, (session, proxy) in new.items():
            self.add(user, session, proxy, now[where[user][-1]]["id"])


class Agent(threading.Thread):
    """A mail transfer agent: keeps what is refused for the moment, and tries again."""

    def __init__(self):
        super().__init__(daemon=True)
        self.sent, self.delayed, self.bounced, self.going = {}, 0, [], True

    def run(self):
        queue, n, link = [], 0, None
        while self.going or queue:
            if self.going and len(queue) < 100:
                queue.append((USERS[n % len(USERS)], f"mail-{n}"))
                n += 1
            user, subject = queue.pop(0)
            try:
                if link is None:
                    proxies = [t for name, t in sorted(tasks().items()) if name.startswith("proxy") and t["healthy"]]
                    link = smtplib.LMTP(proxies[n % len(proxies)]["address"], 24, timeout=30)
                link.sendmail("sender@example.org", [user], f"Subject: {subject}\r\n\r\ntext\r\n")
                self.sent[subject] = user
            except smtplib.SMTPResponseException as e:
                self.again(queue, user, subject, e.smtp_code, e.smtp_error)
            except smtplib.SMTPRecipientsRefused as e:
                self.again(queue, user, subject, *e.recipients[user])
            except (OSError, IndexError, ZeroDivisionError):
                link = None
                self.again(queue, user, subject, 421, b"")
            time.sleep(0.02)

    def again(self, queue, user, subject, code, text):
        if code >= 500:
            self.bounced.append(f"{subject} for {user}: {code} {text!r}")
            return
        self.delayed += 1
        queue.append((user, subject))


class Stops:
    """When each container that ended was told to, or was killed. The engine keeps few events
    for those who ask later."""

    def __init__(self):
        self.file = open(work + "/events", "w+")
        self.events = subprocess.Popen(["docker", "events", "--filter", "type=container", "--filter", "event=kill",
                                        "--filter", "event=die", "--format", "{{.ID}} {{.TimeNano}}"], stdout=self.file)
        atexit.register(self.events.kill)

    def times(self):
        self.file.seek(0)
        found = {}
        for id, nano in (line.split() for line in self.file):
            found.setdefault(id, int(nano) / 1e9)
        return found


def clean():
    docker("swarm", "leave", "--force", fail=False)
    names = docker("volume", "ls", "-q", "--filter", f"name=^{STACK}_(backend|proxy)-", fail=False).split()
    for _ in range(50):
        if not [n for n in docker("ps", "-aq", "--filter", f"name=^{STACK}_", fail=False).split()]:
            break
        time.sleep(0.2)
    docker("volume", "rm", "-f", *names, fail=False)
    docker("network", "rm", "docker_gwbridge", fail=False)
    shutil.rmtree(work, ignore_errors=True)


def main():
    global tls
    if docker("info", "--format", "{{.Swarm.LocalNodeState}}").strip() != "inactive":
        raise SystemExit("FAIL  this machine is in a Swarm already, which the test will not touch: docker swarm leave --force")
    atexit.register(clean)
    docker("swarm", "init", "--advertise-addr", "127.0.0.1", "--listen-addr", "127.0.0.1:2377")
    docker("node", "update", "--label-add", "mail=true", docker("node", "ls", "-q").strip())
    shutil.copytree(here + "/deploy/swarm", work, dirs_exist_ok=True, ignore=shutil.ignore_patterns("secrets"))
    subprocess.run([work + "/certificates.sh"], check=True)
    tls = ssl.create_default_context(cafile=work + "/secrets/ca.crt")
    tls.check_hostname = False
    with open(work + "/secrets/users", "w") as f:
        f.writelines(f"{user}:{{PLAIN}}secret\n" for user in USERS)
    os.mkdir(work + "/site")
    os.chmod(work + "/site", 0o777)  # the backends write there
    put("backends", "mail-{1..3}\n")
    put("backend-users", "")

    deploy()
    within(PATIENCE, "2 proxies and 3 backends", lambda: healthy(2, 3))
    ok("2 proxies and 3 backends are healthy")

    sessions, agent, stops = Sessions(), Agent(), Stops()
    sessions.fill()
    where = have()
    check(sorted(where) == USERS and all(len(at) == 1 for at in where.values()), f"not every user is on one backend: {where}")
    spread = {b: sum(at == [b] for at in where.values()) for b in ("backend.1", "backend.2", "backend.3")}
    check(min(spread.values()) >= 60, f"users are spread unevenly: {spread}")
    sessions.start()
    agent.start()
    ok(f"{len(USERS)} users are in, and spread: {spread}")

    # A backend is killed.
    now, since = tasks(), time.time()
    docker("kill", now["backend.2"]["id"])
    lost = [u for u in USERS if where[u] == ["backend.2"]]
    kept = next(u for u in USERS if where[u] == ["backend.1"])
    refused, up = [], None
    while True:
        answer = login(lost[len(refused) % len(lost)], now["proxy.1"])
        other = login(kept, now["proxy.2"])
        check(not isinstance(other, str), f"a user of another backend was refused: {other}")
        other.logout()
        backend = tasks().get("backend.2", {})
        if up is None and backend.get("healthy"):
            up = time.monotonic()
        if not isinstance(answer, str):
            answer.logout()
            break
        refused.append(answer)
        check(up is None or time.monotonic() - up < 10, f"no login 10 s after the backend is back: {answer}")
        check(time.time() - since < PATIENCE, f"the backend is not back: {answer}")
    check(refused and all("UNAVAILABLE" in r for r in refused), f"its users got something else than UNAVAILABLE: {refused}")
    within(10, "the end of the sessions of the backend killed", lambda: set(sessions.ended) == set(lost))
    ok(f"a backend was killed: {len(lost)} sessions ended, {len(refused)} logins UNAVAILABLE, nobody else noticed; "
       f"in again {time.monotonic() - up if up else 0:.1f} s after it was healthy")
    sessions.fill()

    # One backend more, which gets one shard of each of two others; the others stay where they are.
    plan = docker("exec", "-e", "BACKENDS_FILE=", "-e", "BACKENDS=mail-{1..4}", tasks()["proxy.1"]["id"], "pidgeon", "plan", "--shards")
    moves = {shard: source for source, shards in re.findall(r"^mail-(\d) to mail-4: (.*)$", plan, re.M) for shard in shards.split()}
    check(30 < len(moves) < 90, f"a strange plan: {plan}")
    put("backend-users", "".join(f"shard:{shard}=mail-{source}\n" for shard, source in moves.items()))
    put("backends", "mail-{1..4}\n")
    docker("service", "scale", "--detach", f"{STACK}_backend=4")
    within(PATIENCE, "a fourth backend", lambda: healthy(2, 4))
    check(not sessions.ended, f"{len(sessions.ended)} sessions ended when a backend was added")
    moved = []
    for source in "1", "3":
        user, shard = next((u, x) for u in USERS if moves.get(x := hashlib.md5(u.encode()).hexdigest()[:2]) == source)
        docker("exec", tasks()[f"backend.{source}"]["id"], "pidgeon", "move", f"shard:{shard}", "mail-4")
        moved += [u for u in USERS if hashlib.md5(u.encode()).hexdigest()[:2] == shard]
    within(PATIENCE, "the end of the sessions of those who were moved", lambda: set(sessions.ended) == set(moved))
    sessions.fill()
    where = have()
    check(all(where[u][-1] == "backend.4" for u in moved), f"not all who were moved are on the fourth backend: {moved}")
    check(sum("backend.4" in at for at in where.values()) == len(moved), "the fourth backend has others too")
    ok(f"a fourth backend has 2 of the {len(moves)} shards that it is to get: {len(moved)} sessions ended, no other")

    # Everything is replaced: another Dovecot for the backends, other overrides for the proxies.
    with open(work + "/proxy.conf", "a") as f:
        f.write("login_greeting = second\n")
    deploy(BACKEND_IMAGE=AFTER, OVERRIDES_VERSION="2", BACKENDS="4")

    def updated():
        states = [docker("service", "inspect", "--format", "{{.UpdateStatus.State}}", f"{STACK}_{s}").strip() for s in ("proxy", "backend")]
        check("paused" not in states, f"an update was paused: {states}")
        return states == ["completed", "completed"] and healthy(2, 4)
    within(2 * PATIENCE, "the rolling update", updated)
    stopped = stops.times()
    early = [u for u, (at, through) in sessions.ended.items() if at < min(stopped.get(id, at + 9) for id in through) - 1]
    check(not early, f"sessions ended before anything of theirs was replaced: {early}")
    check(len(sessions.ended) == len(USERS), f"{len(sessions.open)} sessions lived on in what was replaced")
    greeting = imaplib.IMAP4_SSL(tasks()["proxy.1"]["address"], 993, ssl_context=tls).welcome
    check(b"second" in greeting, f"the override is not in effect: {greeting}")
    ok("all was replaced: backends by another Dovecot, proxies with another override; no session ended before")

    sessions.fill()
    agent.going = False
    agent.join(PATIENCE)
    check(not agent.is_alive() and not agent.bounced, f"mail bounced or was not taken: {agent.bounced}")
    sessions.watching = False
    sessions.join(PATIENCE)
    copies = {}
    for user, (session, _) in sessions.open.items():
        if session.select()[1] == [b"0"]:
            continue
        for part in session.fetch("1:*", "BODY.PEEK[HEADER.FIELDS (SUBJECT)]")[1]:
            if isinstance(part, tuple):
                subject = part[1].split(b":")[1].strip().decode()
                copies[subject] = copies.get(subject, 0) + (agent.sent.get(subject) == user)
    missing = [s for s in agent.sent if not copies.get(s)]
    check(not missing, f"{len(missing)} of {len(agent.sent)} mails are lost: {missing[:5]}")
    ok(f"{len(agent.sent)} mails taken, {agent.delayed} of them later, none lost, "
       f"{sum(n - 1 for n in copies.values() if n)} there twice")


def put(name, text):
    with open(work + "/site/new", "w") as f:
        f.write(text)
    os.rename(work + "/site/new", work + "/site/" + name)


main()
