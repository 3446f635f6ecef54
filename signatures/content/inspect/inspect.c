/* One message: MIME parts in, decision out. See inspect.h and internal.h. */
#include <string.h>

#include "platform/check.h"
#include "signatures/content/inspect/internal.h"

#define X(name, text) text,
static const char *const inspect_causes[] = {INSPECT_CAUSE_LIST(X)};
#undef X

const char *inspect_cause_text(enum inspect_cause cause)
{
    return (unsigned)cause < INSPECT_CAUSE_COUNT ? inspect_causes[cause] : "unknown";
}

static size_t inspect_append(char *to, size_t used, const char *text)
{
    size_t length = strlen(text);
    size_t room = INSPECT_REASON_BYTES - 1 - used;

    if (length > room)
        length = room;
    memcpy(to + used, text, length);
    to[used + length] = '\0';
    return used + length;
}

void inspect_doubt(struct inspection *inspection, enum inspect_cause cause, const char *what,
                   enum gate_class class, bool keyed)
{
    if (class == GATE_MALFORMED)
        inspection->class = GATE_MALFORMED;
    if (!keyed)
        inspection->final = true;
    /* What is malformed is the reason, whatever was seen before. */
    if (inspection->cause != INSPECT_CAUSE_NONE && class != GATE_MALFORMED)
        return;
    inspection->cause = cause;
    inspect_append(inspection->reason,
                   inspect_append(inspection->reason,
                                  inspect_append(inspection->reason, 0, inspect_cause_text(cause)),
                                  ": "),
                   what);
}

static int inspect_name_hit(unsigned int id, unsigned long long from, unsigned long long to,
                            unsigned int flags, void *context)
{
    struct inspect_call *call = context;

    (void)from;
    (void)to;
    (void)flags;
    inspect_doubt(call->inspection, INSPECT_CAUSE_NAME,
                  prefilter_name(call->inspector->prefilter, id), GATE_SCAN, false);
    return 1;
}

static void inspect_name(struct inspect_call *call, const struct mime_part *part)
{
    const struct prefilter *prefilter = call->inspector->prefilter;
    uint8_t clean[MIME_NAME_MAX];
    hs_error_t error;

    if (call->inspector->made_name != UINT32_MAX)
        inspect_doubt(call->inspection, INSPECT_CAUSE_NAME,
                      prefilter_name(prefilter, call->inspector->made_name), GATE_SCAN, false);
    if (prefilter->names == NULL || part->name_length == 0)
        return;
    CHECK(part->name_length <= sizeof(clean));
    type_clean_name(part->name, part->name_length, clean);
    error = hs_scan(prefilter->names, (const char *)clean, (unsigned)part->name_length, 0,
                    call->inspector->scratch, inspect_name_hit, call);
    if (error != HS_SUCCESS && error != HS_SCAN_TERMINATED)
        inspect_doubt(call->inspection, INSPECT_CAUSE_LIMIT, "search failed", GATE_SCAN, false);
}

/* Whether libclamav may look for phishing links in the part: it goes by the Content-Type alone, and
 * guesses what it does not know. */
static bool inspect_linked(const struct inspector *inspector, const struct mime_part *part)
{
    return inspector->links &&
           (part->media == MIME_MEDIA_TEXT_PLAIN || part->media == MIME_MEDIA_TEXT_HTML ||
            part->media == MIME_MEDIA_TEXT_OTHER || part->media == MIME_MEDIA_OTHER);
}

static void inspect_part_begin(void *context, const struct mime_part *part)
{
    struct inspect_call *call = context;
    struct inspection *inspection = call->inspection;
    bool linked = inspect_linked(call->inspector, part);

    inspection->identity =
        part->encoding != MIME_ENCODING_BASE64 && part->encoding != MIME_ENCODING_QUOTED_PRINTABLE;
    inspection->forcing = decode_forced(part);
    if (part->number >= call->inspector->settings.parts_max)
        inspect_doubt(inspection, INSPECT_CAUSE_LIMIT, "number of parts", GATE_SCAN, false);
    inspect_name(call, part);
    decode_begin(&inspection->decoder, part);
    subject_begin(&inspection->part, &inspection->hashings[HASHING_PART], &inspection->body,
                  inspection->identity, linked, true);
    if (inspection->identity)
        inspection->raw.domains |= PREFILTER_TEXT;
    if (inspection->forcing) {
        memset(&inspection->forced, 0, sizeof(inspection->forced));
        subject_begin(&inspection->forced_part, &inspection->hashings[HASHING_FORCED],
                      &inspection->forced_text, false, linked, false);
    }
}

static void inspect_check_decoder(struct inspection *inspection)
{
    enum decode_gate gate = inspection->decoder.gate;

    if (gate != DECODE_GATE_NONE)
        inspect_doubt(inspection, INSPECT_CAUSE_GATE, decode_gate_text(gate),
                      decode_gate_class(gate), false);
}

