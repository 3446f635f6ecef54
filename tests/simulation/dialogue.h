/* dialogue.h: a sender of mail: the client side of RFC 5321 as a script of chance, checked reply by
 * reply. Used in mail mode only.
 *
 * The script is a list of items. Each item that is sent has exactly one reply, in order; the banner
 * is the reply to item 0.
 */
#ifndef TESTS_SIMULATION_DIALOGUE_H
#define TESTS_SIMULATION_DIALOGUE_H

#include "world.h"

#define DIALOGUE_ITEMS_MAX 96u

enum dialogue_kind {
    DIALOGUE_BANNER,
    DIALOGUE_EHLO,
    DIALOGUE_HELO,
    DIALOGUE_NOOP,
    DIALOGUE_VRFY,
    DIALOGUE_RSET,
    DIALOGUE_MAIL,
    DIALOGUE_RCPT,
    DIALOGUE_RCPT_UNKNOWN,
    DIALOGUE_RCPT_FOREIGN,
    DIALOGUE_DATA,
    DIALOGUE_BODY,
    DIALOGUE_QUIT,
};

struct dialogue_item {
    enum dialogue_kind kind;
    char text[80];
    uint8_t *body; /* DIALOGUE_BODY: as the recipient is to get it */
    uint32_t body_length;
    bool submitted;
    unsigned answer; /* the code the service has given */
};

struct dialogue {
    struct dialogue_item items[DIALOGUE_ITEMS_MAX];
    unsigned item_count;
    unsigned next;                    /* item to be sent next */
    uint8_t sent[DIALOGUE_ITEMS_MAX]; /* items in the order they were sent */
    unsigned sent_count;
    unsigned replied;   /* how many of those have had their reply */
    int64_t parsed;     /* reply bytes the sender has read */
    int64_t counted_to; /* reply bytes the server's side was counted to */
    unsigned counted;   /* replies the server has queued */
    bool pipelining;
    bool eager;   /* goes on behind a body without waiting for its reply */
    bool quits;   /* says QUIT, rather than only closing */
    bool no_room; /* heard 452 */
    bool pauses;
    bool has_mail;
    unsigned recipients; /* accepted in this transaction */
    bool data_open;      /* 354 was said */
    bool closing;        /* 421 */
    bool complete;       /* every item is done */
};

/* Reply bytes have come in order (or the server's FIN). */
void dialogue_received(struct exchange *x);
/* The pause the script asked for is over. */
void dialogue_timer(struct exchange *x);
/* How many replies are complete in [0, end) of the reply bytes, going on from *from. */
unsigned dialogue_count_replies(const uint8_t *bytes, int64_t *from, int64_t end);

#endif
