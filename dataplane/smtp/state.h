/* state.h: what is kept for one SMTP connection, and the calls between the files of this folder.
 *
 * A session is small, for most connections are idle ones: HELO and sender are kept here until the
 * first recipient is accepted; only then is a message slot taken, so that probing costs nothing.
 *
 * Life of a session: CONNECTED, GREETED, MAIL, RECIPIENT, ADMITTING, DATA, WAITING and back to
 * GREETED, with
 * DISCARD in place of the rest of DATA when the message is refused while it comes in, and CLOSING
 * from the moment our side is closed. Which command may come in which of them is the table in
 * command.c; which state may follow which is the table in state.c, and smtp_move() alone changes
 * it. A message up to DATA is the session's; from submit() on it is only named.
 *
 * Room for replies is made sure of before a command is read (SMTP_REPLY_ROOM), so that every reply,
 * the one after end of data included, can be said at once and in order. Only when no block at all
 * is left can the banner or the answer to end of data find none: it is then kept (where the sender
 * stands, which is not needed at that time) and nothing is read until it is said.
 *
 * Threads: the owning worker. Memory: beside the connection. Hot path.
 */
#ifndef DATAPLANE_SMTP_STATE_H
#define DATAPLANE_SMTP_STATE_H

#include "dataplane/smtp/address.h"
#include "dataplane/smtp/parameters.h"
#include "dataplane/smtp/session.h"
#include "dataplane/smtp/text.h"
#include "platform/clock.h"

#define SMTP_LINE_BYTES 508u /* longest reply line without CRLF; with it under 512 */
#define SMTP_REPLY_ROOM (SMTP_RESULT_BYTES + 1024u)
_Static_assert(SMTP_REPLY_ROOM <= STREAM_SEND_BYTES, "an empty queue takes every reply");

/* How often who waits for room asks again. */
#define SMTP_ADMISSION_POLL_NS (50 * CLOCK_NS_PER_MS)

/* Who has waited for so long may make room by shedding. */
#define SMTP_SHED_AFTER_NS CLOCK_NS_PER_SECOND

/* How much faster than limits.data_rate data has to come while memory is short. */
#define SMTP_SHORTAGE_RATE 64u

#define SMTP_HELO_BYTES   256u /* with its zero */
#define SMTP_SENDER_BYTES 256u /* with its zero */
#define SMTP_HELO_KEPT    63u

enum smtp_state {
    SMTP_CONNECTED,                              /* no greeting yet */
    SMTP_GREETED,                                /* between two transactions */
    SMTP_MAIL,                                   /* the sender is known */
    SMTP_RECIPIENT,                              /* at least one was accepted: there is a message */
#define SMTP_COMMAND_STATES (SMTP_RECIPIENT + 1) /* up to here commands are read */
    SMTP_ADMITTING,                              /* DATA waits for room; nothing is read */
    SMTP_DATA,
    SMTP_DISCARD, /* the message is refused; its bytes are read to their end and dropped */
    SMTP_WAITING, /* for smtp_finish(); nothing is read */
    SMTP_CLOSING,
    SMTP_STATES,
};

/* Where in a line of message data the next byte stands. */
enum smtp_scan {
    SMTP_SCAN_LINE_START,
    SMTP_SCAN_TEXT,
    SMTP_SCAN_CR,
    SMTP_SCAN_DOT,    /* after a dot at the start of a line; the dot is dropped */
    SMTP_SCAN_DOT_CR, /* and then CR: with LF the end of data */
    SMTP_SCAN_END,
};

