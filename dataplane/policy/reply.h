/* reply.h: the words in which a sender hears what became of its message.
 *
 * The same words go to the sender and to the log. A customer's server's own words are passed on
 * line by line, with a code of the class that the outcome has and with our id; what we say
 * ourselves names its reason (RFC 5321 4.2, RFC 2034, RFC 3463).
 *
 * Threads: any; no state. Memory: the caller's buffer. Hot path.
 */
#ifndef DATAPLANE_POLICY_REPLY_H
#define DATAPLANE_POLICY_REPLY_H

#include "dataplane/policy/decide.h"

/* The answer to a message. Texts are borrowed. */
struct mail_result {
    enum mail_outcome outcome;
    enum policy_action action;      /* UNSCANNABLE: POLICY_REJECT or POLICY_DEFER */
    enum unscannable_reason reason; /* UNSCANNABLE */
    unsigned code;                  /* RELAY_*: the customer's code */
    const char *text; /* RELAY_*, DELIVERED: the customer's text, '\n' between lines */
    const char *name; /* INFECTED: signature; UNSCANNABLE: reason in words */
};

/* Writes the reply `result` calls for, CRLF included, into `text` (`size` >= 512; not
 * zero-terminated); returns its length. A reply of several lines is cut to whole lines that fit. */
size_t policy_reply(const struct message *message, const struct mail_result *result, char *text,
                    size_t size);

#endif
