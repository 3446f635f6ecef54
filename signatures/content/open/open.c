#include "signatures/content/open/open.h"

#include "signatures/content/open/internal.h"

void open_begin(struct opener *opener, const struct open_limits *limits)
{
    *opener = (struct opener){.limits = *limits};
}

/* Each looks whether it is its own; most contents are nobody's. */
static void open_each(struct opener *opener, struct open_span span, const char *name)
{
    (void)(cms_open(opener, span) && pgp_open(opener, span, false, name) &&
           formats_open(opener, span, name) && armor_open(opener, span, name));
}

enum open_verdict open_content(struct opener *opener, const struct open_sink *sink,
                               const uint8_t *bytes, size_t length, const char *name,
                               unsigned depth, struct open_finding *finding)
{
    const struct open_call outer = opener->call;
    enum open_verdict verdict;

    opener->call = (struct open_call){sink, depth, OPEN_NOTHING, {UNSCANNABLE_NONE, ""}};
    if (length > 0)
        open_each(opener, (struct open_span){bytes, length}, name);
    verdict = opener->call.verdict;
    *finding = opener->call.finding;
    opener->call = outer;
    return verdict;
}
