/* Digests against the hash signatures. See internal.h. */
#include <string.h>

#include "dataplane/prefilter/internal.h"

void hashing_begin(struct hashing *hashing)
{
    hashing->length = 0;
    hashing->on = true;
    hashing->started = false;
}

static void hashing_update(struct inspect_call *call, struct hashing *hashing,
                           enum prefilter_digest digest, const uint8_t *bytes, size_t length)
{
    call->inspection->hashed_bytes += length;
    if (EVP_DigestUpdate(hashing->contexts[digest], bytes, length) != 1)
        hashing->on = false;
}

/* Begins a digest with what is held. */
static void hashing_start(struct inspect_call *call, struct hashing *hashing,
                          enum prefilter_digest digest, size_t held)
{
    if (EVP_DigestInit_ex(hashing->contexts[digest], call->inspector->digests[digest], NULL) != 1)
        hashing->on = false;
    hashing_update(call, hashing, digest, hashing->held, held);
}

void hashing_feed(struct inspect_call *call, struct hashing *hashing, const uint8_t *bytes,
                  size_t length)
{
    uint64_t before = hashing->length;

    if (!call->inspector->hashes)
        return;
    hashing->length += length;
    if (!hashing->started && hashing->length <= sizeof(hashing->held)) {
        memcpy(hashing->held + before, bytes, length);
        return;
    }
    for (unsigned i = 0; i < PREFILTER_DIGESTS; i++) {
        if (hashing->contexts[i] == NULL || call->inspector->sparse[i])
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
    uint8_t value[EVP_MAX_MD_SIZE];

    for (unsigned i = 0; i < PREFILTER_DIGESTS; i++) {
        if (hashing->contexts[i] == NULL || !prefilter_size_listed(prefilter, i, hashing->length))
            continue;
        if (!hashing->started)
            hashing_start(call, hashing, i, hashing->length);
        /* A digest that could not be made, or was not, may be a listed one. */
        if (!hashing->on || (hashing->started && call->inspector->sparse[i]) ||
            EVP_DigestFinal_ex(hashing->contexts[i], value, NULL) != 1 ||
            prefilter_hash_listed(prefilter, i, value))
            inspect_doubt(call->inspection, INSPECT_CAUSE_HASH, names[i], GATE_SCAN, false);
    }
}
