/* Digests against the hash signatures. See internal.h. */
#include <string.h>

#include "signatures/content/inspect/internal.h"

void hashing_begin(struct hashing *hashing)
{
    hashing->length = 0;
    hashing->started = false;
}

/* The functions of OpenSSL below always return 1. */

static void hashing_update(struct inspect_call *call, struct hashing *hashing,
                           enum prefilter_digest digest, const uint8_t *bytes, size_t length)
{
    call->inspection->hashed_bytes += length;
    if (digest == PREFILTER_MD5)
        (void)MD5_Update(&hashing->md5, bytes, length);
    else if (digest == PREFILTER_SHA1)
        (void)SHA1_Update(&hashing->sha1, bytes, length);
    else
        (void)SHA256_Update(&hashing->sha256, bytes, length);
}

/* Begins a digest with what is held. */
static void hashing_start(struct inspect_call *call, struct hashing *hashing,
                          enum prefilter_digest digest, size_t held)
{
    if (digest == PREFILTER_MD5)
        (void)MD5_Init(&hashing->md5);
    else if (digest == PREFILTER_SHA1)
        (void)SHA1_Init(&hashing->sha1);
    else
        (void)SHA256_Init(&hashing->sha256);
    hashing_update(call, hashing, digest, hashing->held, held);
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

void hashing_feed(struct inspect_call *call, struct hashing *hashing, const uint8_t *bytes,
                  size_t length)
{
    uint64_t before = hashing->length;

    hashing->length += length;
    if (!hashing->started && hashing->length <= sizeof(hashing->held)) {
        memcpy(hashing->held + before, bytes, length);
        return;
    }
    for (unsigned i = 0; i < PREFILTER_DIGESTS; i++) {
        if (!call->inspector->hashes[i] || call->inspector->sparse[i])
            continue;
        if (!hashing->started)
            hashing_start(call, hashing, i, before);
        hashing_update(call, hashing, i, bytes, length);
    }
    hashing->started = true;
}

void hashing_end(struct inspect_call *call, struct hashing *hashing)
{
    static const char *const names[] = {
        [PREFILTER_MD5] = "MD5", [PREFILTER_SHA1] = "SHA1", [PREFILTER_SHA256] = "SHA256"};
    const struct prefilter *prefilter = call->inspector->prefilter;
    uint8_t value[PREFILTER_DIGEST_BYTES];

    for (unsigned i = 0; i < PREFILTER_DIGESTS; i++) {
        if (!call->inspector->hashes[i] || !prefilter_size_listed(prefilter, i, hashing->length))
            continue;
        if (!hashing->started)
            hashing_start(call, hashing, i, hashing->length);
        if (hashing->started && call->inspector->sparse[i]) {
            /* Not made: it may be a listed one. */
            inspect_doubt(call->inspection, INSPECT_CAUSE_HASH, names[i], GATE_SCAN, false);
            continue;
        }
        hashing_final(hashing, i, value);
        if (prefilter_hash_listed(prefilter, i, value))
            inspect_doubt(call->inspection, INSPECT_CAUSE_HASH, names[i], GATE_SCAN, false);
    }
}

void hashing_end_about(struct inspect_call *call, struct hashing *hashing, uint64_t more)
{
    for (unsigned i = 0; i < PREFILTER_DIGESTS; i++) {
        for (uint64_t extra = 0; extra <= more && call->inspector->hashes[i]; extra++) {
            if (prefilter_size_listed(call->inspector->prefilter, i, hashing->length + extra))
                inspect_doubt(call->inspection, INSPECT_CAUSE_HASH, "size of a long text",
                              GATE_SCAN, false);
        }
    }
}