struct smtp_session {
    struct message *message; /* of the transaction, from its first recipient on */
    int64_t mail_ns;
    int64_t paid_ns;        /* DATA, DISCARD: how long what was sent pays for */
    uint64_t drained_bytes; /* raw bytes of DATA and DISCARD */
    uint32_t message_flags; /* MESSAGE_FLAG_* of MAIL */
    union {
        uint32_t announced_bytes; /* until DATA is answered: SIZE= of MAIL; 0: none */
        uint32_t received_fields; /* from then on */
    };
    uint16_t bad_commands;
    uint16_t helo_length;    /* 0: none yet */
    uint16_t pending_length; /* of the reply that could not be queued, kept at smtp_sender() */
    uint8_t state;           /* enum smtp_state */
    uint8_t scan;            /* enum smtp_scan */
    uint8_t field_match;     /* bytes of "Received:" seen at the start of this header line */
    uint8_t refusal;         /* enum mail_outcome, in DISCARD */
    uint8_t fault;           /* enum smtp_fault, in DISCARD with MAIL_MALFORMED */
    bool in_header;
    bool esmtp;
    bool skipping;   /* a line that is no command is being dropped, up to its CRLF */
    bool skipped;    /* an LF of it was seen and is not answered yet */
    bool skipped_cr; /* its last byte was CR */
    bool finished;   /* the sender closed its half */
    /* What it called itself, zero-terminated, and behind it its address, zero-terminated. Beside a
     * very long address a very long name is cut to its first SMTP_HELO_KEPT bytes: it is only
     * logged and written into Received. */
    char text[SMTP_HELO_KEPT + 1 + SMTP_SENDER_BYTES];
};
_Static_assert(sizeof(struct smtp_session) <= 384, "idle connections have to cost little");
_Static_assert(SMTP_HELO_KEPT + 1 + SMTP_SENDER_BYTES >= SMTP_HELO_BYTES + 1, "HELO fits alone");

static inline const char *smtp_helo(const struct smtp_session *session)
{
    return session->text;
}

static inline const char *smtp_sender(const struct smtp_session *session)
{
    return session->text + session->helo_length + 1;
}

/* Room for `size` (<= SMTP_SENDER_BYTES) bytes where smtp_sender() is. */
static inline char *smtp_sender_room(struct smtp_session *session, size_t size)
{
    if (session->helo_length + 1 + size > sizeof(session->text)) {
        session->helo_length = SMTP_HELO_KEPT;
        session->text[SMTP_HELO_KEPT] = '\0';
    }
    return session->text + session->helo_length + 1;
}

/* What every handler needs. */
struct smtp_call {
    struct smtp_server *server;
    struct stream *stream;
    struct smtp_session *session;
    int64_t now_ns;
};

static inline bool smtp_reads_commands(const struct smtp_session *session)
{
    return session->state < SMTP_COMMAND_STATES;
}

/* Between MAIL and the answer: smtp_sender() is in use. */
static inline bool smtp_has_sender(const struct smtp_session *session)
{
    return session->state >= SMTP_MAIL && session->state != SMTP_DISCARD &&
           session->state != SMTP_CLOSING;
}

static inline const struct config *smtp_config(const struct smtp_call *call)
{
    return smtp_customers_config(call->server->customers);
}

/* A message may be so long: what is configured, or what a worker can hold. */
static inline uint64_t smtp_message_bytes(const struct smtp_call *call)
{
    uint64_t configured = smtp_config(call)->limits.message_bytes;

    return configured < call->server->message_bytes ? configured : call->server->message_bytes;
}

#define SMTP_TOO_MANY_UNKNOWN "421 4.7.0 Too many unknown recipients"
#define SMTP_SHUTTING_DOWN    "421 4.3.2 Service shutting down, try again later"

/* A reply line under construction, zero-terminated when it is said. */
struct smtp_line {
    char bytes[SMTP_LINE_BYTES + 3];
    struct smtp_text text;
};

/* A command's text behind its verb, and what its check made of it for the part that acts. */
struct smtp_argument {
    const char *text;
    size_t length;
    const struct config *config;
    bool odd; /* HELO: what would pass for something else is to be replaced */
    struct smtp_path path;
    struct smtp_parameters parameters;
    char mailbox[SMTP_MAILBOX_BYTES]; /* of the path, where it is not the text's */
};

/* The files of this folder in their order: each calls only those before it.
 *
 * state.c */
/* The one place where a session's state changes: the move must be one of the table. Leaves a trace
 * (struct smtp_server). */
void smtp_move(struct smtp_call *call, enum smtp_state to);

/* reply.c */
void smtp_line_begin(struct smtp_line *line, const char *string);
void smtp_line_say(struct smtp_call *call, struct smtp_line *line);
void smtp_say(struct smtp_call *call, const char *string);
/* Whole lines, CRLF included; counts by the first digit. */
void smtp_say_lines(struct smtp_call *call, const char *bytes, size_t length);
/* Says a reply that was kept; false while there still is no room. */
bool smtp_say_pending(struct smtp_call *call);
/* Tells the log alone: a command was refused. */
void smtp_log_refused(struct smtp_call *call, const char *command, const char *recipient,
                      const char *reply);
