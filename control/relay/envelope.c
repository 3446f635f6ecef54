#include "control/relay/envelope.h"

#include <stdio.h>
#include <string.h>

#include "platform/check.h"

#define ENVELOPE_ADDRESS_BYTES 257u

void envelope_start(struct envelope *envelope, const struct transaction *transaction)
{
    CHECK(transaction->recipient_count > 0);
    *envelope = (struct envelope){.total = transaction->recipient_count + 1};
}

static void envelope_put_mail(const struct transaction *transaction,
                              const struct reply_offers *offers, struct evbuffer *output)
{
    (void)evbuffer_add_printf(output, "MAIL FROM:<%s>", transaction->sender);
    if (offers->size)
        (void)evbuffer_add_printf(output, " SIZE=%llu",
                                  (unsigned long long)transaction_size(transaction));
    if (offers->eight_bit && transaction->source->flags & MESSAGE_FLAG_8BITMIME)
        (void)evbuffer_add_printf(output, " BODY=8BITMIME");
    (void)evbuffer_add_printf(output, "\r\n");
}

void envelope_send(struct envelope *envelope, const struct transaction *transaction,
                   const struct reply_offers *offers, struct evbuffer *output)
{
    unsigned window = offers->pipelining ? ENVELOPE_COMMANDS_MAX : 1;

    CHECK(envelope->total <= transaction->recipient_count + 1);
    while (envelope->sent < envelope->total && envelope->sent - envelope->answered < window &&
           evbuffer_get_length(output) < ENVELOPE_COMMAND_BYTES) {
        if (envelope->sent == 0)
            envelope_put_mail(transaction, offers, output);
        else
            (void)evbuffer_add_printf(output, "RCPT TO:<%s>\r\n",
                                      transaction->recipients[envelope->sent - 1]);
        envelope->sent++;
    }
}

/* Keeps the worst refusal: the first 5xx, else the first 4xx. */
static void envelope_refused(struct envelope *envelope, const struct reply *reply)
{
    if (envelope->refused_code == 0 || (envelope->refused_code < 500 && reply->code >= 500)) {
        envelope->refused_code = reply->code;
        envelope->refused_command = envelope->answered;
        memcpy(envelope->refused_text, reply->text, sizeof(envelope->refused_text));
    }
    /* Nothing can make it worse: what is not sent yet need not be. */
    if (envelope->answered == 0 || reply->code >= 500)
        envelope->total = envelope->sent;
}

bool envelope_answer(struct envelope *envelope, const struct reply *reply)
{
    CHECK(reply->code / 100 != 3);
    CHECK(envelope->answered < envelope->sent && envelope->sent <= envelope->total);
    /* After a refused MAIL the pipelined RCPTs are refused for want of it: no news. */
    if (reply->code >= 400 && (envelope->refused_code == 0 || envelope->refused_command != 0))
        envelope_refused(envelope, reply);
    envelope->answered++;
    return envelope->answered == envelope->total;
}

/* A quoted local part may hold brackets of its own; in a reply they would end the address early. */
static void envelope_show_address(const char *address, char *to, size_t size)
{
    size_t i = 0;

    for (; address[i] != '\0' && i + 1 < size; i++)
        to[i] = address[i] == '<' || address[i] == '>' ? '?' : address[i];
    to[i] = '\0';
}

void envelope_refusal(const struct envelope *envelope, const struct transaction *transaction,
                      char to[RELAY_TEXT_BYTES])
{
    const char *text = envelope->refused_text;
    size_t code_length = reply_enhanced_code(envelope->refused_code, text);
    size_t rest = code_length + (text[code_length] == ' ');
    char recipient[ENVELOPE_ADDRESS_BYTES];

    CHECK(envelope->refused_code >= 400);
    if (envelope->refused_command == 0) {
        memcpy(to, text, RELAY_TEXT_BYTES);
        return;
    }
    CHECK(envelope->refused_command <= transaction->recipient_count);
    envelope_show_address(transaction->recipients[envelope->refused_command - 1], recipient,
                          sizeof(recipient));
    (void)snprintf(to, RELAY_TEXT_BYTES, "%.*s%s<%s>: %s", (int)code_length, text,
                   code_length > 0 ? " " : "", recipient, text + rest);
}
