"""overfill.py HOST:PORT <STATUS: tries half as many more sessions as pidgeon's status
claims that it holds. Within 10 % of the claim are to be held, and none is to be lost."""

import json
import socket
import ssl
import sys
import time

host, port = sys.argv[1].rsplit(":", 1)
claimed = json.load(sys.stdin)["sessions"][0]["limit"]
tls = ssl._create_unverified_context()


def ask(session, line):
    session.sendall(line + b"\r\n")
    answer = b""
    while b"x OK" not in answer:
        part = session.recv(4096)
        if not part or b"x NO" in answer + part or b"* BYE" in answer + part:
            raise OSError(answer + part)
        answer += part


def opened():
    session = tls.wrap_socket(socket.create_connection((host, int(port)), 30))
    for line in (b"x LOGIN demo demo", b"x SELECT INBOX"):
        ask(session, line)
    return session


held, turned_away, lost = [], 0, 0
for _ in range(claimed * 3 // 2):
    try:
        held.append(opened())
    except OSError:
        turned_away += 1
time.sleep(2)
for session in held:
    try:
        ask(session, b"x NOOP")
    except OSError:
        lost += 1
print(f"claimed {claimed}, held {len(held)}, turned away {turned_away}, lost {lost}")
sys.exit(lost > 0 or not 0.9 * claimed <= len(held) <= 1.1 * claimed)
