"""submit-and-read.py SUBMISSION IMAPS, each HOST:PORT of examples/postfix: a letter that
is submitted with a login is delivered and read; a wrong password is turned away, and so
is another's address as the sender."""
import imaplib, smtplib, ssl, sys, time

submission, imaps = (address.rsplit(":", 1) for address in sys.argv[1:])
anyone = ssl._create_unverified_context()
user = "demo@example.org"

def session():
    s = smtplib.SMTP(*submission, timeout=30)
    s.starttls(context=anyone)
    return s

for _ in range(60):
    try:
        with session() as s:
            s.login(user, "demo")
            break
    except (OSError, smtplib.SMTPException):
        time.sleep(0.5)
with session() as s:
    s.login(user, "demo")
    s.sendmail(user, [user], "Subject: from postfix\r\n\r\nbody\r\n")
    s.mail("boss@example.org")
    answer = s.rcpt(user)
    if answer[0] != 553:
        sys.exit(f"whoever logs in may send as another: {answer}")
with session() as s:
    s.ehlo()
    s.user, s.password = user, "wrong"
    try:
        s.auth("PLAIN", s.auth_plain)
        sys.exit("a wrong password is taken")
    except smtplib.SMTPAuthenticationError:
        pass
    s.mail(user)
    if s.rcpt(user)[0] < 500:
        sys.exit("whoever has not logged in may submit")
m = imaplib.IMAP4_SSL(*imaps, ssl_context=anyone)
m.login(user, "demo")
for _ in range(60):
    m.select("INBOX")
    if m.search(None, "SUBJECT", '"from postfix"')[1] != [b""]:
        break
    time.sleep(0.5)
else:
    sys.exit("the message does not arrive")
