#include "control/relay/source.h"

#include <string.h>

#include "platform/check.h"

struct source *source_take(struct source *source)
{
    CHECK(source->holders > 0);
    source->holders++;
    return source;
}

void source_give(struct source *source)
{
    if (source == NULL)
        return;
    CHECK(source->holders > 0);
    if (--source->holders == 0)
        source->kind->close(source);
}

bool source_string(struct source *source, enum envelope_field field, char *to, size_t size)
{
    size_t position = 0;
    enum envelope_field found;
    const char *value;
    size_t length;

    CHECK(size > 0);
    to[0] = '\0';
    while (source->kind->field(source, &position, &found, &value, &length) == STATUS_OK) {
        if (found != field)
            continue;
        length = length < size ? length : size - 1;
        memcpy(to, value, length);
        to[length] = '\0';
        return true;
    }
    return false;
}
