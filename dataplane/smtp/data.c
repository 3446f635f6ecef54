/* Message data (RFC 5321 4.1.1.4, 4.5.2), one pass, in the blocks TCP placed it in.
 *
 * Only CR LF ends a line and only CR LF "." CR LF ends the data; any other CR or LF refuses the
 * message, and so does a NUL, which some servers drop, so two servers can never disagree about
 * where it ends. Stuffed dots are taken out by moving what follows up inside the block. The state
 * survives between any two bytes.
 */
#include <string.h>

#include "dataplane/smtp/plain.h"
#include "dataplane/smtp/state.h"
#include "platform/check.h"

#define DATA_FIELD_BYTES 9u    /* "received:" */
#define DATA_FIELD_NONE  0xffu /* this header line is another field */

enum data_found { DATA_ALL_READ, DATA_END, DATA_BARE, DATA_NUL, DATA_LOOP };

/* A span while it is read. */
struct data_cursor {
    uint8_t *read;
    const uint8_t *end;
    uint8_t *write; /* kept bytes go here; never ahead of `read` */
};

static inline void data_keep(struct data_cursor *cursor, size_t length)
{
    if (cursor->write != cursor->read)
        memmove(cursor->write, cursor->read, length);
    cursor->write += length;
    cursor->read += length;
}

/* Compares the start of a header line with "Received:", however it is cut. True when this byte
 * completed it. */
static bool data_match_field(struct smtp_session *session, uint8_t byte)
{
    if (byte >= 'A' && byte <= 'Z')
        byte = (uint8_t)(byte + 32);
    if (byte != (uint8_t) "received:"[session->field_match]) {
        session->field_match = DATA_FIELD_NONE;
        return false;
    }
    session->field_match++;
    return session->field_match == DATA_FIELD_BYTES;
}

/* Keeps the next byte, with which all is well, and the plain ones behind it. In a header, where
 * each line is looked at, up to the next line. */
static void data_run(struct smtp_session *session, struct data_cursor *cursor)
{
    size_t length =
        smtp_plain(cursor->read, (size_t)(cursor->end - cursor->read), session->in_header);
    uint8_t last = cursor->read[length - 1];

    data_keep(cursor, length);
    if (last == '\n')
        session->scan = SMTP_SCAN_LINE_START;
    else
        session->scan = last == '\r' ? SMTP_SCAN_CR : SMTP_SCAN_TEXT;
    session->field_match = DATA_FIELD_NONE;
}

/* The first byte of a line, a stuffed dot before it already dropped. */
static void data_begin_text(struct smtp_session *session)
{
    session->scan = SMTP_SCAN_TEXT;
    session->field_match = session->in_header ? 0 : DATA_FIELD_NONE;
}

/* Inside a line. */
static enum data_found data_text(struct smtp_session *session, struct data_cursor *cursor,
                                 uint32_t received_max)
{
    uint8_t byte = *cursor->read;

    if (session->field_match < DATA_FIELD_BYTES) {
        if (data_match_field(session, byte) && ++session->received_fields > received_max)
            return DATA_LOOP;
        if (session->field_match != DATA_FIELD_NONE)
            data_keep(cursor, 1);
        return DATA_ALL_READ;
    }
    if (byte == '\n')
        return DATA_BARE;
    if (byte == '\0')
        return DATA_NUL;
    data_run(session, cursor);
    return DATA_ALL_READ;
}

/* Reads until the span or the data ends, or something is wrong: then `read` stands at the byte that
 * is wrong, and the state is the one before it. */
