#include "dataplane/prefilter/type.h"

#include <string.h>

#define TYPE_IGNORED_MAX 5u /* parts of so few bytes are not scanned */
#define TYPE_TAR_BYTES   512u
#define TYPE_MYDOOM      64u

static const char type_name_ascii[] = "CL_TYPE_TEXT_ASCII";
static const char type_name_utf16be[] = "CL_TYPE_TEXT_UTF16BE";
static const char type_name_binary[] = "CL_TYPE_BINARY_DATA";
static const char type_name_wide[] = "byte order mark";
static const char type_name_html_utf16[] = "CL_TYPE_HTML_UTF16";
static const char type_name_tar[] = "CL_TYPE_OLD_TAR";
static const char type_name_ignored[] = "CL_TYPE_IGNORED";
static const char type_name_mydoom[] = "Heuristics.Worm.Mydoom.M.log";
static const char type_name_table[] = "type table too large";
static const char type_name_gif[] = "CL_TYPE_GIF";

static bool type_same(const char *one, const char *other)
{
    size_t length = strlen(other);

    return strlen(one) == length && memcmp(one, other, length) == 0;
}

static const uint8_t *type_bytes(const struct prefilter *prefilter, uint32_t offset)
{
    return (const uint8_t *)prefilter->strings + offset;
}

