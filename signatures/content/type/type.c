/* The type of a part from its first bytes. See type.h. */
#include "signatures/content/type/type_table.h"

#define TYPE_IGNORED_MAX 5u /* parts of so few bytes are not scanned */
#define TYPE_TAR_BYTES   512u
#define TYPE_MYDOOM      64u

static const char type_name_utf16be[] = "CL_TYPE_TEXT_UTF16BE";
static const char type_name_binary[] = "CL_TYPE_BINARY_DATA";
static const char type_name_wide[] = "byte order mark";
static const char type_name_html_utf16[] = "CL_TYPE_HTML_UTF16";
static const char type_name_tar[] = "CL_TYPE_OLD_TAR";
static const char type_name_ignored[] = "CL_TYPE_IGNORED";
static const char type_name_mydoom[] = "Heuristics.Worm.Mydoom.M.log";

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
    size_t i = 0;

    for (; length - i >= sizeof(type_vector); i += sizeof(type_vector)) {
        const type_vector v = type_load(&bytes[i]);
        const type_vector none =
            (type_vector)(v < 0x20) &
            ~((type_vector)(v - 7 <= 3) | (type_vector)(v - 12 <= 1) | (type_vector)(v == 27));

        if (type_any(none | (type_vector)(v == 0x7f)))
            return false;
    }
    for (; i < length; i++)
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
static bool type_folded_html(const struct type_table *table, struct type_watch *watch,
                             const uint8_t *bytes, size_t length)
{
    const struct type_watch *html = &table->sets[TYPE_SET_HTML];
    uint8_t folded[TYPE_LOOK / 2];
    size_t count = length / 2;
    bool possible = html->anchor_count != 1 || html->html != NULL;

    for (size_t i = 0; i < count; i++) {
        folded[i] = (uint8_t)(bytes[2 * i] + (bytes[2 * i + 1] << 4));
        possible |= folded[i] == html->anchors[0];
    }
    if (!possible)
        return false;
    watch_begin(watch, html);
    watch_feed(watch, folded, count);
    watch_end(watch);
    return watch->html != NULL;
}

/* The last of the table decides: they are looked through from the end. */
static const struct prefilter_magic *type_fixed(const struct type_table *table,
                                                const uint8_t *bytes, size_t length)
{
    for (unsigned i = 0; i < table->fixed_count; i++) {
        const struct type_fixed *fixed = &table->fixed[i];
        const struct prefilter_magic *magic = fixed->magic;

        if (fixed->end <= length && (bytes[fixed->offset] & fixed->mask) == fixed->value &&
            type_agrees(&bytes[magic->offset], type_bytes(table->prefilter, magic->magic),
                        type_bytes(table->prefilter, magic->mask), magic->length))
            return magic;
    }
    return NULL;
}

static struct part_type type_searched(const struct type_table *table, const uint8_t *bytes,
                                      size_t length, struct part_type type)
{
    const struct prefilter *prefilter = table->prefilter;
    struct type_watch watch;

    watch_begin(&watch, &table->sets[TYPE_SET_ALL]);
    if (watch.overflow)
        return (struct part_type){PREFILTER_CLASS_ESCALATE, type_name_table};
    watch_feed(&watch, bytes, length);
    watch_end(&watch);
    if (watch.found != NULL)
        return (struct part_type){PREFILTER_CLASS_ESCALATE, prefilter->strings + watch.found->type};
    if (watch.html != NULL)
        return (struct part_type){PREFILTER_CLASS_HTML, prefilter->strings + watch.html->type};
    if (type_wide(bytes, length) || type_folded_html(table, &watch, bytes, length))
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

struct part_type type_of(const struct type_table *table, const uint8_t *bytes, size_t length,
                         bool whole)
{
    const struct prefilter_magic *magic;
    struct part_type type;

    if (whole && length <= TYPE_IGNORED_MAX)
        return (struct part_type){PREFILTER_CLASS_IGNORED, type_name_ignored};
    if (length > TYPE_LOOK)
        length = TYPE_LOOK;
    magic = type_fixed(table, bytes, length);
    if (magic != NULL)
        type = (struct part_type){magic->class, table->prefilter->strings + magic->type};
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
    return type_searched(table, bytes, length, type);
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
