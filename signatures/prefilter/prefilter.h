/* prefilter.h: the compiled prefilter: one immutable file, mapped read-only by whoever searches.
 *
 * `postern signatures build` (signatures/compile) writes it from ClamAV databases; the dataplane
 * and `postern scan` map it with prefilter_open(). Everything is offsets into the file;
 * prefilter_open() checks every one of them, so that using an opened file cannot leave the mapping.
 *
 * What it says. A signature can match only where its *necessary formula* holds: some *group* of it,
 * all of whose *leaves* (literal fragments, 3 to PREFILTER_FRAGMENT_MAX bytes) occur. A group
 * counts in the *domains* it names. Two Hyperscan databases (streaming mode) find leaves, the match
 * id being the leaf's index:
 *
 *   squeezed  h(fragment) (signatures/content/decode/squeeze.h), searched in h(text)
 *   exact     the fragment, searched in binary parts, and in text around odd bytes
 *
 * A group whose domains include RAW, TEXT or HTML has only leaves that are in the squeezed database
 * or that contain an odd byte (and are then in the exact one); none of the latter contains white
 * space or DEL (0x7f, which libclamav's normalised text keeps while it drops what is around it). A
 * group whose domains include BINARY or IMAGE has only leaves in the exact database.
 * One leaf may serve several groups and both databases. A group may also stand for something that
 * makes libclamav look at a buffer in another way (a file-type pattern): its signature's kind says
 * so.
 *
 * Threads: an open prefilter is immutable. Memory: prefilter_close() unmaps; the databases are
 * deserialised into memory of their own. Not for the hot path but for the inline accessors.
 */
#ifndef SIGNATURES_PREFILTER_PREFILTER_H
#define SIGNATURES_PREFILTER_PREFILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/status.h"
#include "platform/why.h"

#define PREFILTER_MAGIC  UINT64_C(0x31746c6966657250) /* "Prefilt1" */
#define PREFILTER_FORMAT 2u
/* Raised whenever signatures/scanner/engine.c sets the engine in another way: the prefilter's rules
 * were proven for these settings. */
#define PREFILTER_PROFILE 1u
/* The library the rules were proven for (tests/oracle). With any other everything is scanned. */
#define PREFILTER_LIBRARY       "1.4.6"
#define PREFILTER_FRAGMENT_MAX  32u /* bytes of a leaf */
#define PREFILTER_GROUP_LEAVES  5u
#define PREFILTER_WEAK_MAX      32768u /* leaves in groups of more than one: they come first */
#define PREFILTER_DIGEST_BYTES  32u
#define PREFILTER_LIBRARY_BYTES 32u

/* Where a signature may match, from its Target and what libclamav scans with it (bits). */
#define PREFILTER_RAW    1u  /* the whole message: targets 0 and 4 */
#define PREFILTER_TEXT   2u  /* text parts, as they are and normalised: 0 and 7 */
#define PREFILTER_HTML   4u  /* HTML's two normal forms: 0, 3 (scripts are never vouched for) */
#define PREFILTER_IMAGE  8u  /* 0 and 5 */
#define PREFILTER_BINARY 16u /* other parts of no known type: 0 and 14 */
#define PREFILTER_ALL    31u

enum prefilter_kind {
    PREFILTER_SIGNATURE, /* of the database */
    PREFILTER_TYPE,      /* a file-type pattern: the name is ClamAV's type name */
    PREFILTER_PHISHING,  /* a domain of a .pdb */
};

struct prefilter_leaf {
    uint32_t first_group; /* into leaf_groups[] */
    uint32_t group_count;
    uint32_t domains; /* of all its groups: a hit outside them means nothing */
    uint32_t weak;    /* index of its bit, < PREFILTER_WEAK_MAX, or UINT32_MAX: it decides alone */
};

struct prefilter_group {
    uint32_t signature;
    uint16_t domains;
    uint16_t leaf_count; /* 1..PREFILTER_GROUP_LEAVES */
    uint32_t leaves[PREFILTER_GROUP_LEAVES];
};

struct prefilter_signature {
    uint32_t name; /* offset into strings; zero-terminated */
    uint32_t kind; /* enum prefilter_kind */
};

