/* Parameters of MAIL and RCPT (RFC 5321 4.1.2). */
#include "dataplane/smtp/parameters.h"

#include <string.h>
#include <strings.h>

/* Digits only, at most 20 (RFC 1870 3). What does not fit 64 bits is larger than any limit. */
static bool parameter_size(const char *text, size_t length, uint64_t *size)
{
    *size = 0;
    if (length == 0 || length > 20)
        return false;
    for (size_t i = 0; i < length; i++) {
        unsigned digit = (unsigned)(unsigned char)text[i] - '0';

        if (digit > 9)
            return false;
        *size = *size > (UINT64_MAX - digit) / 10 ? UINT64_MAX : *size * 10 + digit;
    }
    return true;
}

static bool parameter_is(const char *text, size_t length, const char *word)
{
    return length == strlen(word) && strncasecmp(text, word, length) == 0;
}

static bool parameter_passes(const char *text, size_t length, enum smtp_unoffered pass)
{
    static const struct {
        char key[7];
        enum smtp_unoffered of;
    } harmless[] = {
        {"AUTH", SMTP_UNOFFERED_MAIL},  {"RET", SMTP_UNOFFERED_MAIL},
        {"ENVID", SMTP_UNOFFERED_MAIL}, {"NOTIFY", SMTP_UNOFFERED_RCPT},
        {"ORCPT", SMTP_UNOFFERED_RCPT},
    };

    for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++) {
        if (harmless[i].of == pass && parameter_is(text, length, harmless[i].key))
            return true;
    }
    return false;
}

/* One "KEY[=VALUE]". Returns null, or the reply that refuses it. */
static const char *parameter_take(struct smtp_parameters *parameters, const char *text,
                                  size_t length, enum smtp_unoffered pass)
{
    const char *equals = memchr(text, '=', length);
    size_t key = equals == NULL ? length : (size_t)(equals - text);
    const char *value = equals == NULL ? "" : equals + 1;
    size_t value_length = equals == NULL ? 0 : length - key - 1;

    if (parameter_is(text, key, "SIZE")) {
        if (parameters->has_size || !parameter_size(value, value_length, &parameters->size))
            return "501 5.5.4 Syntax: bad or repeated SIZE";
        parameters->has_size = true;
        return NULL;
    }
    if (parameter_is(text, key, "BODY")) {
        parameters->eight_bit = parameter_is(value, value_length, "8BITMIME");
        if (parameters->has_body ||
            (!parameters->eight_bit && !parameter_is(value, value_length, "7BIT")))
            return "501 5.5.4 Syntax: bad or repeated BODY";
        parameters->has_body = true;
        return NULL;
    }
    if (value_length > 0 && parameter_passes(text, key, pass))
        return NULL;
    return "555 5.5.4 Unsupported parameter";
}

/* Parameters follow the path after a blank. */
const char *smtp_parameters_parse(struct smtp_parameters *parameters, const char *text,
                                  size_t length, enum smtp_unoffered pass)
{
    size_t at = 0;

    *parameters = (struct smtp_parameters){0};
    if (length > 0 && text[0] != ' ')
        return "501 5.5.4 Syntax: text after the address";
    while (at < length) {
        size_t start;
        const char *refused;

        while (at < length && text[at] == ' ')
            at++;
        start = at;
        while (at < length && text[at] != ' ')
            at++;
        if (at == start)
            break;
        refused = parameter_take(parameters, text + start, at - start, pass);
        if (refused != NULL)
            return refused;
    }
    return NULL;
}
