/* A byte string as libclamav would scan it: its type, then its streams. */
#include "signatures/content/inspect/subject.h"

#include <string.h>

#include "platform/check.h"
#include "signatures/content/hint/hint.h"
#include "signatures/content/inspect/normal.h"

static void subject_html_nocomment(void *context, const uint8_t *bytes, size_t length)
{
    struct subjects *all = context;

    search_text_feed(&all->search, &all->body, bytes, length);
    hashing_feed(&all->bench->rules.hashes, &all->hashings[HASHING_NOCOMMENT], bytes, length);
}

static void subject_html_notags(void *context, const uint8_t *bytes, size_t length)
{
    struct subjects *all = context;

    search_text_feed(&all->search, &all->notags, bytes, length);
    hashing_feed(&all->bench->rules.hashes, &all->hashings[HASHING_NOTAGS], bytes, length);
}

enum status subjects_open(struct subjects *all, struct subject_bench *bench)
{
    const struct searcher *searcher = &bench->searcher;
    struct search_text *texts[] = {&all->raw, &all->body, &all->notags, &all->forced_text};
    bool opened = search_open(&all->search, &bench->searcher) &&
                  search_binary_open(searcher, &all->binary) &&
                  search_binary_open(searcher, &all->forced_binary);

    for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        opened = opened && search_text_open(searcher, texts[i]);
    all->bench = bench;
    all->part.hashing = &all->hashings[HASHING_PART];
    all->part.text = &all->body;
    all->part.binary = &all->binary;
    all->forced.hashing = &all->hashings[HASHING_FORCED];
    all->forced.text = &all->forced_text;
    all->forced.binary = &all->forced_binary;
    all->forced.forced = true;
    return opened ? STATUS_OK : STATUS_NO_MEMORY;
}

void subjects_close(struct subjects *all)
{
    search_text_close(&all->raw);
    search_text_close(&all->body);
    search_text_close(&all->notags);
    search_text_close(&all->forced_text);
    search_binary_close(&all->binary);
    search_binary_close(&all->forced_binary);
    search_close(&all->search);
}

void subjects_doubt(struct subjects *all, enum inspect_cause cause, const char *what,
                    enum gate_class class, bool keyed)
{
    doubts_add(&all->doubts, cause, what, class, keyed);
    if (all->doubts.final)
        search_stop(&all->search);
}

/* The message is sent on for `signature`, unless there is none. */
static void subjects_doubt_signature(struct subjects *all, enum inspect_cause cause,
                                     uint32_t signature)
{
    if (signature != UINT32_MAX)
        subjects_doubt(all, cause, prefilter_name(all->bench->rules.prefilter, signature),
                       GATE_SCAN, false);
}

static void subjects_doubt_hash(struct subjects *all, const char *what)
{
    if (what != NULL)
        subjects_doubt(all, INSPECT_CAUSE_HASH, what, GATE_SCAN, false);
}

static void subjects_doubt_type(struct subjects *all, const char *type)
{
    if (type != NULL)
        subjects_doubt(all, INSPECT_CAUSE_TYPE, type, GATE_SCAN, false);
}

/* Makes a doubt of what the search came to. To be asked behind every call that searches. */
static void subjects_found(struct subjects *all)
{
    const struct prefilter *prefilter = all->bench->rules.prefilter;

    if (all->search.state == SEARCH_GOING_ON || all->doubts.final)
        return;
    if (all->search.state == SEARCH_FOUND)
        subjects_doubt_signature(all,
                                 prefilter->signatures[all->search.signature].kind == PREFILTER_TYPE
                                     ? INSPECT_CAUSE_TYPE
                                     : INSPECT_CAUSE_SIGNATURE,
                                 all->search.signature);
    else
        subjects_doubt(all, INSPECT_CAUSE_LIMIT, "search failed", GATE_SCAN, false);
}

static void subjects_search_text(struct subjects *all, struct search_text *text,
                                 const uint8_t *bytes, size_t length)
{
    search_text_feed(&all->search, text, bytes, length);
    subjects_found(all);
}

static void subjects_flush_text(struct subjects *all, struct search_text *text)
{
    search_text_flush(&all->search, text);
    subjects_found(all);
}

