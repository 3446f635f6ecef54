#include "control/relay/reply.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

void reply_start(struct reply *reply)
{
    reply->code = 0;
    reply->text_length = 0;
    reply->text[0] = '\0';
    reply->offers = (struct reply_offers){0};
    reply->bytes = 0;
    reply->lines = 0;
    reply->line_length = 0;
}

static void reply_keep_text(struct reply *reply, const char *text, size_t length)
{
    size_t at = reply->text_length;

    if (reply->lines > 1 && at + 1 < sizeof(reply->text))
        reply->text[at++] = '\n';
    for (size_t i = 0; i < length && at + 1 < sizeof(reply->text); i++) {
        unsigned char c = (unsigned char)text[i];

        reply->text[at++] = '?';
        if (c >= ' ' && c <= '~')
            reply->text[at - 1] = (char)c;
        else if (c == '\t')
            reply->text[at - 1] = ' ';
    }
    reply->text[at] = '\0';
    reply->text_length = at;
}

/* `text` is zero-terminated: one line of EHLO's answer without its code. */
static void reply_keep_offer(struct reply_offers *offers, const char *text)
{
    size_t word = strcspn(text, " ");

    if (word == 10 && strncasecmp(text, "PIPELINING", word) == 0) {
        offers->pipelining = true;
    } else if (word == 8 && strncasecmp(text, "8BITMIME", word) == 0) {
        offers->eight_bit = true;
    } else if (word == 4 && strncasecmp(text, "SIZE", word) == 0) {
        offers->size = true;
    }
}

static unsigned reply_line_code(const char *line, size_t length)
{
    if (length < 3 || line[0] < '2' || line[0] > '5' || !isdigit((unsigned char)line[1]) ||
        !isdigit((unsigned char)line[2]))
        return 0;
    return (unsigned)(line[0] - '0') * 100 + (unsigned)(line[1] - '0') * 10 +
           (unsigned)(line[2] - '0');
}

static enum reply_progress reply_end_line(struct reply *reply)
{
    size_t length =
        reply->line_length < sizeof(reply->line) ? reply->line_length : sizeof(reply->line) - 1;
    unsigned code;

    if (length > 0 && reply->line[length - 1] == '\r')
        length--;
    reply->line[length] = '\0';
    reply->line_length = 0;
    code = reply_line_code(reply->line, length);
    if (code == 0 || (reply->lines > 0 && code != reply->code) ||
        (length > 3 && reply->line[3] != ' ' && reply->line[3] != '-'))
        return REPLY_BAD;
    reply->code = code;
    if (++reply->lines > REPLY_LINES_MAX)
        return REPLY_BAD;
    if (length > 3)
        reply_keep_text(reply, reply->line + 4, length - 4);
    else
        reply_keep_text(reply, "", 0);
    if (reply->lines > 1 && length > 4)
        reply_keep_offer(&reply->offers, reply->line + 4);
    return length > 3 && reply->line[3] == '-' ? REPLY_MORE : REPLY_DONE;
}

enum reply_progress reply_feed(struct reply *reply, const char *bytes, size_t length, size_t *used)
{
    enum reply_progress progress = REPLY_MORE;
    size_t i = 0;

    while (i < length && progress == REPLY_MORE) {
        char c = bytes[i++];

        if (++reply->bytes > REPLY_BYTES_MAX) {
            progress = REPLY_BAD;
        } else if (c == '\n') {
            progress = reply_end_line(reply);
        } else {
            if (reply->line_length < sizeof(reply->line) - 1)
                reply->line[reply->line_length] = c;
            reply->line_length++;
        }
    }
    *used = i;
    return progress;
}

bool reply_about_us(unsigned code)
{
    switch (code) {
    case 502:
    case 503:
    case 504:
    case 521:
    case 530:
    case 534:
    case 535:
    case 538:
        return true;
    default:
        return false;
    }
}

const char *reply_about_us_text(unsigned code, const char *text, char to[RELAY_TEXT_BYTES])
{
    (void)snprintf(to, RELAY_TEXT_BYTES,
                   "4.3.5 Recipient's server is not set up to take mail from here: %u %s", code,
                   text);
    return to;
}

/* One to three digits; how many. */
static size_t enhanced_number(const char *text)
{
    size_t digits = 0;

    while (digits < 3 && isdigit((unsigned char)text[digits]))
        digits++;
    return digits;
}

size_t reply_enhanced_code(unsigned code, const char *text)
{
    size_t subject;
    size_t detail;
    size_t end;

    if (text[0] == '\0' || (unsigned)(text[0] - '0') != code / 100 || text[1] != '.')
        return 0;
    subject = enhanced_number(text + 2);
    if (subject == 0 || text[2 + subject] != '.')
        return 0;
    detail = enhanced_number(text + 3 + subject);
    end = 3 + subject + detail;
    if (detail == 0 || (text[end] != ' ' && text[end] != '\0' && text[end] != '\n'))
        return 0;
    return end;
}
