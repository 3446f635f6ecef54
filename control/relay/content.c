#include "control/relay/content.h"

#include <string.h>

#include "platform/check.h"

#define CONTENT_VECTORS 16u

static void content_let_go(const void *bytes, size_t length, void *source)
{
    (void)bytes;
    (void)length;
    source_give(source);
}

static enum status content_add_run(struct evbuffer *to, const uint8_t *bytes, size_t length,
                                   struct source *source)
{
    if (length == 0)
        return STATUS_OK;
    if (length < CONTENT_COPY_BYTES || !source->kind->lasting)
        return evbuffer_add(to, bytes, length) == 0 ? STATUS_OK : STATUS_NO_MEMORY;
    if (evbuffer_add_reference(to, bytes, length, content_let_go, source_take(source)) == 0)
        return STATUS_OK;
    source_give(source);
    return STATUS_NO_MEMORY;
}

/* The first CR or LF in [from, length), or length. Two memchr()s over a line beat a loop over
 * its bytes; the second never looks further than the first found. */
static size_t content_next_end(const uint8_t *bytes, size_t from, size_t length)
{
    const uint8_t *lf = memchr(bytes + from, '\n', length - from);
    size_t end = lf != NULL ? (size_t)(lf - bytes) : length;
    const uint8_t *cr = memchr(bytes + from, '\r', end - from);

    return cr != NULL ? (size_t)(cr - bytes) : end;
}

enum status stuffing_add(struct stuffing *stuffing, struct evbuffer *to, const uint8_t *bytes,
                         size_t length, struct source *source)
{
    size_t run = 0; /* first byte not yet appended */
    size_t i = 0;

    while (i < length) {
        if (stuffing->position == CONTENT_AFTER_CR) {
            if (bytes[i] != '\n')
                return STATUS_BAD_FORMAT;
            stuffing->position = CONTENT_LINE_START;
            i++;
            continue;
        }
        if (stuffing->position == CONTENT_LINE_START && bytes[i] == '.') {
            /* The run with its own dot goes out; the next run starts at the same dot again. */
            enum status status = content_add_run(to, bytes + run, i + 1 - run, source);

            if (status != STATUS_OK)
                return status;
            run = i;
        }
        i = content_next_end(bytes, i, length);
        stuffing->position = CONTENT_IN_LINE;
        if (i == length)
            break;
        if (bytes[i] == '\n')
            return STATUS_BAD_FORMAT;
        stuffing->position = CONTENT_AFTER_CR;
        i++;
    }
    return content_add_run(to, bytes + run, length - run, source);
}

const char *stuffing_end(const struct stuffing *stuffing)
{
    return stuffing->position == CONTENT_LINE_START ? ".\r\n" : "\r\n.\r\n";
}

void content_start(struct content *content, struct source *source, const char *fields)
{
    CHECK(source->trace_size <= source->size);
    *content = (struct content){.source = source, .fields = fields};
}

static enum status content_add_fields(struct content *content, struct evbuffer *to)
{
    /* Our own lines: none starts with a dot, each ends with CRLF. A trace that does not end its
     * line would swallow them. */
    if (content->stuffing.position != CONTENT_LINE_START)
        return STATUS_BAD_FORMAT;
    content->fields_sent = true;
    return evbuffer_add(to, content->fields, strlen(content->fields)) == 0 ? STATUS_OK
                                                                           : STATUS_NO_MEMORY;
}

/* The next pieces, up to the fields' place or `room`. */
static enum status content_add_pieces(struct content *content, struct evbuffer *to, size_t room)
{
    struct source *source = content->source;
    struct iovec vectors[CONTENT_VECTORS];
    unsigned count = 0;
    enum status status;
    size_t end = content->fields_sent ? source->size : source->trace_size;

    CHECK(content->offset < end);
    if (room > end - content->offset)
        room = end - content->offset;
    status = source->kind->pieces(source, content->offset, room, vectors, CONTENT_VECTORS, &count);
    if (status == STATUS_OK && count == 0)
        status = STATUS_BAD_FORMAT; /* shorter than it said */
    CHECK(count <= CONTENT_VECTORS);
    for (unsigned i = 0; i < count && status == STATUS_OK; i++) {
        status =
            stuffing_add(&content->stuffing, to, vectors[i].iov_base, vectors[i].iov_len, source);
        content->offset += vectors[i].iov_len;
    }
    return status;
}

enum status content_fill(struct content *content, struct evbuffer *to, size_t fill_bytes)
{
    while (evbuffer_get_length(to) < fill_bytes && !content_done(content)) {
        enum status status;

        CHECK(content->offset <= content->source->size);
        if (!content->fields_sent && content->offset == content->source->trace_size)
            status = content_add_fields(content, to);
        else
            status = content_add_pieces(content, to, fill_bytes - evbuffer_get_length(to));
        if (status != STATUS_OK)
            return status;
    }
    if (content_done(content) && content->stuffing.position == CONTENT_AFTER_CR)
        return STATUS_BAD_FORMAT;
    return STATUS_OK;
}

bool content_done(const struct content *content)
{
    return content->fields_sent && content->offset >= content->source->size;
}