static void subject_always(struct subjects *all, uint32_t domain)
{
    subjects_doubt_signature(all, INSPECT_CAUSE_ALWAYS, rules_always(&all->bench->rules, domain));
}

/* Signatures that match from the first byte of a buffer of `domain`. */
static void subject_starts(struct subjects *all, uint32_t domain, const uint8_t *bytes,
                           size_t length)
{
    subjects_doubt_signature(all, INSPECT_CAUSE_SIGNATURE,
                             rules_start(&all->bench->rules, domain, bytes, length));
}

void subjects_begin(struct subjects *all)
{
    doubts_begin(&all->doubts);
    search_begin(&all->search);
    for (unsigned i = 0; i < HASHING_TARGETS; i++)
        hashing_reset(&all->hashings[i]);
    all->part.open = false;
    all->part.typed = false;
    all->part.as_text = false;
    all->forced.open = false;
    all->key_count = 0;
    search_text_begin(&all->search, &all->raw, SEARCH_RAW, PREFILTER_RAW);
    subject_always(all, PREFILTER_RAW);
}

uint64_t subjects_hashed(const struct subjects *all)
{
    uint64_t hashed = 0;

    for (unsigned i = 0; i < HASHING_TARGETS; i++)
        hashed += all->hashings[i].hashed;
    return hashed;
}

void subjects_raw(struct subjects *all, const uint8_t *bytes, size_t length)
{
    subjects_search_text(all, &all->raw, bytes, length);
}

void subjects_raw_end(struct subjects *all)
{
    subjects_flush_text(all, &all->raw);
    subject_starts(all, PREFILTER_RAW, all->raw.head, all->raw.head_length);
}

void subjects_flush(struct subjects *all)
{
    const struct subject *part = &all->part;
    const struct subject *forced = &all->forced;

    subjects_flush_text(all, &all->raw);
    if (part->open && part->typed && part->type.class == PREFILTER_CLASS_HTML) {
        subjects_flush_text(all, &all->body);
        subjects_flush_text(all, &all->notags);
    } else if (part->open && part->as_text && !part->in_raw) {
        subjects_flush_text(all, &all->body);
    }
    if (forced->open && forced->as_text)
        subjects_flush_text(all, &all->forced_text);
}

