/* show.h: a configuration as a file again, and the schema as one.
 *
 * What config_show() writes, config_load() reads back as the same configuration: every key is in
 * it, defaults and derived values too.
 *
 * Any thread; writes to the caller's stream and leaves its error state to the caller.
 */
#ifndef PLATFORM_CONFIG_SHOW_H
#define PLATFORM_CONFIG_SHOW_H

#include <stdio.h>

#include "platform/config/config.h"

void config_show(const struct config *config, FILE *to);

/* Every key there is, with its default, and what may be written as a comment behind it. */
void config_show_defaults(FILE *to);

#endif