static void inspect_part_bytes(void *context, const uint8_t *bytes, size_t length)
{
    struct inspect_call *call = context;
    struct inspector *inspector = call->inspector;
    struct inspection *inspection = call->inspection;

    while (length > 0) {
        size_t piece = length < DECODE_PIECE_MAX ? length : DECODE_PIECE_MAX;
        size_t decoded = decode_feed(&inspection->decoder, bytes, piece, inspector->decoded);

        if (!inspection->final)
            subject_feed(call, &inspection->part, inspector->decoded, decoded);
        if (inspection->forcing && !inspection->final) {
            size_t forced = base64_force(&inspection->forced, bytes, piece, inspector->forced);

            subject_feed(call, &inspection->forced_part, inspector->forced, forced);
        }
        inspect_check_decoder(inspection);
        bytes += piece;
        length -= piece;
    }
}

static void inspect_note_part(struct inspection *inspection)
{
    const struct subject *part = &inspection->part;
    struct inspect_part *note;
    size_t length = 0;

    if (inspection->part_count == INSPECT_PARTS_MAX)
        return;
    note = &inspection->parts[inspection->part_count++];
    if (part->typed)
        length = strlen(part->type.name);
    if (length >= sizeof(note->type))
        length = sizeof(note->type) - 1;
    if (length > 0)
        memcpy(note->type, part->type.name, length);
    note->type[length] = '\0';
    note->bytes = part->length;
}

static void inspect_part_end(void *context)
{
    struct inspect_call *call = context;
    struct inspector *inspector = call->inspector;
    struct inspection *inspection = call->inspection;
    size_t last = decode_end(&inspection->decoder, inspector->decoded);

    inspect_check_decoder(inspection);
    if (inspection->final) {
        inspect_note_part(inspection);
        inspection->part.open = false;
        inspection->forced_part.open = false;
        return;
    }
    subject_feed(call, &inspection->part, inspector->decoded, last);
    subject_end(call, &inspection->part);
    inspect_note_part(inspection);
    if (!inspection->forcing)
        return;
    last = base64_force_end(&inspection->forced, inspector->forced);
    subject_feed(call, &inspection->forced_part, inspector->forced, last);
    subject_end(call, &inspection->forced_part);
}

/* The callbacks' context is the call in hand, which differs from feed to feed. */
static void inspect_aim(struct inspect_call *call)
{
    call->inspection->parser.sink.context = call;
    call->inspection->html.sink.context = call;
}

struct inspection *inspection_take(struct inspector *inspector)
{
    const struct mime_sink sink = {NULL, inspect_part_begin, inspect_part_bytes, inspect_part_end};
    struct inspection *inspection;
    struct inspect_call call = {inspector, NULL};

    if (inspector->free_count == 0)
        return NULL;
    inspection = inspector->free[--inspector->free_count];
    call.inspection = inspection;
    CHECK(!inspection->taken);
    inspection->taken = true;
    mime_begin(&inspection->parser, &sink);
    inspection->part.open = false;
    inspection->part.typed = false;
    inspection->part.as_text = false;
    inspection->forced_part.open = false;
    inspection->bytes = 0;
    inspection->searched_bytes = 0;
    inspection->hashed_bytes = 0;
    inspection->final = false;
    inspection->class = GATE_SCAN;
    inspection->cause = INSPECT_CAUSE_NONE;
    inspection->reason[0] = '\0';
    inspection->key_count = 0;
    inspection->part_count = 0;
    memset(inspection->weak, 0, inspector->weak_bytes);
    search_text_begin(&call, &inspection->raw, INSPECT_RAW, PREFILTER_RAW);
    type_watch_begin(&inspection->raw_watch, inspector->types, PREFILTER_RAW, NULL);
    inspection->head_length = 0;
    if (inspector->always[0] != UINT32_MAX)
        inspect_doubt(inspection, INSPECT_CAUSE_ALWAYS,
                      prefilter_name(inspector->prefilter, inspector->always[0]), GATE_SCAN, false);
    return inspection;
}

/* Whether the part in hand may be text that is searched as a substring of the message. */
static bool inspect_text_in_raw(const struct inspection *inspection)
{
    const struct subject *part = &inspection->part;

    return part->open && part->in_raw && (!part->typed || part->as_text);
}

/* What was gathered of an open part is searched now: the gatherers serve other messages next. */
static void inspect_flush(struct inspect_call *call)
{
    struct inspection *inspection = call->inspection;
    const struct subject *part = &inspection->part;
    const struct subject *forced = &inspection->forced_part;

    search_text_flush(call, &inspection->raw);
    if (part->open && part->typed && part->type.class == PREFILTER_CLASS_HTML) {
        search_text_flush(call, &inspection->body);
        search_text_flush(call, &inspection->notags);
    } else if (part->open && part->as_text && !part->in_raw) {
        search_text_flush(call, &inspection->body);
    }
    if (forced->open && forced->as_text)
        search_text_flush(call, &inspection->forced_text);
}

static void inspect_check_parser(struct inspection *inspection)
{
    enum mime_gate gate = inspection->parser.gate;

    if (gate != MIME_GATE_NONE)
        inspect_doubt(inspection, INSPECT_CAUSE_GATE, mime_gate_text(gate), mime_gate_class(gate),
                      false);
}

