#include "dataplane/smtp/address.h"

#include <string.h>
#include <strings.h>

#include "dataplane/smtp/text.h"

/* How far `length` bytes have been read. */
struct address_cursor {
    const char *text;
    size_t length;
    size_t at;
};

static int address_peek(const struct address_cursor *cursor)
{
    return cursor->at < cursor->length ? (unsigned char)cursor->text[cursor->at] : -1;
}

static bool address_letter_or_digit(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool address_atext(int c)
{
    return address_letter_or_digit(c) || (c > 0 && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* Angle brackets are the frame of an address in commands, in our Received field and in logs: RFC
 * 5321 has them inside quotes, but nobody's mailbox is named so, and many readers would see the end
 * of the address in them. */
static bool address_quotable(int c)
{
    return c >= ' ' && c <= '~' && c != '<' && c != '>';
}

static bool address_quoted(struct address_cursor *cursor)
{
    cursor->at++; /* the opening quote */
    for (;;) {
        int c = address_peek(cursor);

        if (!address_quotable(c))
            return false;
        cursor->at++;
        if (c == '"')
            return true;
        if (c == '\\') {
            c = address_peek(cursor);
            if (!address_quotable(c))
                return false;
            cursor->at++;
        }
    }
}

/* Dot-string: atoms with single dots between them. */
static bool address_local(struct address_cursor *cursor)
{
    if (address_peek(cursor) == '"')
        return address_quoted(cursor);
    for (;;) {
        if (!address_atext(address_peek(cursor)))
            return false;
        while (address_atext(address_peek(cursor)))
            cursor->at++;
        if (address_peek(cursor) != '.')
            return true;
        cursor->at++;
    }
}

/* Labels of letters, digits, inner hyphens, and underscores (which hosts in the wild have). */
static bool address_domain(struct address_cursor *cursor)
{
    for (;;) {
        size_t start = cursor->at;
        int c = address_peek(cursor);

        if (!address_letter_or_digit(c) && c != '_')
            return false;
        while (address_letter_or_digit(c) || c == '-' || c == '_') {
            cursor->at++;
            c = address_peek(cursor);
        }
        if (cursor->at - start > 63 || cursor->text[cursor->at - 1] == '-')
            return false;
        if (c != '.')
            return true;
        cursor->at++;
    }
}

/* "[" dtext "]": what is inside is not looked at, for we serve no address. */
static bool address_literal(struct address_cursor *cursor)
{
    size_t start = ++cursor->at;

    for (;;) {
        int c = address_peek(cursor);

        if (c == ']')
            break;
        if (!address_letter_or_digit(c) && c != '.' && c != ':' && c != '-')
            return false;
        cursor->at++;
    }
    cursor->at++;
    return cursor->at - start > 1;
}

/* "@a,@b:" before the mailbox. */
static bool address_route(struct address_cursor *cursor)
{
    while (address_peek(cursor) == '@') {
        cursor->at++;
        if (!address_domain(cursor))
            return false;
        if (address_peek(cursor) == ':') {
            cursor->at++;
            return true;
        }
        if (address_peek(cursor) != ',')
            return false;
        cursor->at++;
    }
    return false;
}

static bool address_mailbox(struct address_cursor *cursor, struct smtp_path *path)
{
    size_t start = cursor->at;

    if (!address_local(cursor))
        return false;
    path->local = cursor->text + start;
    path->local_length = cursor->at - start;
    if (address_peek(cursor) == '@') {
        size_t domain = ++cursor->at;

        path->literal = address_peek(cursor) == '[';
        if (path->literal ? !address_literal(cursor) : !address_domain(cursor))
            return false;
        path->domain = cursor->text + domain;
        path->domain_length = cursor->at - domain;
    } else if (path->local_length != 10 || strncasecmp(path->local, "postmaster", 10) != 0) {
        return false;
    }
    path->mailbox = cursor->text + start;
    path->mailbox_length = cursor->at - start;
    return path->local_length <= SMTP_LOCAL_BYTES && path->domain_length <= SMTP_DOMAIN_BYTES &&
           path->mailbox_length + 2 <= SMTP_PATH_BYTES;
}

enum status smtp_path_parse(const char *text, size_t length, struct smtp_path *path, size_t *used)
{
    struct address_cursor cursor = {text, length, 0};

    *path = (struct smtp_path){.mailbox = "", .local = "", .domain = ""};
    *used = 0;
    if (address_peek(&cursor) != '<')
        return STATUS_BAD_FORMAT;
    cursor.at++;
    if (address_peek(&cursor) != '>') {
        bool routed = address_peek(&cursor) == '@';

        if (routed && !address_route(&cursor))
            return STATUS_BAD_FORMAT;
        if (!address_mailbox(&cursor, path) || (routed && path->domain_length == 0))
            return STATUS_BAD_FORMAT;
        if (address_peek(&cursor) != '>')
            return STATUS_BAD_FORMAT;
    }
    *used = cursor.at + 1;
    return STATUS_OK;
}

static void address_skip_blanks(struct address_cursor *cursor)
{
    while (address_peek(cursor) == ' ')
        cursor->at++;
}

/* A local part of atoms and dots in any order; quoted when RFC 5321 has no other way to write it.
 */
static bool loosely_local(struct address_cursor *cursor, struct smtp_text *to)
{
    size_t start = cursor->at;
    char before = '.';
    bool quoted = false;

    if (address_peek(cursor) == '"') {
        if (!address_quoted(cursor))
            return false;
        smtp_text_put(to, cursor->text + start, cursor->at - start);
        return true;
    }
    while (address_atext(address_peek(cursor)) || address_peek(cursor) == '.') {
        quoted = quoted || (before == '.' && cursor->text[cursor->at] == '.');
        before = cursor->text[cursor->at++];
    }
    quoted = quoted || before == '.';
    if (quoted)
        smtp_text_string(to, "\"");
    smtp_text_put(to, cursor->text + start, cursor->at - start);
    if (quoted)
        smtp_text_string(to, "\"");
    return cursor->at > start;
}

/* Without the dot that stands behind it when somebody took it from DNS. */
static bool loosely_domain(struct address_cursor *cursor, struct smtp_text *to)
{
    size_t start = cursor->at;
    bool literal = address_peek(cursor) == '[';
    size_t end;

    if (literal ? !address_literal(cursor) : !address_domain(cursor)) {
        /* What stopped it may be that dot. */
        if (literal || cursor->at < start + 2 || cursor->text[cursor->at - 1] != '.')
            return false;
    }
    end = cursor->text[cursor->at - 1] == '.' ? cursor->at - 1 : cursor->at;
    smtp_text_put(to, cursor->text + start, end - start);
    return true;
}

static bool loosely_mailbox(struct address_cursor *cursor, struct smtp_path *path, char *to)
{
    struct smtp_text text = {to, SMTP_MAILBOX_BYTES, 0};
    size_t start = cursor->at;

    if (!loosely_local(cursor, &text))
        return false;
    path->local = to;
    path->local_length = text.used;
    if (address_peek(cursor) == '@') {
        cursor->at++;
        smtp_text_string(&text, "@");
        path->literal = address_peek(cursor) == '[';
        if (!loosely_domain(cursor, &text))
            return false;
        path->domain = to + path->local_length + 1;
        path->domain_length = text.used - path->local_length - 1;
    }
    path->mailbox = to;
    path->mailbox_length = text.used;
    /* Two quotes are all that may be added: where the text was cut, there is no room for them. */
    return cursor->at - start + 2 <= SMTP_MAILBOX_BYTES;
}

enum status smtp_path_parse_loosely(const char *text, size_t length, struct smtp_path *path,
                                    char to[SMTP_MAILBOX_BYTES], size_t *used)
{
    struct address_cursor cursor = {text, length, 0};
    bool framed = address_peek(&cursor) == '<';

    *path = (struct smtp_path){.mailbox = "", .local = "", .domain = ""};
    *used = 0;
    if (framed) {
        cursor.at++;
        address_skip_blanks(&cursor);
        if (address_peek(&cursor) == '@' && !address_route(&cursor))
            return STATUS_BAD_FORMAT;
    }
    if (!(framed && address_peek(&cursor) == '>') && !loosely_mailbox(&cursor, path, to))
        return STATUS_BAD_FORMAT;
    if (framed) {
        address_skip_blanks(&cursor);
        if (address_peek(&cursor) != '>')
            return STATUS_BAD_FORMAT;
        cursor.at++;
    } else if (cursor.at < length && text[cursor.at] != ' ') {
        return STATUS_BAD_FORMAT;
    }
    *used = cursor.at;
    return STATUS_OK;
}

enum status smtp_path_complete(struct smtp_path *path, const char *domain,
                               char to[SMTP_MAILBOX_BYTES])
{
    struct smtp_text text = {to, SMTP_MAILBOX_BYTES, path->local_length};
    size_t length = strlen(domain);

    if (path->local_length + 1 + length > SMTP_MAILBOX_BYTES)
        return STATUS_BAD_FORMAT;
    memmove(to, path->local, path->local_length);
    smtp_text_string(&text, "@");
    smtp_text_put(&text, domain, length);
    path->mailbox = path->local = to;
    path->mailbox_length = text.used;
    path->domain = to + path->local_length + 1;
    path->domain_length = length;
    return STATUS_OK;
}

size_t smtp_local_unquoted(const struct smtp_path *path, char to[SMTP_MAILBOX_BYTES])
{
    size_t length = 0;
    bool quoted = path->local_length >= 2 && path->local[0] == '"';
    size_t end = quoted ? path->local_length - 1 : path->local_length;

    for (size_t i = quoted ? 1 : 0; i < end && length < SMTP_MAILBOX_BYTES; i++) {
        if (quoted && path->local[i] == '\\' && i + 1 < end)
            i++;
        to[length++] = path->local[i];
    }
    return length;
}
