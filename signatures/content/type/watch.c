/* Looking for the patterns of file types in byte strings. See type.h. */
#include "signatures/content/type/type_table.h"

const char type_name_ascii[] = "CL_TYPE_TEXT_ASCII";
const char type_name_table[] = "type table too large";
static const char type_name_gif[] = "CL_TYPE_GIF";

static bool type_same(const char *one, const char *other)
{
    size_t length = strlen(other);

    return one == other || (strlen(one) == length && memcmp(one, other, length) == 0);
}

/* Searching for patterns. Each has one segment in hand, listed under one of its bytes (its anchor).
 * An anchor at offset p is looked at once, when TYPE_SEGMENT_MAX - 1 bytes behind it are there (or
 * the end is): then the segment around it is there as a whole. */

static bool watch_gap(const uint8_t *value, const uint8_t *mask)
{
    return *mask == 0 && *value == PREFILTER_MAGIC_GAP;
}

/* How often a byte is met, roughly: the fewer the better to look for. */
static unsigned watch_rank(uint8_t byte)
{
    if (byte >= 0x80 || (byte > 0 && byte < 0x20 && byte != '\t' && byte != '\r' && byte != '\n'))
        return 0;
    if (byte > 0x20 && byte < 0x7f && byte != ',' && byte != '.' && byte != '-' && byte != '=' &&
        !(byte >= '0' && byte <= '9') && !(byte >= 'A' && byte <= 'Z') &&
        !(byte >= 'a' && byte <= 'z'))
        return 1; /* signs: '<', ':', '%' */
    if (byte >= 'A' && byte <= 'Z')
        return 2;
    return byte > 0x20 ? 3 : 4;
}

/* The best byte of a segment to look for, the first of equals. */
static unsigned watch_anchor(const uint8_t *value, const uint8_t *mask, unsigned length)
{
    unsigned best = length;

    for (unsigned i = 0; i < length; i++)
        if (mask[i] == 0xff && (best == length || watch_rank(value[i]) < watch_rank(value[best])))
            best = i;
    return best;
}

/* The anchors, when they are few: the last one fills up. */
static void watch_list_anchors(struct type_watch *watch)
{
    unsigned count = 0;

    if (watch->anchor_count == 0 || watch->anchor_count > TYPE_ANCHORS_FEW)
        return;
    for (unsigned i = 0; i < 256; i++) {
        if (watch->first[i] != 0)
            watch->anchors[count++] = (uint8_t)i;
    }
    for (; count < TYPE_ANCHORS_FEW; count++)
        watch->anchors[count] = watch->anchors[count - 1];
}

static void watch_link(struct type_watch *watch, unsigned index)
{
    struct type_seek *seek = &watch->seeks[index];
    uint8_t byte = seek->value[seek->anchor];

    bool new = watch->first[byte] == 0;

    seek->next = watch->first[byte];
    watch->first[byte] = (uint8_t)(index + 1);
    if (new) {
        watch->anchor_count++;
        watch_list_anchors(watch);
    }
}

static void watch_unlink(struct type_watch *watch, unsigned index)
{
    struct type_seek *seek = &watch->seeks[index];
    uint8_t byte = seek->value[seek->anchor];
    uint8_t *link = &watch->first[byte];

    while (*link != index + 1)
        link = &watch->seeks[*link - 1].next;
    *link = seek->next;
    if (watch->first[byte] != 0)
        return;
    watch->anchor_count--;
    watch_list_anchors(watch);
}

/* Takes the next segment of the pattern in hand, from element `at`; false when there is none. A
 * segment without a given byte says nothing that could be looked for: it is passed over. */