/* A signature without a usable formula: everything of these domains goes to a scanner; or, when it
 * can only match from a buffer's first byte, every buffer that begins with the bytes given. Such a
 * one, in TEXT or HTML, has an odd byte or a capital letter among them: text that libclamav has put
 * into lower case never begins so. */
struct prefilter_always {
    uint32_t signature;
    uint32_t domains;
    uint32_t start;        /* offset into strings */
    uint32_t start_length; /* 0: whatever it begins with; at most PREFILTER_START_MAX */
};
#define PREFILTER_START_MAX 8u

/* One line of the file-type tables (.ftm, or the library's own), in the table's order. Three kinds:
 *   FIXED    `magic` at `offset`: decides the type at once; of several the last one of the table
 *   PATTERN  searched: begins at `offset`..`last`
 *   END      `magic` at `offset` bytes before the part's end
 * A byte b agrees when (b & mask) == magic; a mask of 0 is any byte (magic 0) or, in a PATTERN, any
 * number of bytes (magic 1: PREFILTER_MAGIC_GAP). signatures/compile/types.h makes them,
 * signatures/content/type/type.h uses them: PATTERNs in the first 1,024 bytes decide the type;
 * where `watch` says so they matter in the whole part. Patterns that Hyperscan can find are groups
 * of kind PREFILTER_TYPE besides. */
struct prefilter_magic {
    uint32_t offset;
    uint32_t length; /* of magic and mask: at most PREFILTER_MAGIC_MAX */
    uint32_t magic;  /* offset into strings: bytes */
    uint32_t mask;   /* offset into strings */
    uint32_t type;   /* offset into strings: "CL_TYPE_PDF" */
    uint32_t class;  /* enum prefilter_type_class */
    uint32_t kind;   /* enum prefilter_magic_kind */
    uint32_t last;   /* PATTERN: greatest offset at which it may begin; UINT32_MAX: anywhere */
    uint32_t watch;  /* domains, PREFILTER_WATCH_*: where it is looked for in the whole part */
};

enum prefilter_magic_kind {
    PREFILTER_MAGIC_FIXED,
    PREFILTER_MAGIC_PATTERN,
    PREFILTER_MAGIC_END,
};

#define PREFILTER_MAGIC_MAX   128u
#define PREFILTER_MAGIC_GAP   1u  /* magic of an element whose mask is 0 */
#define PREFILTER_WATCH_ASCII 32u /* text parts of type CL_TYPE_TEXT_ASCII only */
#define PREFILTER_WATCH_GIF   64u /* images of type CL_TYPE_GIF only */

/* What a type means to the prefilter. */
enum prefilter_type_class {
    PREFILTER_CLASS_BINARY,   /* CL_TYPE_BINARY_DATA: searched exactly */
    PREFILTER_CLASS_TEXT,     /* CL_TYPE_TEXT_ASCII, UTF16BE without a mark */
    PREFILTER_CLASS_HTML,     /* CL_TYPE_HTML */
    PREFILTER_CLASS_IMAGE,    /* CL_TYPE_GRAPHICS, GIF, PNG, JPEG, TIFF */
    PREFILTER_CLASS_IGNORED,  /* CL_TYPE_IGNORED: libclamav does not scan it */
    PREFILTER_CLASS_ESCALATE, /* any other: the full scan */
};

/* Hash signatures (.hdb .hsb): 64-bit fingerprints (the first eight digest bytes, little-endian as
 * stored, never 0) in open addressing, linear probing, a power of two of slots, 0 = empty. Sizes:
 * one bit for each size below PREFILTER_SIZES_EXACT, then for each power-of-two range 1/64 of it;
 * larger ones are always listed. A fingerprint's first slot is its low bits.
 */
enum prefilter_digest { PREFILTER_MD5, PREFILTER_SHA1, PREFILTER_SHA256, PREFILTER_DIGESTS };
#define PREFILTER_SIZES_EXACT  1048576u
#define PREFILTER_SIZES_COARSE (22u * 64u) /* from 2^20 to 2^42 */

