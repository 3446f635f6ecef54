/* The commands (RFC 5321 4.1.1): when each may come, what is checked, what it does. */
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

void smtp_command_foreign(struct smtp_call *call, const char *reply)
{
    count(call->server->counters, COUNTER_SMTP_FOREIGN_CLOSED);
    smtp_log_refused(call, "UNKNOWN", "", reply);
    smtp_transaction_end(call, MAIL_CUT_OFF, reply);
    smtp_say_closing(call, "421 4.7.0", "Error: this is SMTP");
}

/* Would pass for something else in the log and in Received, where the name is written. */
static bool command_helo_odd(char byte)
{
    static const bool odd[UINT8_MAX + 1] = {
        ['<'] = true,  ['>'] = true, ['('] = true, [')'] = true, ['['] = true, [']'] = true,
        ['\\'] = true, ['"'] = true, [','] = true, [';'] = true, ['@'] = true,
    };

    return byte <= ' ' || byte > '~' || odd[(uint8_t)byte];
}

/* One printable word, or an address literal. Whether it is true is nobody's reason to refuse. */
static bool command_helo_fits(const char *text, size_t length)
{
    if (length >= SMTP_HELO_BYTES)
        return false;
    if (text[0] == '[') {
        if (length < 3 || text[length - 1] != ']')
            return false;
        text++;
        length -= 2;
    }
    for (size_t i = 0; i < length; i++) {
        if (command_helo_odd(text[i]))
            return false;
    }
    return true;
}

/* Any other name is taken, too, unless we are to be strict, and then written down changed. */
static bool command_helo_taken(struct smtp_argument *argument)
{
    if (argument->length == 0)
        return false;
    argument->odd = !command_helo_fits(argument->text, argument->length);
    return !argument->odd || !argument->config->smtp.strict_addresses;
}

static void command_ehlo_reply(struct smtp_call *call)
{
    const struct config *config = smtp_config(call);
    char bytes[640];
    struct smtp_text text = {bytes, sizeof(bytes), 0};

    smtp_text_string(&text, "250-");
    smtp_text_string(&text, config->hostname);
    smtp_text_string(&text, "\r\n250-PIPELINING\r\n250-SIZE ");
    smtp_text_number(&text, smtp_message_bytes(call), 1);
    smtp_text_string(&text, "\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 LIMITS RCPTMAX=");
    smtp_text_number(&text, config->limits.recipients, 1);
    smtp_text_string(&text, " RCPTDOMAINMAX=1\r\n");
    smtp_say_lines(call, bytes, text.used);
}

/* RFC 2034 4: no enhanced codes in answers to HELO and EHLO. */
static const char *command_ehlo_check(struct smtp_argument *argument)
{
    return command_helo_taken(argument) ? NULL : "501 Syntax: EHLO hostname";
}

static const char *command_helo_check(struct smtp_argument *argument)
{
    return command_helo_taken(argument) ? NULL : "501 Syntax: HELO hostname";
}

static void command_greet(struct smtp_call *call, const struct smtp_argument *argument, bool esmtp)
{
    struct smtp_session *session = call->session;
    size_t length = argument->length < SMTP_HELO_BYTES ? argument->length : SMTP_HELO_BYTES - 1;

    smtp_transaction_end(call, MAIL_CUT_OFF, "250 Reset by a new greeting");
    memcpy(session->text, argument->text, length);
    for (size_t i = 0; argument->odd && i < length; i++) {
        if (command_helo_odd(session->text[i]))
            session->text[i] = '?';
    }
    session->text[length] = '\0';
    session->text[length + 1] = '\0'; /* no sender */
    session->helo_length = (uint16_t)length;
    session->esmtp = esmtp;
    if (session->state == SMTP_CONNECTED)
        smtp_move(call, SMTP_GREETED);
}

static void command_ehlo(struct smtp_call *call, const struct smtp_argument *argument)
{
    command_greet(call, argument, true);
    command_ehlo_reply(call);
}

static void command_helo(struct smtp_call *call, const struct smtp_argument *argument)
{
    struct smtp_line line;

    command_greet(call, argument, false);
    smtp_line_begin(&line, "250 ");
    smtp_text_string(&line.text, smtp_config(call)->hostname);
    smtp_line_say(call, &line);
}

static const char *data_check(struct smtp_argument *argument)
{
    return argument->length == 0 ? NULL : "501 5.5.4 Syntax: DATA";
}

static void command_data(struct smtp_call *call, const struct smtp_argument *argument)
{
    (void)argument;
    smtp_admit(call);
}

static const char *command_rset_check(struct smtp_argument *argument)
{
    return argument->length == 0 ? NULL : "501 5.5.4 Syntax: RSET";
}

static void command_rset(struct smtp_call *call, const struct smtp_argument *argument)
{
    (void)argument;
    smtp_transaction_end(call, MAIL_CUT_OFF, "250 2.0.0 Ok");
    smtp_say(call, "250 2.0.0 Ok");
}

static const char *command_noop_check(struct smtp_argument *argument)
{
    (void)argument;
    return NULL;
}

static void command_noop(struct smtp_call *call, const struct smtp_argument *argument)
{
    (void)argument;
    smtp_say(call, "250 2.0.0 Ok");
}

static const char *command_vrfy_check(struct smtp_argument *argument)
{
    return argument->length > 0 ? NULL : "501 5.5.4 Syntax: VRFY address";
}

static void command_vrfy(struct smtp_call *call, const struct smtp_argument *argument)
{
    (void)argument;
    smtp_say(call, "252 2.5.2 Cannot verify; send some mail and see");
}

static const char *command_quit_check(struct smtp_argument *argument)
{
    return argument->length == 0 ? NULL : "501 5.5.4 Syntax: QUIT";
}

