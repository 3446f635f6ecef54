/* sample.h: a configuration with every key, and files to load texts from.
 *
 * No value here is the default, so that a key that is read but not stored shows.
 */
#ifndef TESTS_UNIT_CONFIG_SAMPLE_H
#define TESTS_UNIT_CONFIG_SAMPLE_H

#include <stddef.h>

#include "platform/config/config.h"

extern const char sample_full[];
extern const char sample_minimal[]; /* mandatory keys alone */

/* Loads `size` bytes through a file in memory. */
enum status sample_load(const char *text, size_t size, struct config **config,
                        struct config_error *error);

enum status sample_load_all(const char *text, size_t size, struct config **config,
                            struct config_errors *errors);

/* The path of that file. */
const char *sample_path(void);

/* `text` with its first `old` replaced; the caller frees. Fails the test when there is none. */
char *sample_replace(const char *text, const char *old, const char *replacement);

#endif
