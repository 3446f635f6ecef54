#include "dataplane/policy/learn.h"

unsigned policy_learn(struct cache *cache, struct inspect_result *result, bool vouched,
                      enum verdict_kind verdict, const char *name)
{
    bool infected = verdict == VERDICT_INFECTED;
    unsigned stored = 0;

    if (cache == NULL || result->decision != INSPECT_SENT_ON || !vouched ||
        (verdict != VERDICT_CLEAN && (!infected || !result->clear || result->key_count != 1)))
        return 0;
    for (unsigned i = 0; i < result->key_count; i++)
        stored += cache_store(cache, &result->keys[i], verdict, infected ? name : NULL);
    result->key_count = 0;
    return stored;
}