struct prefilter_hashes {
    uint64_t slots; /* offset of uint64_t[slot_count]; 0: none */
    uint64_t slot_count;
    uint64_t sizes; /* offset of the size bits: (EXACT + COARSE) / 8 bytes */
    uint64_t count;
    uint32_t any_size; /* 1: some have no size ('*'), every size must be looked up */
    uint32_t reserved;
};

struct prefilter_section {
    uint64_t offset;
    uint64_t count; /* of entries; bytes for strings and databases */
};

struct prefilter_header {
    uint64_t magic;
    uint64_t bytes; /* of the file */
    uint32_t format;
    uint32_t profile;                         /* PREFILTER_PROFILE when it was made */
    char library[PREFILTER_LIBRARY_BYTES];    /* "1.4.6": the only libclamav it speaks for */
    uint8_t database[PREFILTER_DIGEST_BYTES]; /* of the sources: signatures/prefilter/digest.h */
    uint8_t contents[PREFILTER_DIGEST_BYTES]; /* SHA-256 of everything behind the header */
    uint32_t weak_count;
    uint32_t image_fuzzy; /* 1: fuzzy image hashes exist; images go to a scanner */
    struct prefilter_section leaves, leaf_groups, groups, signatures, always, magics, strings;
    struct prefilter_section squeezed, exact; /* serialised Hyperscan databases, streaming */
    struct prefilter_section
        names; /* serialised, block mode, caseless: file names (.cdb); id = signature */
    struct prefilter_hashes hashes[PREFILTER_DIGESTS];
};

struct hs_database;

/* A mapped prefilter. The pointers are into the mapping; counts are in `header`. */
struct prefilter {
    const struct prefilter_header *header;
    const struct prefilter_leaf *leaves;
    const uint32_t *leaf_groups;
    const struct prefilter_group *groups;
    const struct prefilter_signature *signatures;
    const struct prefilter_always *always;
    const struct prefilter_magic *magics;
    const char *strings;
    struct hs_database *squeezed; /* null when there is no such leaf */
    struct hs_database *exact;
    struct hs_database *names; /* null without .cdb rules for mail */
    size_t bytes;
};

/* Maps and checks `path`. STATUS_NOT_FOUND, STATUS_BAD_FORMAT (cut, damaged, another format or
 * profile, or made for another Hyperscan or CPU), STATUS_NO_MEMORY, STATUS_SYSTEM; `why` (may be
 * null) gets one line. Checked is all but the ids that the Hyperscan databases report: whoever
 * searches compares them with the counts. The file must not be changed in place: it is replaced. */
enum status prefilter_open(struct prefilter *prefilter, const char *path,
                           struct why *why) STATUS_CHECKED;

void prefilter_close(struct prefilter *prefilter);

/* True when a signature of that size could exist: the digest has to be computed. */
bool prefilter_size_listed(const struct prefilter *prefilter, enum prefilter_digest digest,
                           uint64_t size);

/* True when `value` (the whole digest) is, or looks like, a listed one. Hot path: no lock, no heap.
 */
bool prefilter_hash_listed(const struct prefilter *prefilter, enum prefilter_digest digest,
                           const uint8_t *value);

/* What stands in a slot for a digest (of at least eight bytes). */
static inline uint64_t prefilter_fingerprint(const uint8_t *digest)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < 8; i++)
        value |= (uint64_t)digest[i] << (8 * i);
    return value == 0 ? 1 : value;
}

/* The bit of a size, or UINT32_MAX when sizes so large have none. */
static inline uint32_t prefilter_size_bit(uint64_t size)
{
    unsigned log;

    if (size < PREFILTER_SIZES_EXACT)
        return (uint32_t)size;
    log = 63 - (unsigned)__builtin_clzll(size);
    if (log >= 42)
        return UINT32_MAX;
    return PREFILTER_SIZES_EXACT + (log - 20) * 64 + (uint32_t)((size >> (log - 6)) & 63);
}

static inline const char *prefilter_name(const struct prefilter *prefilter, uint32_t signature)
{
    return prefilter->strings + prefilter->signatures[signature].name;
}

#endif
