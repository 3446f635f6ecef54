#include "signatures/content/mime/gate.h"

const char *mime_gate_text(enum mime_gate gate)
{
    static const char *const texts[] = {
#define X(name, class, text) text,
        MIME_GATE_LIST(X)
#undef X
    };

    return (unsigned)gate < MIME_GATE_COUNT ? texts[gate] : "unknown";
}

enum gate_class mime_gate_class(enum mime_gate gate)
{
    static const enum gate_class classes[] = {
#define X(name, class, text) class,
        MIME_GATE_LIST(X)
#undef X
    };

    return (unsigned)gate < MIME_GATE_COUNT ? classes[gate] : GATE_READERS;
}
