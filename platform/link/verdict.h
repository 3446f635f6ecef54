/* verdict.h: what can be said of a message, and what can become of it. The words of the contract
 * between the dataplane, the scanners and control; the log and the relay use the same ones.
 *
 * Threads: any. No state, no memory. Hot path.
 */
#ifndef PLATFORM_LINK_VERDICT_H
#define PLATFORM_LINK_VERDICT_H

/* Never anything else. */
enum verdict_kind { VERDICT_CLEAN = 1, VERDICT_INFECTED, VERDICT_UNSCANNABLE };

/* Why a message is unscannable. X(NAME, "as in logs and X-Virus-Status") */
#define UNSCANNABLE_LIST(X)                  \
    X(NONE, "none")                          \
    X(NO_ENGINE, "no engine")                \
    X(ENCRYPTED, "encrypted")                \
    X(LIMIT, "limit exceeded")               \
    X(TIME, "time limit")                    \
    X(ENGINE_ERROR, "engine error")          \
    X(SCANNER_DIED, "scanner died")          \
    X(BAD_ANSWER, "bad answer from scanner") \
    X(BUSY, "scanners busy")                 \
    X(MALFORMED, "malformed")                \
    X(UNSUPPORTED, "unsupported")            \
    X(PARTIAL, "partial")                    \
    X(ENCRYPTED_MAIL, "encrypted mail")      \
    X(ENCRYPTED_DOCUMENT, "encrypted document")

enum unscannable_reason {
#define X(name, text) UNSCANNABLE_##name,
    UNSCANNABLE_LIST(X)
#undef X
        UNSCANNABLE_COUNT
};

/* Fixed text, never null. */
const char *unscannable_text(enum unscannable_reason reason);

/* What became of a message. Each is one counter and one status in the log. */
enum mail_outcome {
    MAIL_DELIVERED, /* the customer's server said 2xx */
    MAIL_INFECTED,
    MAIL_UNSCANNABLE,     /* refused or deferred by policy (delivered ones are MAIL_DELIVERED) */
    MAIL_RELAY_TEMPORARY, /* the customer's 4xx */
    MAIL_RELAY_PERMANENT, /* the customer's 5xx */
    MAIL_NO_RELAY,        /* customer's server or control unreachable, broken off, or too slow */
    MAIL_TOO_LARGE,
    MAIL_NO_ROOM,   /* our memory ran out while it came in */
    MAIL_MALFORMED, /* bare CR or LF, loop */
    MAIL_CUT_OFF,   /* the connection ended or timed out before end of data */
    MAIL_ABANDONED, /* the sender left after end of data, before it was relayed */
};

#endif
