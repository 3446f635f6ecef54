/* source.h: where a program has its configuration from: a file, or the supervisor.
 *
 *   -c FILE          started by hand: it reads the file itself, again when it is told to (HUP)
 *   --config-fd N    started by `postern run`: sealed configurations come down descriptor N
 *                    (feed.h); HUP is nothing to it
 *
 * Threads: one. Memory: configurations are the caller's.
 */
#ifndef PLATFORM_CONFIG_SOURCE_H
#define PLATFORM_CONFIG_SOURCE_H

#include "platform/config/feed.h"

#define SOURCE_USAGE "-c FILE | --config-fd N"

struct config_source {
    const char *file;        /* null with a feed; borrowed */
    int feed;                /* -1 without */
    uint32_t number;         /* of the last that was taken */
    struct feed_answer last; /* said */
};

/* Takes the two words behind a program's name; false: they are not one of the above. The
 * descriptor becomes the source's. */
bool source_parse(struct config_source *source, const char *option, const char *value);

/* The first configuration; waits for it for some seconds. An error is one line in *error. */
enum status source_first(struct config_source *source, struct config **config,
                         struct config_error *error) STATUS_CHECKED;

/* A newer one. From a file: always loads it, numbered on. From a feed: STATUS_AGAIN when none has
 * come; when several have, the newest. One that cannot be used is answered as refused.
 * `view` as for feed_take(); *viewed tells that it was filled. */
enum status source_next(struct config_source *source, struct config **config,
                        struct config_error *error, struct feed_view *view,
                        bool *viewed) STATUS_CHECKED;

/* Tells the supervisor, if there is one and there is news: `number` is in force, something still
 * goes by `oldest`, `live` are in memory, and `why` in words (may be empty). */
void source_answer(struct config_source *source, uint32_t number, uint32_t oldest, uint32_t live,
                   const char *why);

void source_close(struct config_source *source);

#endif
