"""Sends one message: sender.py HOST PORT SENDER RECIPIENT < message. Prints the reply to it, or to
the command that was refused, on one line. Runs inside the demonstration's network namespace.
"""

import smtplib
import sys


def main():
    host, port, sender, recipient = sys.argv[1:5]
    message = sys.stdin.buffer.read()
    try:
        with smtplib.SMTP(host, int(port), "sender.example.net", timeout=60) as session:
            session.ehlo_or_helo_if_needed()
            options = ["SIZE=%d" % len(message)] if session.has_extn("size") else []
            if max(message, default=0) > 127 and session.has_extn("8bitmime"):
                options.append("BODY=8BITMIME")
            code, text = session.mail(sender, options)
            if code == 250:
                code, text = session.rcpt(recipient)
            if code == 250:
                code, text = session.data(message)
    except smtplib.SMTPResponseException as error:
        code, text = error.smtp_code, error.smtp_error
    except (OSError, smtplib.SMTPException) as error:
        print("no reply: %s" % error)
        return 1
    print("%d %s" % (code, text.decode("ascii", "replace").replace("\n", " ")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