static void inspect_check_watch(struct inspection *inspection, const char *type)
{
    if (type != NULL)
        inspect_doubt(inspection, INSPECT_CAUSE_TYPE, type, GATE_SCAN, false);
}

/* A message that libclamav takes for something else than a mail, whatever its first field (tar's
 * magic is far in), is not taken apart as one. */
static void inspect_head_type(const struct inspector *inspector, struct inspection *inspection,
                              bool whole)
{
    static const char mail[] = "CL_TYPE_MAIL";
    struct part_type type =
        type_of(inspector->types, inspection->head, inspection->head_length, whole);

    if (strlen(type.name) != sizeof(mail) - 1 || memcmp(type.name, mail, sizeof(mail) - 1) != 0)
        inspect_doubt(inspection, INSPECT_CAUSE_TYPE, type.name, GATE_SCAN, false);
}

static void inspect_head(const struct inspector *inspector, struct inspection *inspection,
                         const uint8_t *bytes, size_t length)
{
    size_t room = TYPE_LOOK - inspection->head_length;

    if (room == 0)
        return;
    if (length > room)
        length = room;
    memcpy(inspection->head + inspection->head_length, bytes, length);
    inspection->head_length += length;
    if (inspection->head_length == TYPE_LOOK)
        inspect_head_type(inspector, inspection, false);
}

bool inspection_feed(struct inspector *inspector, struct inspection *inspection,
                     const uint8_t *bytes, size_t length)
{
    struct inspect_call call = {inspector, inspection};

    CHECK(length <= INSPECT_PIECE_MAX);
    inspection->bytes += length;
    if (inspection->bytes > inspector->settings.message_bytes_max)
        inspect_doubt(inspection, INSPECT_CAUSE_LIMIT, "size", GATE_SCAN, false);
    inspect_aim(&call);
    inspection->raw.domains = PREFILTER_RAW;
    if (inspect_text_in_raw(inspection))
        inspection->raw.domains |= PREFILTER_TEXT;
    inspect_head(inspector, inspection, bytes, length);
    mime_feed(&inspection->parser, bytes, length);
    /* Text behind the last boundary is a part from its first line, which may not be whole yet. */
    if (inspection->parser.state == MIME_STATE_EPILOGUE && inspection->parser.held_length > 0)
        inspection->raw.domains |= PREFILTER_TEXT;
    inspect_check_parser(inspection);
    if (!inspection->final)
        inspect_check_watch(inspection, type_watch_feed(&inspection->raw_watch, bytes, length));
    search_text_feed(&call, &inspection->raw, bytes, length);
    inspect_flush(&call);
    return !inspection->final ||
           (!inspection->parser.stopped && inspection->class != GATE_MALFORMED);
}

/* The verdict of all parts the cache was asked about; false when one is not known. */
static bool inspect_ask_cache(const struct inspector *inspector, struct inspect_result *result)
{
    bool all = true;

    for (unsigned i = 0; i < result->key_count; i++) {
        struct cache_answer answer;

        if (!cache_lookup(inspector->settings.cache, &result->keys[i], &answer)) {
            all = false;
        } else if (answer.verdict == VERDICT_INFECTED) {
            result->verdict = VERDICT_INFECTED;
            memcpy(result->name, answer.name, sizeof(result->name));
            return true;
        }
    }
    result->verdict = VERDICT_CLEAN;
    return all;
}

void inspection_end(struct inspector *inspector, struct inspection *inspection,
                    struct inspect_result *result)
{
    struct inspect_call call = {inspector, inspection};

    inspect_aim(&call);
    if (inspection->head_length < TYPE_LOOK)
        inspect_head_type(inspector, inspection, true);
    mime_end(&inspection->parser);
    inspect_check_parser(inspection);
    if (!inspection->final)
        inspect_check_watch(inspection, type_watch_end(&inspection->raw_watch));
    search_text_flush(&call, &inspection->raw);
    subject_starts(&call, PREFILTER_RAW, inspection->raw.head, inspection->raw.head_length);
    *result = (struct inspect_result){
        .cause = inspection->cause,
        .part_count = inspection->parser.part_count,
        .bytes = inspection->bytes,
        .searched_bytes = inspection->searched_bytes,
        .hashed_bytes = inspection->hashed_bytes,
    };
    memcpy(result->reason, inspection->reason, sizeof(result->reason));
    memcpy(result->parts, inspection->parts, inspection->part_count * sizeof(result->parts[0]));
    if (inspection->cause == INSPECT_CAUSE_NONE) {
        result->decision = INSPECT_SETTLED;
    } else if (inspection->class == GATE_MALFORMED) {
        result->decision = INSPECT_MALFORMED;
    } else {
        result->decision = INSPECT_SENT_ON;
        if (!inspection->final) {
            result->key_count = inspection->key_count;
            memcpy(result->keys, inspection->keys, sizeof(result->keys));
            if (inspect_ask_cache(inspector, result))
                result->decision = INSPECT_CACHED;
        }
    }
}
