#include "platform/why.h"

#include <stdio.h>
#include <string.h>

void why_clear(struct why *why)
{
    if (why != NULL)
        why->text[0] = '\0';
}

bool why_empty(const struct why *why)
{
    return why == NULL || why->text[0] == '\0';
}

static void why_put(struct why *why, size_t from, const char *format, va_list arguments)
{
    (void)vsnprintf(why->text + from, sizeof(why->text) - from, format, arguments);
}

void why_set_list(struct why *why, const char *format, va_list arguments)
{
    if (why != NULL)
        why_put(why, 0, format, arguments);
}

void why_set(struct why *why, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    why_set_list(why, format, arguments);
    va_end(arguments);
}

void why_add(struct why *why, const char *format, ...)
{
    size_t used = why_empty(why) ? 0 : strlen(why->text);
    va_list arguments;

    if (why == NULL)
        return;
    if (used > 0)
        used += (size_t)snprintf(why->text + used, sizeof(why->text) - used, "; ");
    if (used >= sizeof(why->text))
        return;
    va_start(arguments, format);
    why_put(why, used, format, arguments);
    va_end(arguments);
}
