#include "signatures/content/inspect/doubt.h"

#include <string.h>

#define X(name, text) text,
static const char *const inspect_causes[] = {INSPECT_CAUSE_LIST(X)};
#undef X

const char *inspect_cause_text(enum inspect_cause cause)
{
    return (unsigned)cause < INSPECT_CAUSE_COUNT ? inspect_causes[cause] : "unknown";
}

void doubts_begin(struct doubts *doubts)
{
    doubts->final = false;
    doubts->class = GATE_SCAN;
    doubts->cause = INSPECT_CAUSE_NONE;
    doubts->reason[0] = '\0';
}

static size_t doubts_append(char *to, size_t used, const char *text)
{
    size_t length = strlen(text);
    size_t room = INSPECT_REASON_BYTES - 1 - used;

    if (length > room)
        length = room;
    memcpy(to + used, text, length);
    to[used + length] = '\0';
    return used + length;
}

void doubts_add(struct doubts *doubts, enum inspect_cause cause, const char *what,
                enum gate_class class, bool keyed)
{
    size_t used;

    if (class == GATE_READERS)
        doubts->class = GATE_READERS;
    if (!keyed)
        doubts->final = true;
    /* What is malformed is the reason, whatever was seen before. */
    if (doubts->cause != INSPECT_CAUSE_NONE && class != GATE_READERS)
        return;
    doubts->cause = cause;
    used = doubts_append(doubts->reason, 0, inspect_cause_text(cause));
    used = doubts_append(doubts->reason, used, ": ");
    (void)doubts_append(doubts->reason, used, what);
}
