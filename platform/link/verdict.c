#include "platform/link/verdict.h"

const char *unscannable_text(enum unscannable_reason reason)
{
    static const char *const texts[] = {
#define X(name, text) [UNSCANNABLE_##name] = (text),
        UNSCANNABLE_LIST(X)
#undef X
    };

    return (unsigned)reason < UNSCANNABLE_COUNT ? texts[reason] : "unknown reason";
}
