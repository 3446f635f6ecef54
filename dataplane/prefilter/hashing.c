/* Digests against the hash signatures. See internal.h. */
#include "dataplane/prefilter/internal.h"

void hashing_begin(struct inspector *inspector, struct hashing *hashing)
{
    hashing->length = 0;
    hashing->on = true;
    for (unsigned i = 0; i < PREFILTER_DIGESTS; i++) {
        if (hashing->contexts[i] == NULL)
            continue;
        if (EVP_DigestInit_ex(hashing->contexts[i], inspector->digests[i], NULL) != 1)
            hashing->on = false;
    }
}

void hashing_feed(struct inspect_call *call, struct hashing *hashing, const uint8_t *bytes,
                  size_t length)
{
    hashing->length += length;
    for (unsigned i = 0; i < PREFILTER_DIGESTS; i++) {
        if (hashing->contexts[i] == NULL)
            continue;
        call->inspection->hashed_bytes += length;
        if (EVP_DigestUpdate(hashing->contexts[i], bytes, length) != 1)
            hashing->on = false;
    }
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
        /* A digest that could not be made may be a listed one. */
        if (!hashing->on || EVP_DigestFinal_ex(hashing->contexts[i], value, NULL) != 1 ||
            prefilter_hash_listed(prefilter, i, value))
            inspect_doubt(call->inspection, INSPECT_CAUSE_HASH, names[i], GATE_SCAN, false);
    }
}
