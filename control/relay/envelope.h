/* envelope.h: MAIL and the RCPTs of one transaction: what of them has been said, answered, refused.
 *
 * Where the server offers pipelining (RFC 2920), up to ENVELOPE_COMMANDS_MAX commands are under
 * way; the worst refusal is kept, the first 5xx before the first 4xx, with the command it answered.
 * Once nothing can make it worse, what is not yet sent is not sent.
 *
 * Threads: control's loop. Memory: none of its own.
 */
#ifndef CONTROL_RELAY_ENVELOPE_H
#define CONTROL_RELAY_ENVELOPE_H

#include <event2/buffer.h>

#include "control/relay/reply.h"
#include "control/relay/transaction.h"

#define ENVELOPE_COMMANDS_MAX  100u   /* pipelined and not yet answered */
#define ENVELOPE_COMMAND_BYTES 16384u /* of commands queued */

/* Command 0 is MAIL, n is RCPT of recipient n - 1. */
struct envelope {
    unsigned total; /* commands to send; lowered to `sent` when more make no sense */
    unsigned sent;
    unsigned answered;
    unsigned refused_code; /* worst refusal so far; 0: none */
    unsigned refused_command;
    char refused_text[RELAY_TEXT_BYTES];
};

void envelope_start(struct envelope *envelope, const struct transaction *transaction);

/* Appends as many commands as the server and our bounds allow. */
void envelope_send(struct envelope *envelope, const struct transaction *transaction,
                   const struct reply_offers *offers, struct evbuffer *output);

/* Takes the answer, no 3xx, to the oldest command that waits for one. True when it was the last. */
bool envelope_answer(struct envelope *envelope, const struct reply *reply);

/* The refusal's text with the recipient it is about, behind the enhanced code where there is one:
 * "5.1.1 <a@b>: No such user here". */
void envelope_refusal(const struct envelope *envelope, const struct transaction *transaction,
                      char to[RELAY_TEXT_BYTES]);

#endif