static bool type_agrees(const uint8_t *bytes, const uint8_t *value, const uint8_t *mask,
                        size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((bytes[i] & mask[i]) != value[i])
            return false;
    return true;
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

static void watch_link(struct type_watch *watch, unsigned index)
{
    struct type_seek *seek = &watch->seeks[index];
    uint8_t byte = seek->value[seek->anchor];

    if (watch->first[byte] == 0) {
        watch->anchor_count++;
        watch->anchor = byte;
    }
    seek->next = watch->first[byte];
    watch->first[byte] = (uint8_t)(index + 1);
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
    for (unsigned i = 0; watch->anchor_count == 1 && i < 256; i++)
        if (watch->first[i] != 0)
            watch->anchor = (uint8_t)i;
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

enum watch_mode {
    WATCH_BITS, /* what matters in the whole part */
    WATCH_ALL,  /* every pattern */
    WATCH_HTML, /* those of HTML */
};

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

static void watch_begin(struct type_watch *watch, const struct prefilter *prefilter, uint32_t bits,
                        enum watch_mode mode)
{
    watch->prefilter = prefilter;
    watch->found = NULL;
    watch->html = NULL;
    watch->overflow = false;
    watch->all = mode != WATCH_BITS;
    watch->length = 0;
    watch->done = 0;
    watch->seek_count = 0;
    watch->anchor_count = 0;
    watch->has_end = false;
    watch->bits = bits;
    memset(watch->first, 0, sizeof(watch->first));
    for (uint64_t i = 0; i < prefilter->header->magics.count; i++) {
        const struct prefilter_magic *magic = &prefilter->magics[i];

        if (watch_wanted(magic, bits, mode))
            watch_add(watch, magic);
    }
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

/* The next offset from `at` on, before `to`, at which there is an anchor; else `to`. */
static uint64_t watch_next(const struct type_watch *watch, uint64_t at, uint64_t to,
                           const uint8_t *bytes, uint64_t from)
{
    const uint8_t *here = &bytes[at - from];
    const uint8_t *end = &bytes[to - from];

    if (watch->anchor_count == 0)
        return to;
    if (watch->anchor_count == 1) {
        const uint8_t *found = memchr(here, watch->anchor, (size_t)(end - here));

        return found == NULL ? to : from + (uint64_t)(found - bytes);
    }
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

static void watch_feed(struct type_watch *watch, const uint8_t *bytes, size_t length)
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

static void watch_end(struct type_watch *watch)
{
    size_t held = watch->length < sizeof(watch->hold) ? (size_t)watch->length : sizeof(watch->hold);

    watch_scan(watch, watch->length, watch->hold, watch->length - held, watch->length);
}

static void watch_end_magics(struct type_watch *watch)
{
    const struct prefilter *prefilter = watch->prefilter;

    for (uint64_t i = 0; i < prefilter->header->magics.count && watch->found == NULL; i++) {
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

void type_watch_begin(struct type_watch *watch, const struct prefilter *prefilter, uint32_t domain,
                      const struct part_type *type)
{
    uint32_t bits = domain;

    if (type != NULL && domain == PREFILTER_TEXT && type_same(type->name, type_name_ascii))
        bits |= PREFILTER_WATCH_ASCII;
    if (type != NULL && domain == PREFILTER_IMAGE && type_same(type->name, type_name_gif))
        bits |= PREFILTER_WATCH_GIF;
    watch_begin(watch, prefilter, bits, WATCH_BITS);
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

/* The type from the first bytes. */

/* What a byte may be in text, as textdet.c has it: of plain text, of some eight-bit character set,
 * or of none. */
enum { TEXT_NONE, TEXT_PLAIN, TEXT_HIGH };

static const uint8_t text_kind[256] = {
    [7 ... 10] = TEXT_PLAIN,      [12 ... 13] = TEXT_PLAIN,    [27] = TEXT_PLAIN,
    [0x20 ... 0x7e] = TEXT_PLAIN, [0x80 ... 0x84] = TEXT_HIGH, [0x85] = TEXT_PLAIN,
    [0x86 ... 0xff] = TEXT_HIGH,
};

/* libclamav's next guess is UTF-8, which nothing that fails here can be: it forbids the same
 * bytes. */
static bool text_ascii(const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text_kind[bytes[i]] == TEXT_NONE)
            return false;
    return true;
}

/* Sixteen-bit text as libclamav guesses it, big-endian unless a mark says otherwise. Also much
 * random data passes. */
static bool text_utf16(const uint8_t *bytes, size_t length)
{
    for (size_t i = 2; i + 1 < length; i += 2) {
        if (bytes[i] == 0xff && bytes[i + 1] == 0xfe)
            return false;
        if (bytes[i] == 0 && bytes[i + 1] < 0x80 && text_kind[bytes[i + 1]] != TEXT_PLAIN)
            return false;
    }
    return length >= 2;
}

static int text_octal(const uint8_t *field, size_t length)
{
    size_t i = 0;
    int value = 0;

    while (i < length && (field[i] == ' ' || (field[i] >= 9 && field[i] <= 13)))
        i++;
    for (; i < length && field[i] >= '0' && field[i] <= '7'; i++)
        value = value * 8 + (field[i] - '0');
    return value;
}

/* A tar header carries the sum of its bytes, with the field itself (at 148, 8 bytes) as blanks. */
static bool type_tar(const uint8_t *bytes, size_t length)
{
    int sum = 8 * ' ';

    if (length < TYPE_TAR_BYTES)
        return false;
    for (size_t i = 0; i < TYPE_TAR_BYTES; i++)
        if (i < 148 || i >= 156)
            sum += bytes[i];
    return sum == text_octal(&bytes[148], 8);
}

static uint32_t type_word(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* One of the two records that libclamav's check for the worm's log wants in front. */
static bool type_mydoom_record(const uint8_t *bytes)
{
    uint32_t key = ~type_word(bytes);
    uint32_t sum = 0;

    for (size_t i = 4; i < 32; i += 4)
        sum += type_word(&bytes[i]) ^ key;
    return ~sum == key;
}

/* A mark of UCS-4 or UTF-16, or '<' in one of them: libclamav looks for HTML in what it says. */
static bool type_wide(const uint8_t *bytes, size_t length)
{
    uint32_t word;

    if (length < 4)
        return false;
    word = type_word(bytes);
    return word >> 16 == 0xfffe || word >> 16 == 0xfeff || word >> 16 == 0x3c00 ||
           word >> 8 == 0x003c00 || word == 0x0000feff || word == 0x0000fffe ||
           word == 0x0000003c || word == 0x00003c00;
}

/* libclamav folds pairs of bytes into one each, as if they were sixteen-bit text, and looks for
 * HTML there too. */
static bool type_folded_html(struct type_watch *watch, const uint8_t *bytes, size_t length)
{
    uint8_t folded[TYPE_LOOK / 2];
    size_t count = length / 2;

    for (size_t i = 0; i < count; i++)
        folded[i] = (uint8_t)(bytes[2 * i] + (bytes[2 * i + 1] << 4));
    watch_begin(watch, watch->prefilter, 0, WATCH_HTML);
    watch_feed(watch, folded, count);
    watch_end(watch);
    return watch->html != NULL;
}

static const struct prefilter_magic *type_fixed(const struct prefilter *prefilter,
                                                const uint8_t *bytes, size_t length)
{
    for (uint64_t i = prefilter->header->magics.count; i > 0; i--) {
        const struct prefilter_magic *magic = &prefilter->magics[i - 1];

        if (magic->kind == PREFILTER_MAGIC_FIXED &&
            (uint64_t)magic->offset + magic->length <= length &&
            type_agrees(&bytes[magic->offset], type_bytes(prefilter, magic->magic),
                        type_bytes(prefilter, magic->mask), magic->length))
            return magic;
    }
    return NULL;
}

static struct part_type type_searched(const struct prefilter *prefilter, const uint8_t *bytes,
                                      size_t length, struct part_type type)
{
    struct type_watch watch;

    watch_begin(&watch, prefilter, 0, WATCH_ALL);
    if (watch.overflow)
        return (struct part_type){PREFILTER_CLASS_ESCALATE, type_name_table};
    watch_feed(&watch, bytes, length);
    watch_end(&watch);
    if (watch.found != NULL)
        return (struct part_type){PREFILTER_CLASS_ESCALATE, prefilter->strings + watch.found->type};
    if (watch.html != NULL)
        return (struct part_type){PREFILTER_CLASS_HTML, prefilter->strings + watch.html->type};
    if (type_wide(bytes, length) || type_folded_html(&watch, bytes, length))
        return (struct part_type){PREFILTER_CLASS_ESCALATE, type_name_html_utf16};
    return type;
}

/* Without a mark, the library does the same with sixteen-bit text as with ASCII, but for a
 * re-typing: it is matched as it is and with all but its plain bytes dropped. With a mark it may
 * become HTML. */
static struct part_type type_guess(const uint8_t *bytes, size_t length)
{
    if (text_ascii(bytes, length))
        return (struct part_type){PREFILTER_CLASS_TEXT, type_name_ascii};
    if (type_wide(bytes, length))
        return (struct part_type){PREFILTER_CLASS_ESCALATE, type_name_wide};
    if (text_utf16(bytes, length))
        return (struct part_type){PREFILTER_CLASS_TEXT, type_name_utf16be};
    return (struct part_type){PREFILTER_CLASS_BINARY, type_name_binary};
}

struct part_type type_of(const struct prefilter *prefilter, const uint8_t *bytes, size_t length,
                         bool whole)
{
    const struct prefilter_magic *magic;
    struct part_type type;

    if (whole && length <= TYPE_IGNORED_MAX)
        return (struct part_type){PREFILTER_CLASS_IGNORED, type_name_ignored};
    if (length > TYPE_LOOK)
        length = TYPE_LOOK;
    magic = type_fixed(prefilter, bytes, length);
    if (magic != NULL)
        type = (struct part_type){magic->class, prefilter->strings + magic->type};
    else
        type = type_guess(bytes, length);
    if (type.class == PREFILTER_CLASS_BINARY && type_tar(bytes, length))
        return (struct part_type){PREFILTER_CLASS_ESCALATE, type_name_tar};
    if (type.class == PREFILTER_CLASS_BINARY || type.name == type_name_utf16be) {
        if (length >= TYPE_MYDOOM && type_mydoom_record(bytes) && type_mydoom_record(&bytes[32]))
            return (struct part_type){PREFILTER_CLASS_ESCALATE, type_name_mydoom};
    }
    if (type.class != PREFILTER_CLASS_BINARY && type.class != PREFILTER_CLASS_TEXT)
        return type;
    return type_searched(prefilter, bytes, length, type);
}

const char *const type_made_names[TYPE_MADE_NAMES] = {
    "attachment", "bounce", "mixedtextportion", "textpart", "textportion", "unknown",
};

void type_clean_name(const uint8_t *name, size_t length, uint8_t *to)
{
    for (size_t i = 0; i < length; i++) {
        uint8_t byte = name[i];
        bool kept = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
                    (byte >= 'a' && byte <= 'z') || byte == '.' || byte == '_';

        to[i] = kept ? byte : '_';
    }
}
