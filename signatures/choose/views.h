/* views.h: a mail of a corpus, roughly as it is searched: pieces of text (squeezed and as they are)
 * and of other bytes.
 *
 * Threads: one set of views, one thread. Memory: reused from mail to mail.
 */
#ifndef SIGNATURES_CHOOSE_VIEWS_H
#define SIGNATURES_CHOOSE_VIEWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct view_bytes {
    uint8_t *bytes;
    size_t length;
    size_t room;
};

struct views {
    struct view_bytes squeezed; /* of one piece */
    struct view_bytes decoded;
};

/* What is called with each piece. Text: `domains` of text, `squeezed` is h() of `bytes`; else the
 * binary domains, and null. False ends the walk. */
struct view_sink {
    void *context;
    bool (*piece)(void *context, uint32_t domains, const uint8_t *bytes, size_t length,
                  const uint8_t *squeezed, size_t squeezed_length);
};

/* Shows all pieces of a mail. False: no memory, or the sink said so. */
bool views_of_mail(struct views *views, const uint8_t *mail, size_t length,
                   const struct view_sink *sink);

void views_free(struct views *views);

#endif
