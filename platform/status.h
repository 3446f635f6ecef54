/* status.h: the one list of results a fallible function may return.
 *
 * STATUS_OK is 0. Every other value says what went wrong in the caller's terms; functions that
 * return `enum status` are STATUS_CHECKED, so that ignoring one does not compile. Packet input
 * does not use this: dropping a packet is normal and is an *outcome* (see tcp.h), not an error.
 *
 * Thread-safe, no state, not for the hot path (texts are for people).
 */
#ifndef PLATFORM_STATUS_H
#define PLATFORM_STATUS_H

#define STATUS_LIST(X)                                       \
    X(OK, "ok")                                              \
    X(NO_MEMORY, "out of memory")                            \
    X(NO_SPACE, "no space left in a bounded buffer or pool") \
    X(NOT_FOUND, "not found")                                \
    X(BAD_ARGUMENT, "argument out of range")                 \
    X(BAD_FORMAT, "malformed input")                         \
    X(BAD_CONFIG, "bad configuration")                       \
    X(STALE, "the object it names no longer exists")         \
    X(BROKEN_PEER, "the other process broke the protocol")   \
    X(CLOSED, "the other side closed the connection")        \
    X(AGAIN, "nothing there now, try again later")           \
    X(IN_USE, "address, port or name already in use")        \
    X(NOT_PERMITTED, "not permitted")                        \
    X(UNSUPPORTED, "not supported by this machine or build") \
    X(TIMED_OUT, "timed out")                                \
    X(SYSTEM, "system call failed (see errno)")

enum status {
#define X(name, text) STATUS_##name,
    STATUS_LIST(X)
#undef X
        STATUS_COUNT
};

#define STATUS_CHECKED __attribute__((warn_unused_result))

/* A fixed English text for `status`, never null; "unknown status" for a value outside the list. */
const char *status_text(enum status status);

#endif
