/* One message: MIME parts in, decision out. See inspect.h. */
#include <string.h>

#include "platform/check.h"
#include "signatures/content/hint/hint.h"
#include "signatures/content/inspect/inspection.h"

/* Gates do not end the structure's being looked at; what is in the parts matters no more. */
static void inspect_gate(struct inspection *inspection, const char *what, enum gate_class class)
{
    inspection->odd = true;
    subjects_doubt(&inspection->subjects, INSPECT_CAUSE_GATE, what, class, false);
}

static void inspect_limit(struct inspection *inspection, const char *what)
{
    subjects_doubt(&inspection->subjects, INSPECT_CAUSE_LIMIT, what, GATE_SCAN, false);
}

static void inspect_name_rule(struct inspection *inspection, uint32_t signature)
{
    if (signature != UINT32_MAX)
        subjects_doubt(&inspection->subjects, INSPECT_CAUSE_NAME,
                       prefilter_name(inspection->inspector->settings.prefilter, signature),
                       GATE_SCAN, false);
}

static void inspect_name(struct inspection *inspection, const struct mime_part *part)
{
    const struct subject_bench *bench = &inspection->inspector->bench;
    uint8_t clean[MIME_NAME_MAX];
    uint32_t signature;

    inspect_name_rule(inspection, bench->rules.made_name);
    if (hint_name(part->name, part->name_length))
        subjects_doubt(&inspection->subjects, INSPECT_CAUSE_NAME, "brotli, by its name", GATE_SCAN,
                       false);
    CHECK(part->name_length <= sizeof(clean));
    type_clean_name(part->name, part->name_length, clean);
    if (searcher_name(&bench->searcher, clean, part->name_length, &signature))
        inspect_name_rule(inspection, signature);
    else
        inspect_limit(inspection, "search failed");
}

/* Whether libclamav may look for phishing links in the part: it goes by the Content-Type alone, and
 * guesses what it does not know. */
static bool inspect_linked(const struct inspector *inspector, const struct mime_part *part)
{
    return inspector->bench.rules.links &&
           (part->media == MIME_MEDIA_TEXT_PLAIN || part->media == MIME_MEDIA_TEXT_HTML ||
            part->media == MIME_MEDIA_TEXT_OTHER || part->media == MIME_MEDIA_OTHER);
}

static void inspect_part_begin(void *context, const struct mime_part *part)
{
    struct inspection *inspection = context;
    struct subjects *subjects = &inspection->subjects;
    bool linked = inspect_linked(inspection->inspector, part);

    inspection->identity =
        part->encoding != MIME_ENCODING_BASE64 && part->encoding != MIME_ENCODING_QUOTED_PRINTABLE;
    inspection->forcing = decode_forced(part);
    if (part->number >= inspection->inspector->settings.parts_max)
        inspect_limit(inspection, "number of parts");
    inspect_name(inspection, part);
    decode_begin(&inspection->decoder, part);
    subject_begin(&subjects->part, inspection->identity, linked, true);
    if (inspection->identity)
        subjects->raw.domains |= PREFILTER_TEXT;
    if (inspection->forcing) {
        memset(&inspection->base64, 0, sizeof(inspection->base64));
        subject_begin(&subjects->forced, false, linked, false);
    }
}

static void inspect_check_decoder(struct inspection *inspection)
{
    enum decode_gate gate = inspection->decoder.gate;

    if (gate != DECODE_GATE_NONE)
        inspect_gate(inspection, decode_gate_text(gate), decode_gate_class(gate));
}

static void inspect_part_bytes(void *context, const uint8_t *bytes, size_t length)
{
    struct inspection *inspection = context;
    struct inspector *inspector = inspection->inspector;
    struct subjects *subjects = &inspection->subjects;

    while (length > 0) {
        size_t piece = length < DECODE_PIECE_MAX ? length : DECODE_PIECE_MAX;
        size_t decoded = decode_feed(&inspection->decoder, bytes, piece, inspector->decoded);

        if (!subjects->doubts.final)
            subject_feed(subjects, &subjects->part, inspector->decoded, decoded);
        if (inspection->forcing && !subjects->doubts.final) {
            size_t forced = base64_force(&inspection->base64, bytes, piece, inspector->forced);

            subject_feed(subjects, &subjects->forced, inspector->forced, forced);
        }
        inspect_check_decoder(inspection);
        bytes += piece;
        length -= piece;
    }
}

static void inspect_note_part(struct inspection *inspection)
{
    const struct subject *part = &inspection->subjects.part;
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
    struct inspection *inspection = context;
    struct inspector *inspector = inspection->inspector;
    struct subjects *subjects = &inspection->subjects;
    size_t last = decode_end(&inspection->decoder, inspector->decoded);

    inspect_check_decoder(inspection);
    if (subjects->doubts.final) {
        inspect_note_part(inspection);
        subjects->part.open = false;
        subjects->forced.open = false;
        return;
    }
    subject_feed(subjects, &subjects->part, inspector->decoded, last);
    subject_end(subjects, &subjects->part);
    inspect_note_part(inspection);
    if (!inspection->forcing)
        return;
    last = base64_force_end(&inspection->base64, inspector->forced);
    subject_feed(subjects, &subjects->forced, inspector->forced, last);
    subject_end(subjects, &subjects->forced);
}

struct inspection *inspection_take(struct inspector *inspector)
{
    struct mime_sink sink = {NULL, inspect_part_begin, inspect_part_bytes, inspect_part_end};
    struct inspection *inspection;