/* Says it, too. */
void smtp_say_refused(struct smtp_call *call, const char *command, const char *recipient,
                      struct smtp_line *line);
/* `code`, our host name and `words`, then smtp_close(). */
void smtp_say_closing(struct smtp_call *call, const char *code, const char *words);
/* FIN after what was said; nothing is read any more. */
void smtp_close(struct smtp_call *call);

/* transaction.c: the end of what MAIL and RCPT began, and their refusals. */
/* Forgets MAIL and RCPT; a message ends as `outcome` with `status`. */
void smtp_transaction_end(struct smtp_call *call, enum mail_outcome outcome, const char *status);
/* 501 and the like: counted against limits.bad_commands. True when it led to 421 instead. */
bool smtp_command_bad(struct smtp_call *call, const char *reply);
void smtp_transaction_refuse(struct smtp_call *call, const char *command, const char *recipient,
                             const char *reply);
/* A syntax error in MAIL, RCPT or DATA: both a bad command and a refusal. */
void smtp_transaction_bad(struct smtp_call *call, const char *command, const char *reply);
/* Takes `keyword` ("FROM:", "TO:", in any case) off the front, and blanks after it, which RFC 5321
 * forbids and senders use. False when it is not there. */
bool smtp_argument_keyword(struct smtp_argument *argument, const char *keyword);
/* Parses the path at the front, as strictly as is configured; *used is its length. */
enum status smtp_argument_path(struct smtp_argument *argument, size_t *used) STATUS_CHECKED;

/* shed.c: there is no room for another message, or for more of one. Ends the one that has been
 * slowest of late, of some that have had a place for long; true when one was ended. */
enum smtp_shed_for {
    SMTP_SHED_FOR_ANY,   /* a slot or a block: every message has some */
    SMTP_SHED_FOR_ROOM,  /* of the part of memory for large mail */
    SMTP_SHED_FOR_SHARE, /* of either part: a first share is wanted */
};
bool smtp_shed(struct smtp_call *call, enum smtp_shed_for what);

/* mail.c, recipient.c, admit.c: what MAIL, RCPT and DATA do. A check changes nothing; it returns
 * null, or the reply that refuses the argument. */
const char *smtp_mail_check(struct smtp_argument *argument);
void smtp_mail(struct smtp_call *call, const struct smtp_argument *argument);
const char *smtp_recipient_check(struct smtp_argument *argument);
void smtp_recipient(struct smtp_call *call, const struct smtp_argument *argument);
void smtp_admit(struct smtp_call *call);
/* Before the first message: shares the memory out for those of limits.message_size. */
void smtp_admit_fit(struct smtp_server *server);
/* In ADMITTING: is there room now? */
void smtp_admit_again(struct smtp_call *call);
/* Blocks that a message of `bytes` may come to hold while it is received, the window included. */
uint32_t smtp_admit_blocks(const struct smtp_call *call, uint64_t bytes);
/* So many bytes it may have in `blocks`, the tables of where they lie included. */
uint32_t smtp_admit_fits(const struct smtp_call *call, uint32_t blocks);

/* command.c: one command line without its CRLF. */
void smtp_command_line(struct smtp_call *call, const char *line, size_t length);
/* A line that is no command at all: 500 5.5.2, or 421 when there were too many. */
void smtp_command_garbled(struct smtp_call *call);
/* Whoever speaks there speaks another protocol: told so (`reply` in the log), closed. */
void smtp_command_foreign(struct smtp_call *call, const char *reply);

/* data.c: reads what there is of a message, up to its end. */
void smtp_data_read(struct smtp_call *call);
/* The message ends here; its bytes are still to be read past. Its blocks go back at once, and so do
 * those that were reserved for the rest. */
void smtp_data_refuse(struct smtp_call *call, enum mail_outcome outcome, enum smtp_fault fault);

/* grow.c: in DATA, after bytes were read: more room for what is still to come, or no window until
 * there is. */
void smtp_grow(struct smtp_call *call);
/* It waits for room, and it is time to ask again: gives up past limits.admission_wait. */
void smtp_grow_again(struct smtp_call *call);
static inline bool smtp_grow_waits(const struct smtp_session *session)
{
    return session->state == SMTP_DATA && session->message->admission.since_ns != 0;
}

#endif
