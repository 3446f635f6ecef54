/* load.h: the two halves of config_load(): the bytes, and what they mean. For sealed.c. */
#ifndef PLATFORM_CONFIG_LOAD_H
#define PLATFORM_CONFIG_LOAD_H

#include "platform/config/config.h"

/* Reads `path`. On STATUS_OK *text is the caller's to free(). Otherwise an error is added. */
enum status load_bytes(const char *path, unsigned char **text, size_t *size,
                       struct config_errors *errors) STATUS_CHECKED;

/* What `size` bytes say; `path` is for texts. As config_load_all(). */
enum status load_text(const char *path, const unsigned char *text, size_t size,
                      struct config **config, struct config_errors *errors) STATUS_CHECKED;

#endif