void subject_begin(struct subject *subject, bool in_raw, bool linked, bool keeps_key)
{
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

static void subject_begin_html(struct subjects *all)
{
    const struct html_sink sink = {all, subject_html_nocomment, subject_html_notags};

    search_text_begin(&all->search, &all->body, SEARCH_NOCOMMENT, PREFILTER_HTML);
    search_text_begin(&all->search, &all->notags, SEARCH_NOTAGS, PREFILTER_HTML);
    hashing_begin(&all->hashings[HASHING_NOCOMMENT]);
    hashing_begin(&all->hashings[HASHING_NOTAGS]);
    html_begin(&all->html, &sink);
}

/* The cache may answer for a part of a type that is always scanned. */
static void subject_doubt_type(struct subjects *all, struct subject *subject)
{
    bool keyed = subject->keeps_key && all->bench->cached && all->key_count < INSPECT_CACHED_MAX;

    subject->keeps_key = keyed;
    if (keyed)
        (void)SHA256_Init(&all->sha256);
    subjects_doubt(all, INSPECT_CAUSE_TYPE, subject->type.name, GATE_SCAN, keyed);
}

/* What text, images and unknown binary have in common. */
static void subject_begin_plain(struct subjects *all, struct subject *subject, uint32_t domain)
{
    subject_always(all, domain);
    subject_starts(all, domain, subject->look, subject->look_length);
    hashing_begin(subject->hashing);
    type_watch_begin(&subject->watch, all->bench->rules.types, domain, &subject->type);
}

static void subject_plain(struct subjects *all, struct subject *subject, const uint8_t *bytes,
                          size_t length)
{
    hashing_feed(&all->bench->rules.hashes, subject->hashing, bytes, length);
    subjects_doubt_type(all, type_watch_feed(&subject->watch, bytes, length));
}

static void subject_end_plain(struct subjects *all, struct subject *subject)
{
    subjects_doubt_hash(all, hashing_end(&all->bench->rules.hashes, subject->hashing));
    subjects_doubt_type(all, type_watch_end(&subject->watch));
}

/* Text that is not searched with the message has a stream of its own. */
static void subject_begin_text(struct subjects *all, struct subject *subject)
{
    subject->as_text = true;
    if (!subject->in_raw)
        search_text_begin(&all->search, subject->text, SEARCH_TEXT, PREFILTER_TEXT);
}

/* Links make text of what is none by its bytes. */
static void subject_begin_other(struct subjects *all, struct subject *subject)
{
    if (!subject->linked)
        return;
    subject_always(all, PREFILTER_TEXT);
    subject_begin_text(all, subject);
}

static bool subject_hashed(const struct subjects *all)
{
    return hashing_wanted(&all->bench->rules.hashes);
}

static void subject_normalise(struct subjects *all, struct subject *subject, const uint8_t *bytes,
                              size_t length)
{
    uint8_t *normal = all->bench->normal;
    size_t used;

    CHECK(length <= sizeof(all->bench->normal));
    used = normal_make(bytes, length, normal, &subject->spaced);
    hashing_feed(&all->bench->rules.hashes, subject->hashing + 1, normal, used);
}

static void subject_end_normal(struct subjects *all, struct subject *subject)
{
    const struct hashing_table *table = &all->bench->rules.hashes;

    if (subject->length <= NORMAL_PIECE)
        subjects_doubt_hash(all, hashing_end(table, subject->hashing + 1));
    else if (hashing_end_about(table, subject->hashing + 1, subject->length / NORMAL_PIECE))
        subjects_doubt_hash(all, "size of a long text");
}

/* The type is known: makes ready what will search it. */
static void subject_open(struct subjects *all, struct subject *subject)
{
    bool image = subject->type.class == PREFILTER_CLASS_IMAGE;

    subject->typed = true;
    switch (subject->type.class) {
    case PREFILTER_CLASS_TEXT:
        subject_begin_plain(all, subject, PREFILTER_TEXT);
        hashing_begin(subject->hashing + 1);
        subject->spaced = false;
        subject_begin_text(all, subject);
        break;
    case PREFILTER_CLASS_HTML:
        subject_always(all, PREFILTER_HTML);
        if (subject->forced)
            subjects_doubt_type(all, subject->type.name);
        else
            subject_begin_html(all);
        break;
    case PREFILTER_CLASS_IMAGE:
    case PREFILTER_CLASS_BINARY:
        subject_begin_plain(all, subject, image ? PREFILTER_IMAGE : PREFILTER_BINARY);
        if (image && all->bench->rules.prefilter->header->image_fuzzy != 0)
            subjects_doubt(all, INSPECT_CAUSE_ALWAYS, "fuzzy image hashes", GATE_SCAN, false);
        search_binary_begin(&all->search, subject->binary,
                            subject->forced ? SEARCH_FORCED : SEARCH_BINARY,
                            image ? PREFILTER_IMAGE : PREFILTER_BINARY);
        subject_begin_other(all, subject);
        break;
    case PREFILTER_CLASS_IGNORED:
        subject_begin_other(all, subject);
        break;
    case PREFILTER_CLASS_ESCALATE:
        subject_doubt_type(all, subject);
        break;
    }
}

static void subject_check_html(struct subjects *all)
{
    if (all->html.gate != HTML_GATE_NONE)
        subjects_doubt(all, INSPECT_CAUSE_GATE, html_gate_text(all->html.gate), GATE_SCAN, false);
}

static void subject_html(struct subjects *all, const uint8_t *bytes, size_t length)
{
    html_feed(&all->html, bytes, length);
    subjects_found(all);
    subject_check_html(all);
}

static void subject_binary(struct subjects *all, struct subject *subject, const uint8_t *bytes,
                           size_t length)
{
    search_binary_feed(&all->search, subject->binary, bytes, length);
    subjects_found(all);
}

static void subject_bytes(struct subjects *all, struct subject *subject, const uint8_t *bytes,
                          size_t length)
{
    if (subject->as_text && !subject->in_raw)
        subjects_search_text(all, subject->text, bytes, length);
    switch (subject->type.class) {
    case PREFILTER_CLASS_TEXT:
        subject_plain(all, subject, bytes, length);
        if (subject_hashed(all))
            subject_normalise(all, subject, bytes, length);
        break;
    case PREFILTER_CLASS_HTML:
        if (!subject->forced)
            subject_html(all, bytes, length);
        break;
    case PREFILTER_CLASS_IMAGE:
    case PREFILTER_CLASS_BINARY:
        subject_plain(all, subject, bytes, length);
        subject_binary(all, subject, bytes, length);
        break;
    case PREFILTER_CLASS_IGNORED:
        break;
    case PREFILTER_CLASS_ESCALATE:
        if (subject->keeps_key)
            (void)SHA256_Update(&all->sha256, bytes, length);
        break;
    }
}

/* Something in it may be out of libclamav's reach, and none of the types it knows. What is forced
 * nobody else takes for base64. */
static bool subject_may_be_closed(const struct subject *subject)
{
    if (subject->forced)
        return false;
    switch (subject->type.class) {
    case PREFILTER_CLASS_TEXT:
        if (!subject->in_raw && hint_text(subject->look, subject->look_length))
            return true;
        return hint_content(subject->look, subject->look_length);
    case PREFILTER_CLASS_BINARY:
    case PREFILTER_CLASS_IGNORED:
        return hint_content(subject->look, subject->look_length);
    case PREFILTER_CLASS_HTML:
    case PREFILTER_CLASS_IMAGE:
    case PREFILTER_CLASS_ESCALATE:
        break;
    }
    return false;
}

static void subject_type(struct subjects *all, struct subject *subject, bool whole)
{
    subject->type = type_of(all->bench->rules.types, subject->look, subject->look_length, whole);
    subject_open(all, subject);
    if (subject_may_be_closed(subject))
        subjects_doubt(all, INSPECT_CAUSE_TYPE, "content that libclamav may not open", GATE_SCAN,
                       false);
    subject_bytes(all, subject, subject->look, subject->look_length);
}

void subject_feed(struct subjects *all, struct subject *subject, const uint8_t *bytes,
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
        subject_type(all, subject, false);
        bytes += taken;
        length -= taken;
    }
    if (length > 0)
        subject_bytes(all, subject, bytes, length);
}