static bool watch_segment(struct type_watch *watch, struct type_seek *seek, unsigned at)
{
    const uint8_t *value = type_bytes(watch->prefilter, seek->magic->magic);
    const uint8_t *mask = type_bytes(watch->prefilter, seek->magic->mask);
    unsigned length = seek->magic->length;

    while (at < length) {
        unsigned end;
        unsigned anchor;

        if (watch_gap(&value[at], &mask[at])) {
            at++;
            continue;
        }
        for (end = at; end < length && !watch_gap(&value[end], &mask[end]);)
            end++;
        seek->value = &value[at];
        seek->mask = &mask[at];
        seek->length = (uint8_t)(end - at < TYPE_SEGMENT_MAX ? end - at : TYPE_SEGMENT_MAX);
        seek->after = (uint16_t)end;
        anchor = watch_anchor(seek->value, seek->mask, seek->length);
        seek->anchor = (uint8_t)anchor;
        if (anchor < seek->length) {
            unsigned probe = anchor > 0 ? anchor - 1 : anchor + 1 < seek->length ? 1 : 0;

            seek->probe = (int8_t)(probe - anchor);
            seek->probe_value = seek->value[probe];
            seek->probe_mask = seek->mask[probe];
            seek->latest = seek->first && seek->magic->last != UINT32_MAX
                               ? (uint64_t)seek->magic->last + anchor
                               : UINT64_MAX;
            return true;
        }
        seek->first = false; /* where the next one begins says nothing about the pattern's begin */
        at = end;
    }
    return false;
}

static void watch_match(struct type_watch *watch, const struct prefilter_magic *magic)
{
    if (watch->all && magic->class == PREFILTER_CLASS_HTML)
        watch->html = magic;
    else if (watch->found == NULL)
        watch->found = magic;
}

static void watch_add(struct type_watch *watch, const struct prefilter_magic *magic)
{
    struct type_seek *seek;

    if (magic->kind == PREFILTER_MAGIC_END) {
        if (!watch->has_end)
            watch->ends_from = (uint32_t)(magic - watch->prefilter->magics);
        watch->ends_to = (uint32_t)(magic - watch->prefilter->magics) + 1;
        watch->has_end = true;
        return;
    }
    if (watch->seek_count == TYPE_PATTERNS_MAX) {
        watch->overflow = true;
        return;
    }
    seek = &watch->seeks[watch->seek_count];
    *seek = (struct type_seek){.magic = magic, .first = true, .earliest = magic->offset};
    if (watch_segment(watch, seek, 0))
        watch_link(watch, watch->seek_count++);
    else
        watch_match(watch, magic);
}

static bool watch_wanted(const struct prefilter_magic *magic, uint32_t bits, enum watch_mode mode)
{
    switch (mode) {
    case WATCH_ALL:
        return magic->kind == PREFILTER_MAGIC_PATTERN;
    case WATCH_HTML:
        return magic->kind == PREFILTER_MAGIC_PATTERN && magic->class == PREFILTER_CLASS_HTML;
    default:
        return (magic->watch & bits) != 0;
    }
}

void watch_make(struct type_watch *watch, const struct prefilter *prefilter, uint32_t bits,
                enum watch_mode mode)
{
    memset(watch, 0, sizeof(*watch));
    watch->prefilter = prefilter;
    watch->all = mode != WATCH_BITS;
    watch->bits = bits;
    for (uint64_t i = 0; i < prefilter->header->magics.count; i++) {
        const struct prefilter_magic *magic = &prefilter->magics[i];

        if (watch_wanted(magic, bits, mode))
            watch_add(watch, magic);
    }
}

void watch_begin(struct type_watch *watch, const struct type_watch *made)
{
    memcpy(watch, made,
           offsetof(struct type_watch, seeks) + made->seek_count * sizeof(made->seeks[0]));
}

/* The anchor of `index` is at offset `at`; `bytes` are those from offset `from` up to `until`. */
static void watch_try(struct type_watch *watch, unsigned index, uint64_t at, const uint8_t *bytes,
                      uint64_t from, uint64_t until)
{
    struct type_seek *seek = &watch->seeks[index];
    uint64_t start;
    unsigned after;

    if (at < seek->earliest + seek->anchor)
        return;
    start = at - seek->anchor;
    if (start + seek->length > until ||
        !type_agrees(&bytes[start - from], seek->value, seek->mask, seek->length))
        return;
    watch_unlink(watch, index);
    after = seek->after;
    seek->first = false;
    seek->earliest = start + seek->length;
    if (watch_segment(watch, seek, after))
        watch_link(watch, index);
    else
        watch_match(watch, seek->magic);
}

