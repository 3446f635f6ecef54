/* attempt.h: one scanner at one message: giving the job, believing the answer, watching the time,
 * and what an end without an answer costs.
 *
 * The rules, for the worker and for `postern scan` alike:
 *   - an answer must name the job that is out, its kind, message, generation and signatures, and
 * say one of three verdicts; anything else is no answer, and the scanner is not to be asked again;
 *   - a scanner that dies, answers nonsense or is killed for its time costs the message an attempt,
 *     if it was seen at work on it (waiting behind somebody else's bomb is no fault of this one);
 *   - ATTEMPTS_MAX attempts, then it is unscannable for the reason the last one failed;
 *   - the clock of an attempt starts when the scanner is seen at work.
 *
 * What is remembered between the calls lies in struct message: job, scanner_slot, started,
 * handed_ns, deadline_ns, signatures, scan_attempts, and `reason`: why the attempt fails,
 * UNSCANNABLE_NONE while nothing is known against it.
 *
 * Threads: whoever owns the message. No memory, no time of its own. Hot path.
 */
#ifndef DATAPLANE_POLICY_ATTEMPT_H
#define DATAPLANE_POLICY_ATTEMPT_H

#include "dataplane/message/store.h"
#include "platform/link/channel.h"

#define ATTEMPTS_MAX 2u

/* Pushes the job. False: the ring is not as we left it, the scanner has scribbled over it; then the
 * message has no job. */
bool attempt_begin(struct message *message, struct channel *channel, uint64_t job, uint32_t slot,
                   int64_t now_ns) STATUS_CHECKED;

/* Whether the scanner says it is at work (a hint). */
bool attempt_busy(const struct channel *channel);

/* Whether the scanner of `slot` answers what it was asked about `message` (null: there is none of
 * that name). */
bool attempt_named(const struct message *message, const struct scan_result *answer, uint32_t slot);

/* False when the words make no sense; otherwise they are made safe: name and doubt are printable
 * and end. */
bool attempt_sensible(struct scan_result *answer) STATUS_CHECKED;

/* Looks whether it is at work, which starts the clock; true once the scanner's time is over. How
 * long the message has waited before is no fault of the scanner's: its own end only counts where
 * the scanner has not begun a whole limit after it. */
bool attempt_overdue(struct message *message, const struct channel *channel, int64_t limit_ns,
                     int64_t now_ns);

/* The scanner broke the protocol: the attempt is spent, whatever was said about it. */
void attempt_spoil(struct message *message);

/* It ended without an answer. True: the message may have another one (while there is `time_left`).
 * False: message->reason says why it is unscannable. */
bool attempt_again(struct message *message, bool time_left);

#endif
