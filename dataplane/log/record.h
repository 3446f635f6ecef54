/* record.h: what a worker has the main thread write into the log (rings.h): one record a message,
 * more for recipients beyond its first, and one for each refused command.
 *
 * The worker fills a fixed-size record; the main thread formats it (log/format.h) as Postfix-like
 * key=value text or flat JSON and writes it to standard output. Nothing is formatted on a packet
 * core.
 */
#ifndef DATAPLANE_LOG_RECORD_H
#define DATAPLANE_LOG_RECORD_H

#include <stdint.h>

#define LOG_RECIPIENTS_BYTES 1382u /* what the other fields take: five of the longest */

enum log_kind {
    LOG_MESSAGE,    /* a message came to its end */
    LOG_RECIPIENTS, /* more recipients of the one before it, with the same id, outcome and status */
    LOG_REJECT,     /* NOQUEUE: a command was refused (RCPT to an unknown domain, ...) */
};

struct log_record {
    int64_t wall_ns;
    uint32_t kind; /* enum log_kind */
    uint32_t worker;
    uint32_t size; /* bytes as received from the sender (no trace field) */
    uint32_t recipients;
    uint32_t outcome; /* enum mail_outcome */
    uint32_t verdict; /* enum verdict_kind, 0 = none reached */
    uint32_t scan_attempts;
    uint32_t readings; /* byte strings scanned besides the message */
    uint32_t reading;  /* the one the verdict is of; 0: the message as it came */
    /* Microseconds spent: MAIL to DATA, DATA to end of data, waiting+scanning, relaying. */
    uint32_t delay_envelope_us;
    uint32_t delay_data_us;
    uint32_t delay_scan_us;
    uint32_t delay_relay_us;
    char id[20];
    union {
        struct {
            char command[12];    /* LOG_REJECT: which command was refused */
            char decided_by[12]; /* "prefilter", "cache", "scanner", "none" */
            char sent_on[96];    /* why the prefilter did not settle it; empty when it did */
            char doubt[64];      /* why there were readings; empty when there were none */
            char client[46];
            char helo[256];
            char from[256];
            char to[256];   /* first recipient */
            char name[160]; /* signature or unscannable reason */
            char relay[96];
            char engine[128];
        };
        char more[LOG_RECIPIENTS_BYTES]; /* LOG_RECIPIENTS: `recipients` of them, each zero-ended */
    };
    char status[512]; /* reply given to the sender */
};

#endif