static void command_quit(struct smtp_call *call, const struct smtp_argument *argument)
{
    (void)argument;
    smtp_transaction_end(call, MAIL_CUT_OFF, "221 2.0.0 Bye");
    smtp_say(call, "221 2.0.0 Bye");
    smtp_close(call);
}

static const char *command_not_done(struct smtp_argument *argument)
{
    (void)argument;
    return "502 5.5.1 Command not implemented";
}

#define ANYWHERE               \
    {                          \
        NULL, NULL, NULL, NULL \
    }
#define NOT_GREETED  "503 5.5.1 Error: send EHLO or HELO first"
#define NESTED       "503 5.5.1 Error: nested MAIL command"
#define NO_SENDER    "503 5.5.1 Error: need MAIL command"
#define NO_ENVELOPE  "503 5.5.1 Error: need MAIL and RCPT commands"
#define NO_RECIPIENT "554 5.5.1 Error: no valid recipients"

/* One row a command. It is refused by its state first, then by its check. */
static const struct smtp_command {
    char verb[9];
    bool rejects; /* a refusal has a line in the log: somebody's mail does not get through */
    /* Null where it may come, else the reply. */
    const char *misplaced[SMTP_COMMAND_STATES];
    /* Null, or the reply that refuses the argument; changes nothing but `argument`. */
    const char *(*check)(struct smtp_argument *argument);
    void (*proceed)(struct smtp_call *call, const struct smtp_argument *argument);
} command_table[] = {
    /*               CONNECTED    GREETED      MAIL          RECIPIENT */
    {"RCPT", true, {NO_SENDER, NO_SENDER, NULL, NULL}, smtp_recipient_check, smtp_recipient},
    {"MAIL", true, {NOT_GREETED, NULL, NESTED, NESTED}, smtp_mail_check, smtp_mail},
    {"DATA", true, {NO_ENVELOPE, NO_ENVELOPE, NO_RECIPIENT, NULL}, data_check, command_data},
    {"EHLO", false, ANYWHERE, command_ehlo_check, command_ehlo},
    {"HELO", false, ANYWHERE, command_helo_check, command_helo},
    {"QUIT", false, ANYWHERE, command_quit_check, command_quit},
    {"RSET", false, ANYWHERE, command_rset_check, command_rset},
    {"NOOP", false, ANYWHERE, command_noop_check, command_noop},
    {"VRFY", false, ANYWHERE, command_vrfy_check, command_vrfy},
    {"STARTTLS", false, ANYWHERE, command_not_done, NULL},
    {"AUTH", false, ANYWHERE, command_not_done, NULL},
    {"BDAT", false, ANYWHERE, command_not_done, NULL},
    {"EXPN", false, ANYWHERE, command_not_done, NULL},
    {"HELP", false, ANYWHERE, command_not_done, NULL},
    {"ETRN", false, ANYWHERE, command_not_done, NULL},
};

static const struct smtp_command *command_find(const char *verb, size_t length)
{
    for (size_t i = 0; i < sizeof(command_table) / sizeof(command_table[0]); i++) {
        const struct smtp_command *command = &command_table[i];

        if (length < sizeof(command->verb) && command->verb[length] == '\0' &&
            strncasecmp(verb, command->verb, length) == 0)
            return command;
    }
    return NULL;
}

static bool command_is_forbidden(const char *words, const char *verb, size_t length)
{
    while (*words != '\0') {
        size_t word = strcspn(words, " ");

        if (word == length && strncasecmp(words, verb, length) == 0)
            return true;
        words += word;
        words += *words == ' ';
    }
    return false;
}

/* A browser that somebody sent here with mail in its request, or a mail whose DATA was refused: to
 * look for commands among its lines is how both are abused. No command has a colon in its verb. */
static void command_unknown(struct smtp_call *call, const char *verb, size_t length)
{
    if (memchr(verb, ':', length) != NULL ||
        command_is_forbidden(smtp_config(call)->smtp.forbidden_commands, verb, length))
        smtp_command_foreign(call, "421 4.7.0 Not SMTP: a request, or a header field");
    else
        smtp_command_bad(call, "500 5.5.1 Command unrecognized");
}

static void command_handle(struct smtp_call *call, const struct smtp_command *command,
                           struct smtp_argument *argument)
{
    const char *refused;

    CHECK(smtp_reads_commands(call->session));
    refused = command->misplaced[call->session->state];
    if (refused == NULL)
        refused = command->check(argument);
    if (refused == NULL)
        command->proceed(call, argument);
    else if (command->rejects)
        smtp_transaction_bad(call, command->verb, refused);
    else
        smtp_command_bad(call, refused);
}

/* A CR, LF, NUL or other control byte inside a line is an attempt at something else. */
static bool command_line_fits(const char *line, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
            return false;
    }
    return length > 0 && line[0] != ' ';
}

void smtp_command_line(struct smtp_call *call, const char *line, size_t length)
{
    const struct smtp_command *command;
    struct smtp_argument argument;
    size_t verb = 0;
    size_t text;

    while (length > 0 && line[length - 1] == ' ')
        length--;
    if (!command_line_fits(line, length)) {
        smtp_command_garbled(call);
        return;
    }
    count(call->server->counters, COUNTER_SMTP_COMMANDS);
    while (verb < length && line[verb] != ' ')
        verb++;
    for (text = verb; text < length && line[text] == ' ';)
        text++;
    command = command_find(line, verb);
    argument.text = line + text;
    argument.length = length - text;
    argument.config = smtp_config(call);
    if (command == NULL)
        command_unknown(call, line, verb);
    else
        command_handle(call, command, &argument);
}