static type_vector watch_anchors(const uint8_t *bytes, const uint8_t *anchors)
{
    const type_vector v = type_load(bytes);

    return (type_vector)(v == anchors[0]) | (type_vector)(v == anchors[1]) |
           (type_vector)(v == anchors[2]) | (type_vector)(v == anchors[3]);
}

/* Passes over what has no anchor, many bytes at a time. */
static const uint8_t *watch_skip(const struct type_watch *watch, const uint8_t *here,
                                 const uint8_t *end)
{
    const uint8_t *anchors = watch->anchors;

    while (end - here >= 4 * (ptrdiff_t)sizeof(type_vector)) {
        if (type_any(watch_anchors(here, anchors) |
                     watch_anchors(here + sizeof(type_vector), anchors) |
                     watch_anchors(here + 2 * sizeof(type_vector), anchors) |
                     watch_anchors(here + 3 * sizeof(type_vector), anchors)))
            break;
        here += 4 * sizeof(type_vector);
    }
    while (end - here >= (ptrdiff_t)sizeof(type_vector)) {
        if (type_any(watch_anchors(here, anchors)))
            break;
        here += sizeof(type_vector);
    }
    return here;
}

/* The next offset from `at` on, before `to`, at which there is an anchor; else `to`. */
static uint64_t watch_next(const struct type_watch *watch, uint64_t at, uint64_t to,
                           const uint8_t *bytes, uint64_t from)
{
    const uint8_t *here = &bytes[at - from];
    const uint8_t *end = &bytes[to - from];

    if (watch->anchor_count == 0)
        return to;
    if (watch->anchor_count == 1) {
        const uint8_t *found = memchr(here, watch->anchors[0], (size_t)(end - here));

        return found == NULL ? to : from + (uint64_t)(found - bytes);
    }
    if (watch->anchor_count <= TYPE_ANCHORS_FEW)
        here = watch_skip(watch, here, end);
    while (end - here >= 4) {
        if ((watch->first[here[0]] | watch->first[here[1]] | watch->first[here[2]] |
             watch->first[here[3]]) != 0)
            break;
        here += 4;
    }
    while (here < end && watch->first[*here] == 0)
        here++;
    return from + (uint64_t)(here - bytes);
}

/* Looks at the anchors from watch->done up to offset `to`. `bytes` as above; they hold what the
 * segments around these anchors need, or the end is there. */
static void watch_scan(struct type_watch *watch, uint64_t to, const uint8_t *bytes, uint64_t from,
                       uint64_t until)
{
    uint64_t at = watch->done;

    if (at >= to)
        return;
    for (; (at = watch_next(watch, at, to, bytes, from)) < to && watch->found == NULL; at++) {
        unsigned next;

        for (unsigned index = watch->first[bytes[at - from]]; index != 0; index = next) {
            const struct type_seek *seek = &watch->seeks[index - 1];
            uint64_t probe = at + (uint64_t)(int64_t)seek->probe;

            next = seek->next;
            if (at > seek->latest)
                watch_unlink(watch, index - 1);
            else if (probe - from < until - from &&
                     (bytes[probe - from] & seek->probe_mask) == seek->probe_value)
                watch_try(watch, index - 1, at, bytes, from, until);
        }
    }
    watch->done = to;
}

static void watch_keep_tail(struct type_watch *watch, const uint8_t *bytes, size_t length)
{
    uint64_t at = watch->length;

    if (length > TYPE_END_MAX) {
        bytes += length - TYPE_END_MAX;
        at += length - TYPE_END_MAX;
        length = TYPE_END_MAX;
    }
    while (length > 0) {
        size_t place = at % TYPE_END_MAX;
        size_t count = TYPE_END_MAX - place < length ? TYPE_END_MAX - place : length;

        memcpy(&watch->tail[place], bytes, count);
        bytes += count;
        at += count;
        length -= count;
    }
}

