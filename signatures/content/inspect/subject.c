/* A byte string as libclamav would scan it: its type, then its streams. See internal.h. */
#include <string.h>

#include "signatures/content/inspect/internal.h"

void subject_begin(struct subject *subject, struct hashing *hashing, struct search_text *text,
                   bool in_raw, bool linked, bool keeps_key)
{
    subject->hashing = hashing;
    subject->text = text;
    subject->open = true;
    subject->typed = false;
    subject->in_raw = in_raw;
    subject->linked = linked;
    subject->as_text = false;
    /* The answers of the cache are for a file, and links are looked for in mail alone. */
    subject->keeps_key = keeps_key && !linked;
    subject->length = 0;
    subject->look_length = 0;
}

static bool subject_forced(const struct inspect_call *call, const struct subject *subject)
{
    return subject == &call->inspection->forced_part;
}

static struct search_stream *subject_binary(struct inspect_call *call,
                                            const struct subject *subject)
{
    return subject_forced(call, subject) ? &call->inspection->forced_binary
                                         : &call->inspection->binary;
}

static void subject_always(struct inspect_call *call, uint32_t domain)
{
    uint32_t signature = call->inspector->always[__builtin_ctz(domain)];

    if (signature != UINT32_MAX)
        inspect_doubt(call->inspection, INSPECT_CAUSE_ALWAYS,
                      prefilter_name(call->inspector->prefilter, signature), GATE_SCAN, false);
}

void subject_starts(struct inspect_call *call, uint32_t domain, const uint8_t *bytes, size_t length)
{
    const struct prefilter *prefilter = call->inspector->prefilter;

    if (length == 0 || (call->inspector->starts[bytes[0]] & domain) == 0)
        return;
    for (uint64_t i = 0; i < prefilter->header->always.count; i++) {
        const struct prefilter_always *start = &prefilter->always[i];

        if (start->start_length > 0 && start->start_length <= length &&
            (start->domains & domain) != 0 &&
            memcmp(prefilter->strings + start->start, bytes, start->start_length) == 0)
            inspect_doubt(call->inspection, INSPECT_CAUSE_SIGNATURE,
                          prefilter_name(prefilter, start->signature), GATE_SCAN, false);
    }
}

static void subject_nocomment(void *context, const uint8_t *bytes, size_t length)
{
    struct inspect_call *call = context;

    search_text_feed(call, &call->inspection->body, bytes, length);
    hashing_feed(call, &call->inspection->hashings[HASHING_NOCOMMENT], bytes, length);
}

static void subject_notags(void *context, const uint8_t *bytes, size_t length)
{
    struct inspect_call *call = context;

    search_text_feed(call, &call->inspection->notags, bytes, length);
    hashing_feed(call, &call->inspection->hashings[HASHING_NOTAGS], bytes, length);
}

static void subject_begin_html(struct inspect_call *call)
{
    struct inspection *inspection = call->inspection;
    const struct html_sink sink = {call, subject_nocomment, subject_notags};

    search_text_begin(call, &inspection->body, INSPECT_NOCOMMENT, PREFILTER_HTML);
    search_text_begin(call, &inspection->notags, INSPECT_NOTAGS, PREFILTER_HTML);
    hashing_begin(&inspection->hashings[HASHING_NOCOMMENT]);
    hashing_begin(&inspection->hashings[HASHING_NOTAGS]);
    html_begin(&inspection->html, &sink);
}

/* The cache may answer for a part of a type that is always scanned. */
static void subject_doubt_type(struct inspect_call *call, struct subject *subject)
{
    struct inspection *inspection = call->inspection;
    bool keyed = subject->keeps_key && call->inspector->settings.cache != NULL &&
                 inspection->key_count < INSPECT_CACHED_MAX;

    subject->keeps_key = keyed;
    if (keyed)
        (void)SHA256_Init(&inspection->sha256);
    inspect_doubt(inspection, INSPECT_CAUSE_TYPE, subject->type.name, GATE_SCAN, keyed);
}

static void subject_seen(struct inspect_call *call, const char *type)
{
    if (type != NULL)
        inspect_doubt(call->inspection, INSPECT_CAUSE_TYPE, type, GATE_SCAN, false);
}

/* What text, images and unknown binary have in common. */
static void subject_begin_plain(struct inspect_call *call, struct subject *subject, uint32_t domain)
{
    subject_always(call, domain);
    subject_starts(call, domain, subject->look, subject->look_length);
    hashing_begin(subject->hashing);
    type_watch_begin(&subject->watch, call->inspector->types, domain, &subject->type);
}

static void subject_plain(struct inspect_call *call, struct subject *subject, const uint8_t *bytes,
                          size_t length)
{
    hashing_feed(call, subject->hashing, bytes, length);
    subject_seen(call, type_watch_feed(&subject->watch, bytes, length));
}