static enum data_found data_scan(struct smtp_session *session, struct data_cursor *cursor,
                                 uint32_t received_max)
{
    enum data_found found = DATA_ALL_READ;

    while (found == DATA_ALL_READ && cursor->read < cursor->end) {
        uint8_t byte = *cursor->read;

        switch ((enum smtp_scan)session->scan) {
        case SMTP_SCAN_LINE_START:
            if (byte == '.') {
                session->scan = SMTP_SCAN_DOT;
                cursor->read++;
            } else if (byte == '\r') {
                session->in_header = false; /* the empty line */
                data_run(session, cursor);
            } else {
                data_begin_text(session);
            }
            break;
        case SMTP_SCAN_TEXT:
            found = data_text(session, cursor, received_max);
            break;
        case SMTP_SCAN_CR:
            if (byte != '\n')
                return DATA_BARE;
            data_run(session, cursor);
            break;
        case SMTP_SCAN_DOT:
            if (byte == '\r') {
                session->scan = SMTP_SCAN_DOT_CR;
                cursor->read++;
            } else {
                data_begin_text(session);
            }
            break;
        case SMTP_SCAN_DOT_CR:
            if (byte != '\n')
                return DATA_BARE;
            session->scan = SMTP_SCAN_END;
            cursor->read++;
            return DATA_END;
        case SMTP_SCAN_END:
            CHECK(false);
        }
    }
    return found;
}

/* The same rules where nothing is kept and nothing is wrong any more: finds the end only. Returns
 * how many bytes belong to the message. */
static size_t data_skip(struct smtp_session *session, const uint8_t *bytes, size_t length)
{
    size_t at = 0;

    while (at < length && session->scan != SMTP_SCAN_END) {
        uint8_t byte = bytes[at++];
        uint8_t other = byte == '\r' ? SMTP_SCAN_CR : SMTP_SCAN_TEXT;

        switch ((enum smtp_scan)session->scan) {
        case SMTP_SCAN_LINE_START:
            session->scan = byte == '.' ? SMTP_SCAN_DOT : other;
            break;
        case SMTP_SCAN_TEXT: {
            const uint8_t *cr = memchr(bytes + at - 1, '\r', length - at + 1);

            at = cr == NULL ? length : (size_t)(cr - bytes) + 1;
            session->scan = cr == NULL ? SMTP_SCAN_TEXT : SMTP_SCAN_CR;
            break;
        }
        case SMTP_SCAN_CR:
            session->scan = byte == '\n' ? SMTP_SCAN_LINE_START : other;
            break;
        case SMTP_SCAN_DOT:
            session->scan = byte == '\r' ? SMTP_SCAN_DOT_CR : SMTP_SCAN_TEXT;
            break;
        case SMTP_SCAN_DOT_CR:
            session->scan = byte == '\n' ? SMTP_SCAN_END : other;
            break;
        case SMTP_SCAN_END:
            break;
        }
    }
    return at;
}

void smtp_data_refuse(struct smtp_call *call, enum mail_outcome outcome, enum smtp_fault fault)
{
    smtp_move(call, SMTP_DISCARD);
    call->session->refusal = (uint8_t)outcome;
    call->session->fault = (uint8_t)fault;
    stream_expect(call->stream, STREAM_EXPECT_COMMANDS);
    smtp_transaction_end(call, outcome, smtp_refusal_text(outcome, fault));
}

/* A first line that begins with a blank would be folded into the field before it, which is ours
 * (RFC 5322 2.2.3). It cannot be a field, so this message has no header: an empty line ends the one
 * we give it, and the sender's bytes follow as they are. False when there is no room. */
static bool data_separate(struct store *store, struct message *message, const uint8_t *bytes,
                          uint32_t length)
{
    if (length == 0 || message->shared->size > message->shared->trace_size ||
        (bytes[0] != ' ' && bytes[0] != '\t'))
        return true;
    message->separator_bytes = 2;
    return message_append_bytes(store, message, "\r\n", 2) == STATUS_OK;
}

static enum smtp_fault data_fault(enum data_found found)
{
    switch (found) {
    case DATA_NUL:
        return SMTP_FAULT_NUL;
    case DATA_LOOP:
        return SMTP_FAULT_LOOP;
    default:
        return SMTP_FAULT_BARE;
    }
}

