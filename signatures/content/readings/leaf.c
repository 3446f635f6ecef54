/* What a body may be, under each encoding that anybody may take it to have. */
#include <string.h>

#include "signatures/content/mime/text.h"
#include "signatures/content/readings/internal.h"

#define LEAF_WORK 200u /* looks at each byte that was opened */

struct leaf_taker {
    struct readings *readings;
    const struct leaf *leaf;
    bool decoded; /* it may be a mail, or hold a file, which nobody has looked at */
};

/* Something of it may be a mail, or a part of one. */
static bool leaf_may_be_mail(struct piece bytes)
{
    const uint8_t *end = bytes.at + bytes.length;

    for (const uint8_t *at = text_find(bytes, bytes.at, "content-t"); at < end;
         at = text_find(bytes, at + 1, "content-t")) {
        if (mime_starts(at + 8, (size_t)(end - at) - 8, "type") ||
            mime_starts(at + 8, (size_t)(end - at) - 8, "transfer"))
            return true;
    }
    return false;
}

static bool leaf_add(const struct leaf_taker *taker, struct piece bytes)
{
    const struct leaf *leaf = taker->leaf;
    struct readings *readings = taker->readings;
    unsigned count = leaf->type_count > leaf->name_count ? leaf->type_count : leaf->name_count;

    for (unsigned i = 0; i < count || i == 0; i++) {
        const char *type = i < leaf->type_count   ? leaf->types[i]
                           : leaf->type_count > 0 ? leaf->types[0]
                                                  : "";
        const char *name = i < leaf->name_count   ? leaf->names[i]
                           : leaf->name_count > 0 ? leaf->names[0]
                                                  : "";

        if (!collection_add(readings, bytes, type, name))
            return false;
    }
    return true;
}

static bool leaf_take(void *context, const uint8_t *bytes, size_t length);

/* What has been opened goes the way of what was decoded. It has bounds of its own, so it adds to
 * those of the message. */
static bool leaf_opened(void *context, const uint8_t *bytes, size_t length, const char *name)
{
    const struct leaf_taker *outer = context;
    struct readings *readings = outer->readings;
    bool opened = readings->opened;
    bool more;
    struct leaf file = {.depth = outer->leaf->depth + 1, .name_count = 1};
    struct leaf_taker taker = {readings, &file, true};

    memcpy(file.names[0], name, strnlen(name, sizeof(file.names[0]) - 1));
    readings->limits.parts++;
    readings->limits.bytes += 2 * (uint64_t)length;
    readings->limits.work += LEAF_WORK * (uint64_t)length;
    readings->opened = true;
    more = leaf_take(&taker, bytes, length);
    readings->opened = opened;
    return more;
}

static bool leaf_opened_mail(void *context, const uint8_t *bytes, size_t length)
{
    return leaf_opened(context, bytes, length, "");
}

/* Looks whether somebody can take something out of it that the engine cannot. */
static bool leaf_open(const struct leaf_taker *taker, struct piece bytes)
{
    struct readings *readings = taker->readings;
    const struct open_sink sink = {(void *)(uintptr_t)taker, leaf_opened_mail, leaf_opened};
    struct open_finding finding;

    switch (open_content(&readings->opener, &sink, bytes.at, bytes.length,
                         taker->leaf->name_count > 0 ? taker->leaf->names[0] : "",
                         taker->leaf->depth, &finding)) {
    case OPEN_NOTHING:
    case OPEN_FOUND:
        return true;
    case OPEN_FINDING:
    case OPEN_OVER_BOUND:
        /* Encrypted mail may be delivered all the same: it hides no other finding. */
        if (readings->report.finding == UNSCANNABLE_NONE ||
            (readings->report.finding == UNSCANNABLE_ENCRYPTED &&
             strcmp(readings->report.kind, "mail") == 0)) {
            readings->report.finding = finding.reason;
            memcpy(readings->report.kind, finding.kind, strlen(finding.kind) + 1);
        }
        return true;
    case OPEN_NO_MEMORY:
        return readings_stop(readings, STATUS_NO_MEMORY);
    case OPEN_STOPPED:
        return readings_stop(readings, STATUS_NO_SPACE); /* unless there is a reason already */
    }
    return true;
}

static bool leaf_take(void *context, const uint8_t *bytes, size_t length)
{
    const struct leaf_taker *taker = context;
    unsigned before = taker->readings->report.parts;
    uint8_t *copy;
    struct piece kept;

    if (length == 0)
        return true;
    copy = collection_buffer(taker->readings, length);
    if (copy == NULL)
        return false;
    memcpy(copy, bytes, length);
    kept = (struct piece){copy, length};
    if (!leaf_add(taker, kept))
        return false;
    if (taker->readings->report.parts == before) { /* known already */
        collection_return(taker->readings, length);
        return true;
    }
    if (!leaf_open(taker, kept))
        return false;
    if (!taker->decoded ||
        (!leaf_may_be_mail(kept) && !variants_look_embedded(kept.at, kept.length)))
        return true;
    return collection_text(taker->readings, kept, taker->leaf->depth + 1);
}

static bool leaf_take_named(void *context, const uint8_t *bytes, size_t length, const char *name)
{
    const struct leaf_taker *taker = context;
    struct leaf file = {.depth = taker->leaf->depth, .name_count = 1};
    struct leaf_taker named = {taker->readings, &file, true};

    memcpy(file.names[0], name, strnlen(name, sizeof(file.names[0]) - 1));
    return leaf_take(&named, bytes, length);
}

/* Without memory what takes apart a body stops without a word. */
static bool leaf_ended(struct readings *readings, bool more)
{
    return more || readings_stop(readings, STATUS_NO_MEMORY);
}

bool leaf_read(struct readings *readings, const struct leaf *leaf)
{
    struct leaf_taker taker = {readings, leaf, true};
    struct piece body = leaf->body;

    if (!readings_work(readings, body.length))
        return false;
    if (body.length == 0)
        return true;
    if ((leaf->encodings & LEAF_BASE64) != 0 &&
        !variants_base64(body.at, body.length, leaf_take, &taker))
        return leaf_ended(readings, false);
    if ((leaf->encodings & LEAF_QUOTED) != 0 &&
        !variants_quoted_printable(body.at, body.length, leaf_take, &taker))
        return leaf_ended(readings, false);
    if (!variants_embedded(body.at, body.length, leaf_take_named, &taker))
        return leaf_ended(readings, false);
    taker.decoded = false; /* its cuts are those of the text it is in */
    return (leaf->encodings & LEAF_IDENTITY) == 0 ||
           leaf_ended(readings, variants_text(body.at, body.length, leaf_take, &taker));
}