static void subject_end_plain(struct inspect_call *call, struct subject *subject)
{
    hashing_end(call, subject->hashing);
    subject_seen(call, type_watch_end(&subject->watch));
}

/* Text that is not searched with the message has a stream of its own. */
static void subject_begin_text(struct inspect_call *call, struct subject *subject)
{
    subject->as_text = true;
    if (!subject->in_raw)
        search_text_begin(call, subject->text, INSPECT_TEXT, PREFILTER_TEXT);
}

/* Links make text of what is none by its bytes. */
static void subject_begin_other(struct inspect_call *call, struct subject *subject)
{
    if (!subject->linked)
        return;
    subject_always(call, PREFILTER_TEXT);
    subject_begin_text(call, subject);
}

static bool subject_hashed(const struct inspect_call *call)
{
    const bool *hashes = call->inspector->hashes;

    return hashes[PREFILTER_MD5] || hashes[PREFILTER_SHA1] || hashes[PREFILTER_SHA256];
}

/* The normal form of a text, for its digests (textnorm.c): runs of white space are one space,
 * letters lower case, control and high bytes dropped, DEL kept. With a Target 7 signature that
 * counts from the end in the database, libclamav holds it against the hash signatures, too. */
static void subject_normalise(struct inspect_call *call, struct subject *subject,
                              const uint8_t *bytes, size_t length)
{
    const uint8_t *table = call->inspector->normal_of;
    uint8_t *normal = call->inspector->normal;
    bool spaced = subject->spaced;
    size_t used = 0;

    for (size_t i = 0; i < length; i++) {
        uint8_t left = table[bytes[i]];
        bool white = left == ' ';

        normal[used] = left;
        used += left != 0 && !(white && spaced);
        spaced = left != 0 ? white : spaced;
        if (used == sizeof(call->inspector->normal)) {
            hashing_feed(call, subject->hashing + 1, normal, used);
            used = 0;
        }
    }
    subject->spaced = spaced;
    hashing_feed(call, subject->hashing + 1, normal, used);
}

static void subject_end_normal(struct inspect_call *call, struct subject *subject)
{
    if (subject->length <= NORMAL_PIECE)
        hashing_end(call, subject->hashing + 1);
    else
        hashing_end_about(call, subject->hashing + 1, subject->length / NORMAL_PIECE);
}

/* The type is known: makes ready what will search it. */
static void subject_open(struct inspect_call *call, struct subject *subject)
{
    struct inspection *inspection = call->inspection;

    subject->typed = true;
    switch (subject->type.class) {
    case PREFILTER_CLASS_TEXT:
        subject_begin_plain(call, subject, PREFILTER_TEXT);
        hashing_begin(subject->hashing + 1);
        subject->spaced = false;
        subject_begin_text(call, subject);
        break;
    case PREFILTER_CLASS_HTML:
        subject_always(call, PREFILTER_HTML);
        if (subject_forced(call, subject))
            inspect_doubt(inspection, INSPECT_CAUSE_TYPE, subject->type.name, GATE_SCAN, false);
        else
            subject_begin_html(call);
        break;
    case PREFILTER_CLASS_IMAGE:
    case PREFILTER_CLASS_BINARY:
        subject_begin_plain(call, subject,
                            subject->type.class == PREFILTER_CLASS_IMAGE ? PREFILTER_IMAGE
                                                                         : PREFILTER_BINARY);
        if (subject->type.class == PREFILTER_CLASS_IMAGE &&
            call->inspector->prefilter->header->image_fuzzy != 0)
            inspect_doubt(inspection, INSPECT_CAUSE_ALWAYS, "fuzzy image hashes", GATE_SCAN, false);
        search_stream_reset(subject_binary(call, subject));
        if (call->inspector->settings.tap.begin != NULL)
            call->inspector->settings.tap.begin(call->inspector->settings.tap.context,
                                                subject_forced(call, subject) ? INSPECT_FORCED
                                                                              : INSPECT_BINARY);
        subject_begin_other(call, subject);
        break;
    case PREFILTER_CLASS_IGNORED:
        subject_begin_other(call, subject);
        break;
    case PREFILTER_CLASS_ESCALATE:
        subject_doubt_type(call, subject);
        break;
    }
}

static void subject_html(struct inspect_call *call, const uint8_t *bytes, size_t length)
{
    struct inspection *inspection = call->inspection;

    html_feed(&inspection->html, bytes, length);
    if (inspection->html.gate != HTML_GATE_NONE)
        inspect_doubt(inspection, INSPECT_CAUSE_GATE, html_gate_text(inspection->html.gate),
                      GATE_SCAN, false);
}

