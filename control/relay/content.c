#include "control/relay/content.h"

#include <string.h>

#define CONTENT_VECTORS 16u

static void content_let_go(const void *bytes, size_t length, void *hold)
{
    (void)bytes;
    (void)length;
    region_hold_give(hold);
}

static enum status content_add_run(struct evbuffer *to, const uint8_t *bytes, size_t length,
                                   struct region_hold *hold)
{
    if (length == 0)
        return STATUS_OK;
    if (length < CONTENT_COPY_BYTES)
        return evbuffer_add(to, bytes, length) == 0 ? STATUS_OK : STATUS_NO_MEMORY;
    if (evbuffer_add_reference(to, bytes, length, content_let_go, region_hold_take(hold)) == 0)
        return STATUS_OK;
    region_hold_give(hold);
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
                         size_t length, struct region_hold *hold)
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
            enum status status = content_add_run(to, bytes + run, i + 1 - run, hold);

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
    return content_add_run(to, bytes + run, length - run, hold);
}

const char *stuffing_end(const struct stuffing *stuffing)
{
    return stuffing->position == CONTENT_LINE_START ? ".\r\n" : "\r\n.\r\n";
}

void content_start(struct content *content, const struct message_view *view,
                   struct region_hold *hold, const char *fields)
{
    *content = (struct content){.view = view, .hold = hold, .fields = fields};
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

enum status content_fill(struct content *content, struct evbuffer *to, size_t fill_bytes)
{
    const struct message_view *view = content->view;
    struct iovec vectors[CONTENT_VECTORS];

    while (evbuffer_get_length(to) < fill_bytes && !content_done(content)) {
        size_t room = fill_bytes - evbuffer_get_length(to);
        unsigned count;

        if (!content->fields_sent && content->offset == view->trace_size) {
            enum status status = content_add_fields(content, to);

            if (status != STATUS_OK)
                return status;
            continue;
        }
        if (!content->fields_sent && room > view->trace_size - content->offset)
            room = view->trace_size - content->offset;
        count = message_view_iovec(view, content->offset, room, vectors, CONTENT_VECTORS);
        if (count == 0)
            return STATUS_BAD_FORMAT;
        for (unsigned i = 0; i < count; i++) {
            enum status status = stuffing_add(&content->stuffing, to, vectors[i].iov_base,
                                              vectors[i].iov_len, content->hold);

            if (status != STATUS_OK)
                return status;
            content->offset += vectors[i].iov_len;
        }
    }
    if (content_done(content) && content->stuffing.position == CONTENT_AFTER_CR)
        return STATUS_BAD_FORMAT;
    return STATUS_OK;
}

bool content_done(const struct content *content)
{
    return content->fields_sent && content->offset >= content->view->size;
}