    if (inspector->free_count == 0)
        return NULL;
    inspection = inspector->free[--inspector->free_count];
    CHECK(!inspection->taken);
    inspection->taken = true;
    inspection->odd = false;
    inspection->bytes = 0;
    inspection->part_count = 0;
    inspection->head_length = 0;
    sink.context = inspection;
    mime_begin(&inspection->parser, &sink);
    type_watch_begin(&inspection->raw_watch, inspector->bench.rules.types, PREFILTER_RAW, NULL);
    subjects_begin(&inspection->subjects);
    return inspection;
}

/* Whether the part in hand may be text that is searched as a substring of the message. */
static bool inspect_text_in_raw(const struct inspection *inspection)
{
    const struct subject *part = &inspection->subjects.part;

    return part->open && part->in_raw && (!part->typed || part->as_text);
}

static void inspect_check_parser(struct inspection *inspection)
{
    enum mime_gate gate = inspection->parser.gate;

    if (gate != MIME_GATE_NONE)
        inspect_gate(inspection, mime_gate_text(gate), mime_gate_class(gate));
}

static void inspect_check_watch(struct inspection *inspection, const char *type)
{
    if (type != NULL)
        subjects_doubt(&inspection->subjects, INSPECT_CAUSE_TYPE, type, GATE_SCAN, false);
}

/* A message that libclamav takes for something else than a mail, whatever its first field (tar's
 * magic is far in), is not taken apart as one. */
static void inspect_head_type(struct inspection *inspection, bool whole)
{
    static const char mail[] = "CL_TYPE_MAIL";
    struct part_type type = type_of(inspection->inspector->bench.rules.types, inspection->head,
                                    inspection->head_length, whole);

    if (strlen(type.name) != sizeof(mail) - 1 || memcmp(type.name, mail, sizeof(mail) - 1) != 0)
        inspect_check_watch(inspection, type.name);
}

static void inspect_head(struct inspection *inspection, const uint8_t *bytes, size_t length)
{
    size_t room = TYPE_LOOK - inspection->head_length;

    if (room == 0)
        return;
    if (length > room)
        length = room;
    memcpy(inspection->head + inspection->head_length, bytes, length);
    inspection->head_length += length;
    if (inspection->head_length == TYPE_LOOK)
        inspect_head_type(inspection, false);
}

bool inspection_feed(struct inspector *inspector, struct inspection *inspection,
                     const uint8_t *bytes, size_t length)
{
    struct subjects *subjects = &inspection->subjects;

    CHECK(length <= INSPECT_PIECE_MAX);
    CHECK(inspection->taken && inspection->inspector == inspector);
    inspection->bytes += length;
    if (inspection->bytes > inspector->settings.message_bytes_max)
        inspect_limit(inspection, "size");
    subjects->raw.domains = PREFILTER_RAW;
    if (inspect_text_in_raw(inspection))
        subjects->raw.domains |= PREFILTER_TEXT;
    inspect_head(inspection, bytes, length);
    mime_feed(&inspection->parser, bytes, length);
    /* Text behind the last boundary is a part from its first line, which may not be whole yet. */
    if (inspection->parser.state == MIME_STATE_EPILOGUE && inspection->parser.held_length > 0)
        subjects->raw.domains |= PREFILTER_TEXT;
    inspect_check_parser(inspection);
    if (!subjects->doubts.final)
        inspect_check_watch(inspection, type_watch_feed(&inspection->raw_watch, bytes, length));
    subjects_raw(subjects, bytes, length);
    subjects_flush(subjects);
    return !subjects->doubts.final ||
           (!inspection->parser.stopped && subjects->doubts.class != GATE_READERS);
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

static enum inspect_decision inspect_decide(const struct inspector *inspector,
                                            const struct subjects *subjects,
                                            struct inspect_result *result)
{
    const struct doubts *doubts = &subjects->doubts;

    if (doubts->cause == INSPECT_CAUSE_NONE)
        return INSPECT_SETTLED;
    if (doubts->final)
        return INSPECT_SENT_ON;
    result->key_count = subjects->key_count;
    memcpy(result->keys, subjects->keys, sizeof(result->keys));
    return inspect_ask_cache(inspector, result) ? INSPECT_CACHED : INSPECT_SENT_ON;
}

void inspection_end(struct inspector *inspector, struct inspection *inspection,
                    struct inspect_result *result)
{
    struct subjects *subjects = &inspection->subjects;

    CHECK(inspection->taken && inspection->inspector == inspector);
    if (inspection->head_length < TYPE_LOOK)
        inspect_head_type(inspection, true);
    mime_end(&inspection->parser);
    inspect_check_parser(inspection);
    if (!subjects->doubts.final)
        inspect_check_watch(inspection, type_watch_end(&inspection->raw_watch));
    subjects_raw_end(subjects);
    *result = (struct inspect_result){
        .cause = subjects->doubts.cause,
        .clear = !inspection->odd && !inspection->parser.unseen,
        .part_count = inspection->parser.part_count,
        .bytes = inspection->bytes,
        .searched_bytes = subjects->search.bytes,
        .hashed_bytes = subjects_hashed(subjects),
    };
    memcpy(result->reason, subjects->doubts.reason, sizeof(result->reason));
    memcpy(result->parts, inspection->parts, inspection->part_count * sizeof(result->parts[0]));
    result->decision = inspect_decide(inspector, subjects, result);
}
