#include "platform/link/counters.h"

const char *counter_name(enum counter counter)
{
    static const char *const names[] = {
#define X(name, text) [COUNTER_##name] = (text),
        COUNTER_LIST(X)
#undef X
    };

    return (unsigned)counter < COUNTER_COUNT ? names[counter] : (const char *)0;
}
