/* prefilter_open() and what reads an opened prefilter, over files whose SHA-256 is right but whose
 * numbers are not. An input is a list of edits of a whole file: a place (3 bytes, in header and
 * tables), how (1 byte) and a value (8 bytes). */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "platform/check.h"
#include "platform/why.h"
#include "signatures/draft/draft.h"

#define EDIT_BYTES 12u

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

static uint8_t *base; /* a whole file, of one of everything */
static size_t base_bytes;
static volatile size_t sink;

static void base_fill(struct draft *draft)
{
    static const uint8_t digest[32] = {7, 1}, other[32] = {7, 2};
    static const uint8_t mask[4] = {0xff, 0xff, 0xff, 0xff};
    struct prefilter_magic magic = {.length = 4, .class = PREFILTER_CLASS_ESCALATE};
    struct draft_leaf pair[2] = {{.length = 5, .squeezed = true, .bytes = "first"},
                                 {.length = 6, .squeezed = true, .bytes = "second"}};
    struct draft_leaf alone = {.length = 5, .bytes = "alone"};
    bool widened = false;
    uint32_t id = 0;

    CHECK(draft_add_signature(draft, "Pair", PREFILTER_SIGNATURE, &id) == STATUS_OK);
    CHECK(draft_add_group(draft, id, PREFILTER_TEXT, pair, 2) == STATUS_OK);
    CHECK(draft_add_group(draft, id, PREFILTER_BINARY, &alone, 1) == STATUS_OK);
    CHECK(draft_add_signature(draft, "Always", PREFILTER_TYPE, &id) == STATUS_OK);
    CHECK(draft_add_always(draft, id, PREFILTER_IMAGE) == STATUS_OK);
    CHECK(draft_add_start(draft, id, PREFILTER_TEXT, digest, 2) == STATUS_OK);
    CHECK(draft_add_signature(draft, "Name", PREFILTER_SIGNATURE, &id) == STATUS_OK);
    CHECK(draft_add_name_rule(draft, id, "x$", &widened) == STATUS_OK);
    CHECK(draft_add_magic(draft, &magic, digest, mask, "CL_TYPE_PDF") == STATUS_OK);
    CHECK(draft_add_hash(draft, PREFILTER_MD5, digest, false, 9) == STATUS_OK);
    CHECK(draft_add_hash(draft, PREFILTER_MD5, other, false, UINT64_C(1) << 30) == STATUS_OK);
    CHECK(draft_add_hash(draft, PREFILTER_SHA256, other, true, 0) == STATUS_OK);
}

static void base_make(void)
{
    char path[] = "/tmp/fuzz_prefilter.XXXXXX";
    int descriptor = mkstemp(path);
    struct draft draft = {0};
    struct draft_identity identity = {.library = "1.4.6"};
    struct why why;
    FILE *file;

    CHECK(descriptor >= 0);
    base_fill(&draft);
    CHECK(draft_compile(&draft, &why) == STATUS_OK);
    CHECK(draft_write(&draft, &identity, path, &why) == STATUS_OK);
    draft_free(&draft);
    file = fopen(path, "rb");
    CHECK(file != NULL && fseek(file, 0, SEEK_END) == 0);
    base_bytes = (size_t)ftell(file);
    rewind(file);
    base = malloc(base_bytes);
    CHECK(base != NULL && fread(base, 1, base_bytes, file) == base_bytes);
    (void)fclose(file);
    (void)close(descriptor);
    (void)unlink(path);
}

/* Everything before the databases: the header and the tables of small numbers. */
static size_t edit_end(void)
{
    return ((const struct prefilter_header *)base)->squeezed.offset;
}

static void edit(uint8_t *bytes, const uint8_t *input, size_t length)
{
    for (; length >= EDIT_BYTES; input += EDIT_BYTES, length -= EDIT_BYTES) {
        size_t at = input[0] | (size_t)input[1] << 8 | (size_t)input[2] << 16;
        unsigned size = 1u << (input[3] % 4);
        uint8_t value[8];

        at %= edit_end() - 8;
        at -= at % size;
        memcpy(value, input + 4, sizeof(value));
        /* Half of the edits are small steps from what is there. */
        if ((input[3] & 4) != 0) {
            for (unsigned i = 0; i < size; i++)
                bytes[at + i] = (uint8_t)(bytes[at + i] + (i == 0 ? value[0] : 0));
        } else {
            memcpy(bytes + at, value, size);
        }
    }
}

/* Reads everything that users of an opened prefilter read. */
static void use(const struct prefilter *prefilter)
{
    const struct prefilter_header *header = prefilter->header;
    uint8_t digest[32] = {7, 2};

    for (uint64_t i = 0; i < header->signatures.count; i++)
        sink += strlen(prefilter_name(prefilter, (uint32_t)i));
    for (uint64_t i = 0; i < header->leaves.count; i++) {
        const struct prefilter_leaf *leaf = &prefilter->leaves[i];

        for (uint32_t k = 0; k < leaf->group_count; k++) {
            const struct prefilter_group *group =
                &prefilter->groups[prefilter->leaf_groups[leaf->first_group + k]];

            sink += strlen(prefilter_name(prefilter, group->signature));
            for (unsigned n = 0; n < group->leaf_count; n++)
                sink += prefilter->leaves[group->leaves[n]].weak;
        }
    }
    for (uint64_t i = 0; i < header->always.count; i++) {
        const struct prefilter_always *always = &prefilter->always[i];

        sink += strlen(prefilter_name(prefilter, always->signature));
        for (uint32_t k = 0; k < always->start_length; k++)
            sink += (size_t)prefilter->strings[always->start + k];
    }
    for (uint64_t i = 0; i < header->magics.count; i++) {
        const struct prefilter_magic *magic = &prefilter->magics[i];

        for (uint32_t k = 0; k < magic->length; k++)
            sink += (size_t)prefilter->strings[magic->magic + k] +
                    (size_t)prefilter->strings[magic->mask + k];
        sink += strlen(prefilter->strings + magic->type);
    }
    for (unsigned i = 0; i < PREFILTER_DIGESTS; i++) {
        for (unsigned k = 0; k < 4; k++) {
            digest[1] = (uint8_t)k;
            sink += prefilter_hash_listed(prefilter, i, digest);
        }
        for (unsigned log = 0; log < 64; log++)
            sink += prefilter_size_listed(prefilter, i, (UINT64_C(1) << log) + log);
    }
    sink += strlen(header->library);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
    struct prefilter_header *header;
    struct prefilter prefilter;
    uint8_t *bytes;
    char path[64];
    struct why why;
    int file = memfd_create("fuzz", MFD_CLOEXEC);

    if (base == NULL)
        base_make();
    bytes = malloc(base_bytes);
    CHECK(bytes != NULL && file >= 0);
    memcpy(bytes, base, base_bytes);
    edit(bytes, input, length);
    header = (struct prefilter_header *)bytes;
    CHECK(EVP_Digest(header + 1, base_bytes - sizeof(*header), header->contents, NULL, EVP_sha256(),
                     NULL) == 1);
    CHECK(write(file, bytes, base_bytes) == (ssize_t)base_bytes);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
    if (prefilter_open(&prefilter, path, &why) == STATUS_OK) {
        use(&prefilter);
        prefilter_close(&prefilter);
    }
    (void)close(file);
    free(bytes);
    return 0;
}