static void subject_end_html(struct subjects *all)
{
    const struct hashing_table *table = &all->bench->rules.hashes;

    html_end(&all->html);
    subjects_found(all);
    subject_check_html(all);
    subjects_flush_text(all, &all->body);
    subjects_flush_text(all, &all->notags);
    subject_starts(all, PREFILTER_HTML, all->body.head, all->body.head_length);
    subject_starts(all, PREFILTER_HTML, all->notags.head, all->notags.head_length);
    subjects_doubt_hash(all, hashing_end(table, &all->hashings[HASHING_NOCOMMENT]));
    subjects_doubt_hash(all, hashing_end(table, &all->hashings[HASHING_NOTAGS]));
}

/* FNV-1a: only tells one type's name from another in a key that holds a SHA-256 besides. */
static uint32_t subject_type_number(const char *name)
{
    uint32_t number = 2166136261u;

    for (; *name != '\0'; name++)
        number = (number ^ (uint8_t)*name) * 16777619u;
    return number;
}

static void subject_keep_key(struct subjects *all, const struct subject *subject)
{
    struct cache_key *key = &all->keys[all->key_count];

    *key = (struct cache_key){
        .length = subject->length,
        .generation = all->bench->generation,
        .type = subject_type_number(subject->type.name),
    };
    (void)SHA256_Final(key->sha256, &all->sha256);
    all->key_count++;
}

void subject_end(struct subjects *all, struct subject *subject)
{
    if (!subject->open)
        return;
    subject->open = false;
    if (!subject->typed)
        subject_type(all, subject, true);
    if (subject->as_text && !subject->in_raw)
        subjects_flush_text(all, subject->text);
    switch (subject->type.class) {
    case PREFILTER_CLASS_TEXT:
        subject_end_plain(all, subject);
        if (subject_hashed(all))
            subject_end_normal(all, subject);
        break;
    case PREFILTER_CLASS_HTML:
        if (!subject->forced)
            subject_end_html(all);
        break;
    case PREFILTER_CLASS_IMAGE:
    case PREFILTER_CLASS_BINARY:
        subject_end_plain(all, subject);
        break;
    case PREFILTER_CLASS_IGNORED:
        break;
    case PREFILTER_CLASS_ESCALATE:
        if (subject->keeps_key && !all->doubts.final)
            subject_keep_key(all, subject);
        break;
    }
}
