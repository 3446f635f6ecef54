/* mail.h: the SMTP server on top of the endpoint, with a service that answers when chance says so,
 * and what its senders are going to say. Mail mode only.
 */
#ifndef TESTS_SIMULATION_MAIL_H
#define TESTS_SIMULATION_MAIL_H

#include "world.h"

void mail_application(struct tcp_application *application, struct world *world);
/* Draws what one sender is going to say. */
void mail_plan(struct world *world, struct exchange *x);
/* A verdict is due. */
void mail_answer(struct world *world, uint32_t subject);
/* Much too much data is answered with 421 (limits.message_size), and not read to its end. */
bool mail_excused(const struct world *world, const struct exchange *x);
/* What must hold of every dialogue at the end. */
void mail_check(struct world *world);
void mail_fini(struct world *world);

#endif
