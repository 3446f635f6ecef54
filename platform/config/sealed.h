/* sealed.h: a configuration as it goes from the process that read it to those that use it.
 *
 * `postern run` reads the file once, checks it, and writes the bytes it checked into a memory file
 * that the kernel seals: nobody can change, shrink or grow it afterwards, whoever has it open. In
 * front stand a number, counted up with every reload, and a digest. Programs get the descriptor,
 * verify all of that and read the same bytes with the same code, so what one of them understands
 * all do (docs/decisions/0012).
 *
 * The digest tells two configurations apart, in status and log; it is no defence, the seal is.
 *
 * Any thread. Memory: descriptors are the caller's; configurations go by config_free().
 */
#ifndef PLATFORM_CONFIG_SEALED_H
#define PLATFORM_CONFIG_SEALED_H

#include "platform/config/config.h"

/* Reads and checks `path`, and seals what it said. On STATUS_OK *config and *fd (close-on-exec) are
 * the caller's, config->number is `number`. Otherwise both are nothing and *errors holds why. */
enum status sealed_make(const char *path, uint32_t number, struct config **config, int *fd,
                        struct config_errors *errors) STATUS_CHECKED;

/* The configuration in `fd`, which stays the caller's. A descriptor that is no memory file, is not
 * sealed, or does not hold what its head promises is STATUS_BAD_FORMAT; *errors says what. */
enum status sealed_open(int fd, struct config **config,
                        struct config_errors *errors) STATUS_CHECKED;

#endif
