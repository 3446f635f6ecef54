"""read_canonical: FOLDER/mail.eml has the attachments FOLDER/part0, part1, ... and no others, without a defect.

    read_canonical.py FOLDER COUNT
"""

import email
import email.policy
import os
import sys


def main():
    folder = sys.argv[1]
    wanted = [open(os.path.join(folder, f"part{number}"), "rb").read() for number in range(int(sys.argv[2]))]
    for policy in (email.policy.compat32, email.policy.default):
        with open(os.path.join(folder, "mail.eml"), "rb") as file:
            mail = email.message_from_binary_file(file, policy=policy)
        leaves = [part for part in mail.walk() if not part.is_multipart()]
        defects = [defect for part in mail.walk() for defect in part.defects]
        if [leaf.get_payload(decode=True) for leaf in leaves] != wanted or defects:
            print(f"{policy}: {len(leaves)} parts, defects {defects}")
            return 1
        for leaf in leaves:
            name = leaf.get_filename() or ""
            if any(byte in name for byte in "\"\\;\r\n"):
                print(f"{policy}: a part is called {name!r}")
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
