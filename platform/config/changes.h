/* changes.h: what differs between two configurations and takes effect with a restart only.
 *
 * Any thread; pure.
 */
#ifndef PLATFORM_CONFIG_CHANGES_H
#define PLATFORM_CONFIG_CHANGES_H

#include "platform/config/config.h"

/* Writes the names of those keys ("memory.messages, ports"), cut with "..." where `size` does not
 * hold them all, and returns how many there are. */
unsigned changes_for_restart(const struct config *before, const struct config *after, char *text,
                             size_t size);

#endif
