/* verify.h: rules that span more than one key.
 *
 * Each value is already right by itself; here they are held against each other. Errors point at
 * the value that should most likely be changed.
 *
 * Main thread, start-up.
 */
#ifndef PLATFORM_CONFIG_VERIFY_H
#define PLATFORM_CONFIG_VERIFY_H

#include "platform/config/locate.h"

/* All of them; also fills in what follows from other keys: the default postmaster, the prefilter's
 * file, what is derived in customers. STATUS_BAD_CONFIG when an error was added, STATUS_NO_MEMORY.
 */
enum status verify_config(struct locate *locate, struct config *config) STATUS_CHECKED;

#endif
