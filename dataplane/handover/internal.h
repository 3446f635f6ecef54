/* internal.h: what the files of dataplane/handover share. See handover.h. */
#ifndef DATAPLANE_HANDOVER_INTERNAL_H
#define DATAPLANE_HANDOVER_INTERNAL_H

#include "dataplane/counting.h"
#include "dataplane/handover/handover.h"
#include "platform/clock.h"

#define HANDOVER_SWEEP_NS          (50 * CLOCK_NS_PER_MS)
#define HANDOVER_ANSWERS_A_POLL    32u
#define HANDOVER_SCAN_ATTEMPTS_MAX 2u
#define HANDOVER_DEBT_SHARE        4 /* of limits.verdict_timeout: the most a client may owe */

#define HANDOVER_REPLY_BYTES 8192u

void handover_list_append(struct message_list *list, struct message *message);
void handover_list_remove(struct message_list *list, struct message *message);

/* Onto the list of those without a scanner (a retry goes to the front of its client's), and off it.
 */
void handover_wait(struct handover *handover, struct message *message, bool first);
void handover_wait_end(struct handover *handover, struct message *message);

/* False once limits.verdict_timeout is over: nothing new is begun with the message. */
static inline bool handover_time_left(const struct handover *handover,
                                      const struct message *message, int64_t now_ns)
{
    return now_ns - message->received_ns < handover->verdict_limit_ns;
}

/* Answers the sender and concludes; does nothing for a message that is concluded already. */
void handover_answer(struct handover *handover, struct message *message,
                     const struct mail_result *result, const char *relay, int64_t now_ns);

/* Gives the memory back of a message that no peer reads any more. */
void handover_release(struct handover *handover, struct message *message);

/* conclude.c */
void handover_log_rejected(void *context, const char *command, const char *client, const char *helo,
                           const char *sender, const char *recipient, const char *reply,
                           int64_t now_ns);

/* inspect.c */
void handover_inspect_arrived(struct handover *handover, struct message *message);
void handover_inspect_submit(struct handover *handover, struct message *message, int64_t now_ns);
unsigned handover_inspect_poll(struct handover *handover, int64_t now_ns);
/* The message ends, whatever was being done with it. */
void handover_inspect_forget(struct handover *handover, struct message *message);
/* Scanners came or went: whether the prefilter still speaks for all of them. */
void handover_inspect_vouch(struct handover *handover);
/* A full scan's answer: what the cache may remember. */
void handover_inspect_learn(struct handover *handover, const struct message *message,
                            const struct scan_result *answer);

static inline struct handover_inspection *handover_inspection_of(struct handover *handover,
                                                                 const struct message *message)
{
    return &handover->inspections[message->index - handover->store->slot_first];
}

/* scan.c */
void handover_unscannable(struct handover *handover, struct message *message,
                          enum unscannable_reason reason, const char *words, int64_t now_ns);

unsigned handover_scan_start(struct handover *handover, int64_t now_ns);
unsigned handover_scan_answers(struct handover *handover, int64_t now_ns);
void handover_scan_lost(struct handover *handover, uint32_t slot, int64_t now_ns);
void handover_scan_sweep(struct handover *handover, int64_t now_ns);

/* relay.c */
void handover_relay_start(struct handover *handover, struct message *message, int64_t now_ns);
unsigned handover_relay_answers(struct handover *handover, int64_t now_ns);
void handover_relay_lost(struct handover *handover, int64_t now_ns);
void handover_relay_sweep(struct handover *handover, int64_t now_ns);

#endif
