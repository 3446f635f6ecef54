#include "control/relay/outgoing.h"

#include <string.h>

#include "platform/check.h"

#define OUTGOING_VECTORS 16u

static void outgoing_let_go(const void *bytes, size_t length, void *source)
{
    (void)bytes;
    (void)length;
    source_give(source);
}

static enum status outgoing_add_run(struct evbuffer *to, const uint8_t *bytes, size_t length,
                                    struct source *source)
{
    if (length == 0)
        return STATUS_OK;
    if (length < OUTGOING_COPY_BYTES || !source->kind->lasting)
        return evbuffer_add(to, bytes, length) == 0 ? STATUS_OK : STATUS_NO_MEMORY;
    if (evbuffer_add_reference(to, bytes, length, outgoing_let_go, source_take(source)) == 0)
        return STATUS_OK;
    source_give(source);
    return STATUS_NO_MEMORY;
}

/* The first CR or LF in [from, length), or length. Two memchr()s over a line beat a loop over
 * its bytes; the second never looks further than the first found. */
static size_t outgoing_next_end(const uint8_t *bytes, size_t from, size_t length)
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
        if (stuffing->position == STUFFING_AFTER_CR) {
            if (bytes[i] != '\n')
                return STATUS_BAD_FORMAT;
            stuffing->position = STUFFING_LINE_START;
            i++;
            continue;
        }
        if (stuffing->position == STUFFING_LINE_START && bytes[i] == '.') {
            /* The run with its own dot goes out; the next run starts at the same dot again. */
            enum status status = outgoing_add_run(to, bytes + run, i + 1 - run, source);

            if (status != STATUS_OK)
                return status;
            run = i;
        }
        i = outgoing_next_end(bytes, i, length);
        stuffing->position = STUFFING_IN_LINE;
        if (i == length)
            break;
        if (bytes[i] == '\n')
            return STATUS_BAD_FORMAT;
        stuffing->position = STUFFING_AFTER_CR;
        i++;
    }
    return outgoing_add_run(to, bytes + run, length - run, source);
}

const char *stuffing_end(const struct stuffing *stuffing)
{
    return stuffing->position == STUFFING_LINE_START ? ".\r\n" : "\r\n.\r\n";
}

void outgoing_start(struct outgoing *outgoing, struct source *source, const char *fields)
{
    CHECK(source->trace_size <= source->size);
    *outgoing = (struct outgoing){.source = source, .fields = fields};
}

static enum status outgoing_add_fields(struct outgoing *outgoing, struct evbuffer *to)
{
    /* Our own lines: none starts with a dot, each ends with CRLF. A trace that does not end its
     * line would swallow them. */
    if (outgoing->stuffing.position != STUFFING_LINE_START)
        return STATUS_BAD_FORMAT;
    outgoing->fields_sent = true;
    return evbuffer_add(to, outgoing->fields, strlen(outgoing->fields)) == 0 ? STATUS_OK
                                                                             : STATUS_NO_MEMORY;
}

/* The next pieces, up to the fields' place or `room`. */
static enum status outgoing_add_pieces(struct outgoing *outgoing, struct evbuffer *to, size_t room)
{
    struct source *source = outgoing->source;
    struct iovec vectors[OUTGOING_VECTORS];
    unsigned count = 0;
    enum status status;
    size_t end = outgoing->fields_sent ? source->size : source->trace_size;

    CHECK(outgoing->offset < end);
    if (room > end - outgoing->offset)
        room = end - outgoing->offset;
    status =
        source->kind->pieces(source, outgoing->offset, room, vectors, OUTGOING_VECTORS, &count);
    if (status == STATUS_OK && count == 0)
        status = STATUS_BAD_FORMAT; /* shorter than it said */
    CHECK(count <= OUTGOING_VECTORS);
    for (unsigned i = 0; i < count && status == STATUS_OK; i++) {
        status =
            stuffing_add(&outgoing->stuffing, to, vectors[i].iov_base, vectors[i].iov_len, source);
        outgoing->offset += vectors[i].iov_len;
    }
    return status;
}

enum status outgoing_fill(struct outgoing *outgoing, struct evbuffer *to, size_t fill_bytes)
{
    while (evbuffer_get_length(to) < fill_bytes && !outgoing_done(outgoing)) {
        enum status status;

        CHECK(outgoing->offset <= outgoing->source->size);
        if (!outgoing->fields_sent && outgoing->offset == outgoing->source->trace_size)
            status = outgoing_add_fields(outgoing, to);
        else
            status = outgoing_add_pieces(outgoing, to, fill_bytes - evbuffer_get_length(to));
        if (status != STATUS_OK)
            return status;
    }
    if (outgoing_done(outgoing) && outgoing->stuffing.position == STUFFING_AFTER_CR)
        return STATUS_BAD_FORMAT;
    return STATUS_OK;
}

bool outgoing_done(const struct outgoing *outgoing)
{
    return outgoing->fields_sent && outgoing->offset >= outgoing->source->size;
}
