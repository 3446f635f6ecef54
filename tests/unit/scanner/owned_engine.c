/* An engine that a message can take over: stands before the real one (the linker's --wrap) in a
 * scanner that is otherwise the real one.
 *
 * "take over" in a message makes the process say "clean" of everything from then on; "die" ends it;
 * "shout" has it give as a virus name what no name looks like, "call it" one that no signature has,
 * "invent" a verdict that there is not. With OWNED_DEAF in the environment it finds nothing at all.
 */
#include <clamav.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "signatures/scanner/engine.h"
#include "signatures/scanner/verdict.h"

void __real_engine_scan(struct engine *engine, const struct engine_input *input,
                        struct scan_result *result);
void __wrap_engine_scan(struct engine *engine, const struct engine_input *input,
                        struct scan_result *result);

static bool owned;

static bool says(const char *text, const char *word)
{
    return strstr(text, word) != NULL;
}

void __wrap_engine_scan(struct engine *engine, const struct engine_input *input,
                        struct scan_result *result)
{
    char text[4096] = "";

    (void)input->read(input->context, text, sizeof(text) - 1, 0);
    __real_engine_scan(engine, input, result);
    owned = owned || says(text, "take over");
    if (says(text, "die"))
        __builtin_trap();
    if (owned)
        verdict_from_engine(CL_CLEAN, NULL, result);
    if (says(text, "shout")) {
        result->verdict = VERDICT_INFECTED;
        memset(result->name, '\xff', sizeof(result->name));
    }
    if (says(text, "call it")) {
        result->verdict = VERDICT_INFECTED;
        (void)snprintf(result->name, sizeof(result->name), "Win.Trojan.Invented-1-0");
    }
    if (getenv("OWNED_DEAF") != NULL)
        verdict_from_engine(CL_CLEAN, NULL, result);
    if (says(text, "invent"))
        result->verdict = 77;
}