/* Appends to what is held: the last 2 * TYPE_SEGMENT_MAX bytes. */
static void watch_hold(struct type_watch *watch, const uint8_t *bytes, size_t length)
{
    size_t held = watch->length < sizeof(watch->hold) ? (size_t)watch->length : sizeof(watch->hold);
    size_t kept;

    if (length >= sizeof(watch->hold)) {
        memcpy(watch->hold, bytes + length - sizeof(watch->hold), sizeof(watch->hold));
        return;
    }
    kept = held + length <= sizeof(watch->hold) ? held : sizeof(watch->hold) - length;
    memmove(watch->hold, &watch->hold[held - kept], kept);
    memcpy(&watch->hold[kept], bytes, length);
}

void watch_feed(struct type_watch *watch, const uint8_t *bytes, size_t length)
{
    const uint64_t edge = TYPE_SEGMENT_MAX - 1;
    uint64_t base = watch->length;
    uint64_t until = base + length;
    uint64_t ready = until > edge ? until - edge : 0;

    if (watch->has_end)
        watch_keep_tail(watch, bytes, length);
    if (base > 0 && ready > watch->done) { /* around the cut */
        uint8_t joined[4 * TYPE_SEGMENT_MAX];
        size_t held = base < sizeof(watch->hold) ? (size_t)base : sizeof(watch->hold);
        size_t more = sizeof(joined) - held < length ? sizeof(joined) - held : length;

        memcpy(joined, watch->hold, held);
        memcpy(joined + held, bytes, more);
        watch_scan(watch, ready < base + edge ? ready : base + edge, joined, base - held,
                   base + more);
    }
    if (ready > watch->done)
        watch_scan(watch, ready, bytes, base, until);
    watch_hold(watch, bytes, length);
    watch->length = until;
}

void watch_end(struct type_watch *watch)
{
    size_t held = watch->length < sizeof(watch->hold) ? (size_t)watch->length : sizeof(watch->hold);

    watch_scan(watch, watch->length, watch->hold, watch->length - held, watch->length);
}

static void watch_end_magics(struct type_watch *watch)
{
    const struct prefilter *prefilter = watch->prefilter;

    for (uint32_t i = watch->ends_from; i < watch->ends_to && watch->found == NULL; i++) {
        const struct prefilter_magic *magic = &prefilter->magics[i];
        const uint8_t *value = type_bytes(prefilter, magic->magic);
        const uint8_t *mask = type_bytes(prefilter, magic->mask);
        uint32_t at = 0;

        if (magic->kind != PREFILTER_MAGIC_END || (magic->watch & watch->bits) == 0 ||
            magic->offset > watch->length)
            continue;
        while (at < magic->length && at < magic->offset &&
               (watch->tail[(watch->length - magic->offset + at) % TYPE_END_MAX] & mask[at]) ==
                   value[at])
            at++;
        if (at == magic->length || magic->offset > TYPE_END_MAX)
            watch->found = magic;
    }
}

static const char *watch_said(const struct type_watch *watch)
{
    if (watch->overflow)
        return type_name_table;
    return watch->found != NULL ? watch->prefilter->strings + watch->found->type : NULL;
}

void type_watch_begin(struct type_watch *watch, const struct type_table *table, uint32_t domain,
                      const struct part_type *type)
{
    enum type_set set = TYPE_SET_RAW;

    if (domain == PREFILTER_TEXT)
        set =
            type != NULL && type_same(type->name, type_name_ascii) ? TYPE_SET_ASCII : TYPE_SET_TEXT;
    else if (domain == PREFILTER_IMAGE)
        set = type != NULL && type_same(type->name, type_name_gif) ? TYPE_SET_GIF : TYPE_SET_IMAGE;
    else if (domain == PREFILTER_BINARY)
        set = TYPE_SET_BINARY;
    watch_begin(watch, &table->sets[set]);
}

const char *type_watch_feed(struct type_watch *watch, const uint8_t *bytes, size_t length)
{
    if (watch->found == NULL && !watch->overflow && length > 0)
        watch_feed(watch, bytes, length);
    return watch_said(watch);
}

const char *type_watch_end(struct type_watch *watch)
{
    if (watch->found == NULL && !watch->overflow) {
        watch_end(watch);
        if (watch->has_end)
            watch_end_magics(watch);
    }
    return watch_said(watch);
}
