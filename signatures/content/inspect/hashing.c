#include "signatures/content/inspect/hashing.h"

#include <string.h>

/* Whether less than HASHING_SPARSE sizes are listed, and each signature has one. */
static bool hashing_sparse(const struct prefilter *prefilter, enum prefilter_digest digest)
{
    const struct prefilter_hashes *hashes = &prefilter->header->hashes[digest];
    const uint8_t *sizes = (const uint8_t *)prefilter->header + hashes->sizes;
    unsigned count = 0;

    if (hashes->count == 0 || hashes->any_size != 0)
        return false;
    for (size_t i = 0; i < (PREFILTER_SIZES_EXACT + PREFILTER_SIZES_COARSE) / 8; i++)
        count += (unsigned)__builtin_popcount(sizes[i]);
    return count < HASHING_SPARSE;
}

void hashing_table_make(struct hashing_table *table, const struct prefilter *prefilter)
{
    table->prefilter = prefilter;
    for (unsigned i = 0; i < PREFILTER_DIGESTS; i++) {
        table->wanted[i] = prefilter->header->hashes[i].count > 0;
        table->sparse[i] = hashing_sparse(prefilter, i);
    }
}

bool hashing_wanted(const struct hashing_table *table)
{
    return table->wanted[PREFILTER_MD5] || table->wanted[PREFILTER_SHA1] ||
           table->wanted[PREFILTER_SHA256];
}

void hashing_reset(struct hashing *hashing)
{
    hashing->hashed = 0;
    hashing_begin(hashing);
}

void hashing_begin(struct hashing *hashing)
{
    hashing->length = 0;
    hashing->started = false;
}

/* The functions of OpenSSL below always return 1. */

static void hashing_update(struct hashing *hashing, enum prefilter_digest digest,
                           const uint8_t *bytes, size_t length)
{
    hashing->hashed += length;
    if (digest == PREFILTER_MD5)
        (void)MD5_Update(&hashing->md5, bytes, length);
    else if (digest == PREFILTER_SHA1)
        (void)SHA1_Update(&hashing->sha1, bytes, length);
    else
        (void)SHA256_Update(&hashing->sha256, bytes, length);
}

/* Begins a digest with what is held. */
static void hashing_start(struct hashing *hashing, enum prefilter_digest digest, size_t held)
{
    if (digest == PREFILTER_MD5)
        (void)MD5_Init(&hashing->md5);
    else if (digest == PREFILTER_SHA1)
        (void)SHA1_Init(&hashing->sha1);
    else
        (void)SHA256_Init(&hashing->sha256);
    hashing_update(hashing, digest, hashing->held, held);
}

static void hashing_final(struct hashing *hashing, enum prefilter_digest digest, uint8_t *value)
{
    if (digest == PREFILTER_MD5)
        (void)MD5_Final(value, &hashing->md5);
    else if (digest == PREFILTER_SHA1)
        (void)SHA1_Final(value, &hashing->sha1);
    else
        (void)SHA256_Final(value, &hashing->sha256);
}

void hashing_feed(const struct hashing_table *table, struct hashing *hashing, const uint8_t *bytes,
                  size_t length)
{
    uint64_t before = hashing->length;

    hashing->length += length;
    if (!hashing->started && hashing->length <= sizeof(hashing->held)) {
        memcpy(hashing->held + before, bytes, length);
        return;
    }
    for (unsigned i = 0; i < PREFILTER_DIGESTS; i++) {
        if (!table->wanted[i] || table->sparse[i])
            continue;
        if (!hashing->started)
            hashing_start(hashing, i, before);
        hashing_update(hashing, i, bytes, length);
    }
    hashing->started = true;
}

const char *hashing_end(const struct hashing_table *table, struct hashing *hashing)
{
    static const char *const names[] = {
        [PREFILTER_MD5] = "MD5", [PREFILTER_SHA1] = "SHA1", [PREFILTER_SHA256] = "SHA256"};
    uint8_t value[PREFILTER_DIGEST_BYTES];

    for (unsigned i = 0; i < PREFILTER_DIGESTS; i++) {
        if (!table->wanted[i] || !prefilter_size_listed(table->prefilter, i, hashing->length))
            continue;
        if (!hashing->started)
            hashing_start(hashing, i, hashing->length);
        else if (table->sparse[i])
            return names[i]; /* not made: it may be a listed one */
        hashing_final(hashing, i, value);
        if (prefilter_hash_listed(table->prefilter, i, value))
            return names[i];
    }
    return NULL;
}

bool hashing_end_about(const struct hashing_table *table, const struct hashing *hashing,
                       uint64_t more)
{
    for (unsigned i = 0; i < PREFILTER_DIGESTS; i++) {
        for (uint64_t extra = 0; extra <= more && table->wanted[i]; extra++) {
            if (prefilter_size_listed(table->prefilter, i, hashing->length + extra))
                return true;
        }
    }
    return false;
}
