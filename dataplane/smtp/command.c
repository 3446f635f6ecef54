/* The command table (RFC 5321 4.1.1) and the commands that need no transaction. */
#include <string.h>
#include <strings.h>

#include "dataplane/counting.h"
#include "dataplane/smtp/state.h"
#include "platform/check.h"

void smtp_command_garbled(struct smtp_call *call)
{
    count(call->server->counters, COUNTER_SMTP_COMMANDS);
    smtp_command_bad(call, "500 5.5.2 Syntax error: no command, or line too long");
}

/* Loose: what it says is logged and written into Received, so it has to be one printable word
 * that cannot pass for something else there. Whether it is true is nobody's reason to refuse. */
static bool command_helo_fits(const char *text, size_t length)
{
    if (length == 0 || length >= SMTP_HELO_BYTES)
        return false;
    if (text[0] == '[') {
        if (length < 3 || text[length - 1] != ']')
            return false;
        text++;
        length -= 2;
    }
    for (size_t i = 0; i < length; i++) {
        if (text[i] <= ' ' || text[i] > '~' || strchr("<>()[]\\\",;@", text[i]) != NULL)
            return false;
    }
    return true;
}

static void command_ehlo_reply(struct smtp_call *call)
{
    const struct config *config = smtp_config(call);
    char bytes[640];
    struct smtp_text text = {bytes, sizeof(bytes), 0};

    smtp_text_string(&text, "250-");
    smtp_text_string(&text, config->hostname);
    smtp_text_string(&text, "\r\n250-PIPELINING\r\n250-SIZE ");
    smtp_text_number(&text, config->limits.message_bytes, 1);
    smtp_text_string(&text, "\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 LIMITS RCPTMAX=");
    smtp_text_number(&text, config->limits.recipients, 1);
    smtp_text_string(&text, " RCPTDOMAINMAX=1\r\n");
    smtp_say_lines(call, bytes, text.used);
}

static void command_hello(struct smtp_call *call, const char *text, size_t length, bool esmtp)
{
    struct smtp_session *session = call->session;

    if (!command_helo_fits(text, length)) {
        /* RFC 2034 4: no enhanced codes in answers to HELO and EHLO. */
        smtp_command_bad(call, esmtp ? "501 Syntax: EHLO hostname" : "501 Syntax: HELO hostname");
        return;
    }
    smtp_transaction_end(call, MAIL_CUT_OFF, "250 Reset by a new greeting");
    memcpy(session->text, text, length);
    session->text[length] = '\0';
    session->text[length + 1] = '\0'; /* no sender */
    session->helo_length = (uint16_t)length;
    session->esmtp = esmtp;
    if (esmtp) {
        command_ehlo_reply(call);
    } else {
        struct smtp_line line;

        smtp_line_begin(&line, "250 ");
        smtp_text_string(&line.text, smtp_config(call)->hostname);
        smtp_line_say(call, &line);
    }
}

static void command_helo(struct smtp_call *call, const char *text, size_t length)
{
    command_hello(call, text, length, false);
}

static void command_ehlo(struct smtp_call *call, const char *text, size_t length)
{
    command_hello(call, text, length, true);
}

/* "FROM:" or "TO:" in any case, and blanks after it, which RFC 5321 forbids and senders use. */
static bool command_keyword(const char *keyword, const char **text, size_t *length)
{
    size_t keyword_length = strlen(keyword);

    if (*length < keyword_length || strncasecmp(*text, keyword, keyword_length) != 0)
        return false;
    *text += keyword_length;
    *length -= keyword_length;
    while (*length > 0 && **text == ' ') {
        *text += 1;
        *length -= 1;
    }
    return true;
}

static void command_mail(struct smtp_call *call, const char *text, size_t length)
{
    if (!command_keyword("FROM:", &text, &length))
        smtp_command_bad(call, "501 5.5.4 Syntax: MAIL FROM:<address>");
    else
        smtp_transaction_mail(call, text, length);
}

static void command_rcpt(struct smtp_call *call, const char *text, size_t length)
{
    if (!command_keyword("TO:", &text, &length))
        smtp_command_bad(call, "501 5.5.4 Syntax: RCPT TO:<address>");
    else
        smtp_transaction_recipient(call, text, length);
}

static void command_data(struct smtp_call *call, const char *text, size_t length)
{
    (void)text;
    if (length > 0)
        smtp_command_bad(call, "501 5.5.4 Syntax: DATA");
    else
        smtp_transaction_data(call);
}

static void command_rset(struct smtp_call *call, const char *text, size_t length)
{
    (void)text;
    if (length > 0) {
        smtp_command_bad(call, "501 5.5.4 Syntax: RSET");
        return;
    }
    smtp_transaction_end(call, MAIL_CUT_OFF, "250 2.0.0 Ok");
    smtp_say(call, "250 2.0.0 Ok");
}

static void command_noop(struct smtp_call *call, const char *text, size_t length)
{
    (void)text;
    (void)length;
    smtp_say(call, "250 2.0.0 Ok");
}

static void command_vrfy(struct smtp_call *call, const char *text, size_t length)
{
    (void)text;
    if (length == 0)
        smtp_command_bad(call, "501 5.5.4 Syntax: VRFY address");
    else
        smtp_say(call, "252 2.5.2 Cannot verify; send some mail and see");
}

static void command_quit(struct smtp_call *call, const char *text, size_t length)
{
    (void)text;
    if (length > 0) {
        smtp_command_bad(call, "501 5.5.4 Syntax: QUIT");
        return;
    }
    smtp_transaction_end(call, MAIL_CUT_OFF, "221 2.0.0 Bye");
    smtp_say(call, "221 2.0.0 Bye");
    smtp_close(call);
}

static void command_refused(struct smtp_call *call, const char *text, size_t length)
{
    (void)text;
    (void)length;
    smtp_command_bad(call, "502 5.5.1 Command not implemented");
}

static const struct {
    const char *verb;
    void (*handle)(struct smtp_call *call, const char *text, size_t length);
} command_table[] = {
    {"RCPT", command_rcpt},        {"MAIL", command_mail},    {"DATA", command_data},
    {"EHLO", command_ehlo},        {"HELO", command_helo},    {"QUIT", command_quit},
    {"RSET", command_rset},        {"NOOP", command_noop},    {"VRFY", command_vrfy},
    {"STARTTLS", command_refused}, {"AUTH", command_refused}, {"BDAT", command_refused},
    {"EXPN", command_refused},     {"HELP", command_refused}, {"ETRN", command_refused},
};

void smtp_command_line(struct smtp_call *call, const char *line, size_t length)
{
    size_t verb = 0;

    /* A CR, LF, NUL or other control byte inside a line is an attempt at something else. */
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7f) {
            smtp_command_garbled(call);
            return;
        }
    }
    while (length > 0 && line[length - 1] == ' ')
        length--;
    while (verb < length && line[verb] != ' ')
        verb++;
    if (verb == 0) {
        smtp_command_garbled(call);
        return;
    }
    count(call->server->counters, COUNTER_SMTP_COMMANDS);
    for (size_t i = 0; i < sizeof(command_table) / sizeof(command_table[0]); i++) {
        size_t text = verb;

        if (strlen(command_table[i].verb) != verb ||
            strncasecmp(line, command_table[i].verb, verb) != 0)
            continue;
        while (text < length && line[text] == ' ')
            text++;
        command_table[i].handle(call, line + text, length - text);
        return;
    }
    smtp_command_bad(call, "500 5.5.1 Command unrecognized");
}
