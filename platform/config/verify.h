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

/* One port, at node `node`, against those before it in `config`. */
enum status verify_port(struct locate *locate, int node, const struct config *config,
                        unsigned index) STATUS_CHECKED;

/* Everything else; also fills in the default postmaster. */
enum status verify_config(struct locate *locate, struct config *config) STATUS_CHECKED;

#endif