static void subject_bytes(struct inspect_call *call, struct subject *subject, const uint8_t *bytes,
                          size_t length)
{
    if (subject->as_text && !subject->in_raw)
        search_text_feed(call, subject->text, bytes, length);
    switch (subject->type.class) {
    case PREFILTER_CLASS_TEXT:
        subject_plain(call, subject, bytes, length);
        if (subject_hashed(call))
            subject_normalise(call, subject, bytes, length);
        break;
    case PREFILTER_CLASS_HTML:
        if (!subject_forced(call, subject))
            subject_html(call, bytes, length);
        break;
    case PREFILTER_CLASS_IMAGE:
        subject_plain(call, subject, bytes, length);
        search_exact(call, subject_binary(call, subject), PREFILTER_IMAGE, bytes, length);
        break;
    case PREFILTER_CLASS_BINARY:
        subject_plain(call, subject, bytes, length);
        search_exact(call, subject_binary(call, subject), PREFILTER_BINARY, bytes, length);
        break;
    case PREFILTER_CLASS_IGNORED:
        break;
    case PREFILTER_CLASS_ESCALATE:
        if (subject->keeps_key)
            (void)SHA256_Update(&call->inspection->sha256, bytes, length);
        break;
    }
}

static void subject_type(struct inspect_call *call, struct subject *subject, bool whole)
{
    subject->type = type_of(call->inspector->types, subject->look, subject->look_length, whole);
    subject_open(call, subject);
    subject_bytes(call, subject, subject->look, subject->look_length);
}

void subject_feed(struct inspect_call *call, struct subject *subject, const uint8_t *bytes,
                  size_t length)
{
    subject->length += length;
    if (!subject->typed) {
        size_t room = TYPE_LOOK - subject->look_length;
        size_t taken = length < room ? length : room;

        memcpy(subject->look + subject->look_length, bytes, taken);
        subject->look_length += taken;
        if (subject->look_length < TYPE_LOOK)
            return;
        subject_type(call, subject, false);
        bytes += taken;
        length -= taken;
    }
    if (length > 0)
        subject_bytes(call, subject, bytes, length);
}

static void subject_end_html(struct inspect_call *call)
{
    struct inspection *inspection = call->inspection;

    html_end(&inspection->html);
    if (inspection->html.gate != HTML_GATE_NONE)
        inspect_doubt(inspection, INSPECT_CAUSE_GATE, html_gate_text(inspection->html.gate),
                      GATE_SCAN, false);
    search_text_flush(call, &inspection->body);
    search_text_flush(call, &inspection->notags);
    subject_starts(call, PREFILTER_HTML, inspection->body.head, inspection->body.head_length);
    subject_starts(call, PREFILTER_HTML, inspection->notags.head, inspection->notags.head_length);
    hashing_end(call, &inspection->hashings[HASHING_NOCOMMENT]);
    hashing_end(call, &inspection->hashings[HASHING_NOTAGS]);
}

/* FNV-1a: only tells one type's name from another in a key that holds a SHA-256 besides. */
static uint32_t subject_type_number(const char *name)
{
    uint32_t number = 2166136261u;

    for (; *name != '\0'; name++)
        number = (number ^ (uint8_t)*name) * 16777619u;
    return number;
}

static void subject_keep_key(struct inspect_call *call, const struct subject *subject)
{
    struct inspection *inspection = call->inspection;
    struct cache_key *key = &inspection->keys[inspection->key_count];

    *key = (struct cache_key){
        .length = subject->length,
        .generation = call->inspector->settings.generation,
        .type = subject_type_number(subject->type.name),
    };
    (void)SHA256_Final(key->sha256, &inspection->sha256);
    inspection->key_count++;
}

void subject_end(struct inspect_call *call, struct subject *subject)
{
    if (!subject->open)
        return;
    subject->open = false;
    if (!subject->typed)
        subject_type(call, subject, true);
    if (subject->as_text && !subject->in_raw)
        search_text_flush(call, subject->text);
    switch (subject->type.class) {
    case PREFILTER_CLASS_TEXT:
        subject_end_plain(call, subject);
        if (subject_hashed(call))
            subject_end_normal(call, subject);
        break;
    case PREFILTER_CLASS_HTML:
        if (!subject_forced(call, subject))
            subject_end_html(call);
        break;
    case PREFILTER_CLASS_IMAGE:
    case PREFILTER_CLASS_BINARY:
        subject_end_plain(call, subject);
        break;
    case PREFILTER_CLASS_IGNORED:
        break;
    case PREFILTER_CLASS_ESCALATE:
        if (subject->keeps_key && !call->inspection->final)
            subject_keep_key(call, subject);
        break;
    }
}