/* Reads one span into the message; returns how much of it was used. */
static uint32_t data_take(struct smtp_call *call, const struct block_span *span)
{
    const struct config *config = smtp_config(call);
    struct store *store = call->server->store;
    struct message *message = call->session->message;
    /* Not a byte past the first that is too many: which fault comes first must not depend on how
     * the data was cut. */
    uint64_t left = smtp_message_bytes(call) + 1 - message_size(message);
    uint32_t length = span->length < left ? span->length : (uint32_t)left;
    struct data_cursor cursor = {span->bytes, span->bytes + length, span->bytes};
    uint32_t block;
    uint32_t start = span->offset;
    uint32_t tail;
    enum data_found found;

    /* What lies between the message's last byte and this span in the same block are dots of this
     * message that were dropped: closing the gap joins the extents, so that their number depends on
     * the blocks and not on how the sender cut its segments. */
    if (message_tail(store, message, &block, &tail) && block == span->block && tail < start) {
        cursor.write -= start - tail;
        start = tail;
    }
    found = data_scan(call->session, &cursor, config->limits.received_fields);
    if (found > DATA_END) {
        smtp_data_refuse(call, MAIL_MALFORMED, data_fault(found));
    } else {
        uint32_t kept = (uint32_t)(cursor.write - (block_bytes(store, span->block) + start));

        if (!data_separate(store, message, block_bytes(store, span->block) + start, kept) ||
            message_append(store, message, span->block, start, kept) != STATUS_OK)
            smtp_data_refuse(call, MAIL_NO_ROOM, SMTP_FAULT_NONE);
        else if (message_size(message) > smtp_message_bytes(call))
            smtp_data_refuse(call, MAIL_TOO_LARGE, SMTP_FAULT_NONE);
        else if (call->server->service.arrived != NULL)
            call->server->service.arrived(call->server->service.context, message, call->now_ns);
    }
    return (uint32_t)(cursor.read - span->bytes);
}

/* All of it is here: the message is somebody else's until smtp_finish(). */
static void data_submit(struct smtp_call *call)
{
    struct smtp_server *server = call->server;
    struct message *message = call->session->message;

    message->received_ns = call->now_ns;
    smtp_move(call, SMTP_WAITING);
    /* In this order: it waits for us, so that what lies behind is no unfinished command. */
    stream_set_deadline(call->stream, 0);
    stream_expect(call->stream, STREAM_EXPECT_COMMANDS);
    message_complete(server->store, message, stream_held(call->stream));
    server->service.submit(server->service.context, message, call->now_ns);
}

void smtp_data_read(struct smtp_call *call)
{
    struct smtp_session *session = call->session;
    uint64_t drain_max = 2 * smtp_message_bytes(call);
    struct block_span span;

    while (session->scan != SMTP_SCAN_END && stream_peek(call->stream, 0, &span)) {
        uint64_t left = drain_max + 1 - session->drained_bytes;
        uint32_t used;

        if (session->state == SMTP_DATA)
            used = data_take(call, &span);
        else
            used = (uint32_t)data_skip(session, span.bytes,
                                       span.length < left ? span.length : (size_t)left);
        if (used > 0)
            stream_consume(call->stream, used);
        session->drained_bytes += used;
        if (session->state == SMTP_DISCARD && session->scan != SMTP_SCAN_END &&
            session->drained_bytes > drain_max) {
            smtp_say_closing(call, "421 4.7.0", "Error: too much data");
            return;
        }
    }
    if (session->scan != SMTP_SCAN_END)
        return;
    if (session->state == SMTP_DATA) {
        data_submit(call);
    } else {
        smtp_move(call, SMTP_GREETED);
        smtp_say(call, smtp_refusal_text((enum mail_outcome)session->refusal,
                                         (enum smtp_fault)session->fault));
    }
}
