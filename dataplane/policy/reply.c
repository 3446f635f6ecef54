#include "dataplane/policy/reply.h"

#include <stdbool.h>
#include <string.h>

#include "dataplane/smtp/text.h"
#include "platform/check.h"

#define POLICY_LINE_BYTES 508u /* longest reply line without CRLF: RFC 5321 4.5.3.1.5 */

/* RFC 3463: class "." subject "." detail at the start of `text`, of the class that `code` has.
 * Returns its length, or 0. */
static size_t reply_enhanced(unsigned code, const char *text, size_t length)
{
    size_t at = 0;

    if (length == 0 || text[0] != (char)('0' + code / 100))
        return 0;
    at = 1;
    for (unsigned part = 0; part < 2; part++) {
        size_t start;

        if (at >= length || text[at] != '.')
            return 0;
        start = ++at;
        while (at < length && at - start < 3 && text[at] >= '0' && text[at] <= '9')
            at++;
        if (at == start)
            return 0;
    }
    return at == length || text[at] == ' ' ? at : 0;
}

/* The customer's words are only a guest in our dialogue: the code has the class that the outcome
 * has, and none that would mean something else here (421 closes, 354 asks for data). */
static unsigned reply_customer_code(const struct mail_result *result)
{
    unsigned code = result->code;

    switch (result->outcome) {
    case MAIL_DELIVERED:
        return code / 10 == 25 ? code : 250;
    case MAIL_RELAY_TEMPORARY:
        return code / 100 == 4 && code != 421 ? code : 451;
    default:
        return code / 100 == 5 && code != 521 ? code : 554;
    }
}

static void reply_id(struct smtp_text *text, const struct message *message)
{
    smtp_text_string(text, " [");
    smtp_text_string(text, message->id);
    smtp_text_string(text, "] ");
}

/* Line by line, code and enhanced code on each (RFC 2034 4), our id on the first. */
static void reply_customer(struct smtp_text *text, const struct message *message,
                           const struct mail_result *result)
{
    unsigned code = reply_customer_code(result);
    const char *rest = result->text != NULL ? result->text : "";
    char enhanced[8] = {(char)('0' + code / 100), '.', '0', '.', '0', '\0'};
    size_t own = reply_enhanced(code, rest, strcspn(rest, "\n"));
    bool first = true;
    bool more = true;

    if (own > 0 && own < sizeof(enhanced)) {
        memcpy(enhanced, rest, own);
        enhanced[own] = '\0';
    }
    while (more) {
        size_t length = strcspn(rest, "\n");
        size_t skip = reply_enhanced(code, rest, length);
        size_t prefix = 4 + strlen(enhanced) + (first ? strlen(message->id) + 4 : 1);
        size_t start = text->used;
        size_t space = text->size - start;

        more = rest[length] == '\n' && rest[length + 1] != '\0' && space > 2 * POLICY_LINE_BYTES;
        smtp_text_number(text, code, 3);
        smtp_text_string(text, more ? "-" : " ");
        smtp_text_string(text, enhanced);
        if (first)
            reply_id(text, message);
        else
            smtp_text_string(text, " ");
        if (skip > 0 && rest[skip] == ' ')
            skip++;
        if (space > POLICY_LINE_BYTES)
            space = POLICY_LINE_BYTES;
        if (space > prefix + 2)
            smtp_text_safe(text, rest + skip, length - skip, space - prefix - 2);
        smtp_text_string(text, "\r\n");
        rest += length + (more ? 1 : 0);
        first = false;
    }
}

static void reply_ours(struct smtp_text *text, const struct message *message, const char *code,
                       const char *words, const char *detail, const char *end)
{
    smtp_text_string(text, code);
    reply_id(text, message);
    smtp_text_string(text, words);
    if (detail != NULL)
        smtp_text_safe(text, detail, strlen(detail), 320);
    smtp_text_string(text, end);
    smtp_text_string(text, "\r\n");
}

/* Refused for good: what it is about the message, and what its sender can do. */
static void reply_unscannable(struct smtp_text *text, const struct message *message,
                              enum unscannable_reason reason)
{
    static const char *const advice[UNSCANNABLE_COUNT] = {
        [UNSCANNABLE_ENCRYPTED] = "; send it without a password",
        [UNSCANNABLE_ENCRYPTED_DOCUMENT] = "; send it without a password",
        [UNSCANNABLE_ENCRYPTED_MAIL] = "; the recipient takes no encrypted mail",
        [UNSCANNABLE_UNSUPPORTED] = "; pack what is attached in another way, as .zip say",
        [UNSCANNABLE_PARTIAL] = "; send it whole, in one message",
        [UNSCANNABLE_LIMIT] = "; send less of it in one message",
        [UNSCANNABLE_MALFORMED] =
            "; mail programs would read it in too many ways, send it with another one",
    };
    const char *end = advice[reason] != NULL ? advice[reason] : "";

    reply_ours(text, message, reason == UNSCANNABLE_MALFORMED ? "554 5.6.0" : "554 5.7.1",
               "Message rejected, it cannot be scanned: ", unscannable_text(reason), end);
}

/* Not relayed: with control's own enhanced code, where it gave one. */
static void reply_no_relay(struct smtp_text *text, const struct message *message,
                           const struct mail_result *result)
{
    bool told = result->text != NULL && result->text[0] != '\0';
    const char *words = told ? result->text : "The recipient's mail server cannot be reached now";
    size_t own = reply_enhanced(451, words, strlen(words));
    char code[sizeof("451 4.999.999")] = "451 4.4.1";

    if (own > 0 && 4 + own < sizeof(code)) {
        memcpy(code + 4, words, own);
        code[4 + own] = '\0';
        words += words[own] == ' ' ? own + 1 : own;
    }
    reply_ours(text, message, code, "", words, "");
}

size_t policy_reply(const struct message *message, const struct mail_result *result, char *bytes,
                    size_t size)
{
    struct smtp_text text = {bytes, size, 0};
    const char *name = result->name != NULL ? result->name : "unknown";

    CHECK(size >= 512);
    switch (result->outcome) {
    case MAIL_DELIVERED:
    case MAIL_RELAY_TEMPORARY:
    case MAIL_RELAY_PERMANENT:
        reply_customer(&text, message, result);
        break;
    case MAIL_INFECTED:
        reply_ours(&text, message, "554 5.7.1", "Message rejected: virus found (", name, ")");
        break;
    case MAIL_UNSCANNABLE:
        if (result->action == POLICY_REJECT)
            reply_unscannable(&text, message, result->reason);
        else
            reply_ours(&text, message, "451 4.7.1", "Cannot scan now: ", name, "");
        break;
    case MAIL_NO_RELAY:
        reply_no_relay(&text, message, result);
        break;
    default:
        smtp_text_string(&text, smtp_refusal_text(result->outcome, SMTP_FAULT_NONE));
        smtp_text_string(&text, "\r\n");
        break;
    }
    return text.used;
}
