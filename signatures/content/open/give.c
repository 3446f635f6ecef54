/* What comes out, and the bounds of it. */
#include <stdlib.h>
#include <string.h>

#include "signatures/content/open/internal.h"

#define GIVE_ROOM_MIN 4096u

bool open_starts(struct open_span span, const char *word, size_t length)
{
    return span.length >= length && memcmp(span.at, word, length) == 0;
}

static void open_raise(struct opener *opener, enum open_verdict verdict,
                       struct open_finding finding)
{
    if (verdict <= opener->call.verdict)
        return;
    opener->call.verdict = verdict;
    opener->call.finding = finding;
}

bool open_goes_on(const struct opener *opener)
{
    return opener->call.verdict < OPEN_OVER_BOUND;
}

bool open_over_bound(struct opener *opener)
{
    open_raise(opener, OPEN_OVER_BOUND, (struct open_finding){UNSCANNABLE_LIMIT, ""});
    return false;
}

bool open_no_memory(struct opener *opener)
{
    open_raise(opener, OPEN_NO_MEMORY, (struct open_finding){UNSCANNABLE_NONE, ""});
    return false;
}

void open_found(struct opener *opener)
{
    open_raise(opener, OPEN_FOUND, (struct open_finding){UNSCANNABLE_NONE, ""});
}

void open_finds(struct opener *opener, enum unscannable_reason reason, const char *kind)
{
    open_raise(opener, OPEN_FINDING, (struct open_finding){reason, kind});
}

bool open_append(struct opener *opener, struct open_buffer *buffer, const uint8_t *bytes,
                 size_t length)
{
    if (length > opener->limits.bytes - opener->bytes ||
        buffer->length > opener->limits.bytes - opener->bytes - length)
        return open_over_bound(opener);
    if (length > buffer->room - buffer->length) {
        size_t room = buffer->room < GIVE_ROOM_MIN ? GIVE_ROOM_MIN : 2 * buffer->room;
        uint8_t *grown;

        if (room < buffer->length + length)
            room = buffer->length + length;
        grown = realloc(buffer->bytes, room);
        if (grown == NULL)
            return open_no_memory(opener);
        buffer->bytes = grown;
        buffer->room = room;
    }
    if (length > 0)
        memcpy(buffer->bytes + buffer->length, bytes, length);
    buffer->length += length;
    return true;
}

/* Counts one more content. */
static bool open_count(struct opener *opener, size_t length)
{
    if (opener->call.depth > opener->limits.depth || opener->entries >= opener->limits.entries ||
        length > opener->limits.bytes - opener->bytes)
        return open_over_bound(opener);
    opener->entries++;
    opener->bytes += length;
    open_found(opener);
    return true;
}

/* What the sink said. */
static bool open_given(struct opener *opener, bool more)
{
    if (!more)
        open_raise(opener, OPEN_STOPPED, (struct open_finding){UNSCANNABLE_NONE, ""});
    return more;
}

bool open_give_mail(struct opener *opener, struct open_span span)
{
    if (span.length == 0)
        return true;
    return open_count(opener, span.length) &&
           open_given(opener,
                      opener->call.sink->mail(opener->call.sink->context, span.at, span.length));
}

bool open_give_file(struct opener *opener, struct open_span span, const char *name)
{
    char cut[OPEN_NAME_MAX + 1];
    size_t length = strnlen(name, OPEN_NAME_MAX);

    if (span.length == 0)
        return true;
    memcpy(cut, name, length);
    cut[length] = '\0';
    return open_count(opener, span.length) &&
           open_given(opener, opener->call.sink->file(opener->call.sink->context, span.at,
                                                      span.length, cut));
}
