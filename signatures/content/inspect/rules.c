#include "signatures/content/inspect/rules.h"

#include <string.h>

/* The first signature without a formula, for each domain; and what others begin with. */
static void rules_find_always(struct rules *rules)
{
    const struct prefilter *prefilter = rules->prefilter;

    memset(rules->always, 0xff, sizeof(rules->always));
    for (uint64_t i = prefilter->header->always.count; i-- > 0;) {
        const struct prefilter_always *always = &prefilter->always[i];

        if (always->start_length > 0)
            rules->starts[(uint8_t)prefilter->strings[always->start]] |= (uint8_t)always->domains;
        for (unsigned domain = 0; domain < RULES_DOMAINS; domain++) {
            if (always->start_length == 0 && (always->domains >> domain & 1) != 0)
                rules->always[domain] = always->signature;
        }
    }
}

static bool rules_want_links(const struct prefilter *prefilter)
{
    for (uint64_t i = 0; i < prefilter->header->signatures.count; i++)
        if (prefilter->signatures[i].kind == PREFILTER_PHISHING)
            return true;
    return false;
}

/* Any part may get any of the names that libclamav makes up: a rule that holds for one of them
 * holds for every message. */
static bool rules_try_made_names(struct rules *rules, const struct searcher *searcher)
{
    rules->made_name = UINT32_MAX;
    for (unsigned i = 0; i < TYPE_MADE_NAMES && rules->made_name == UINT32_MAX; i++) {
        const char *name = type_made_names[i];

        if (!searcher_name(searcher, (const uint8_t *)name, strlen(name), &rules->made_name))
            return false;
    }
    return true;
}

enum status rules_init(struct rules *rules, const struct searcher *searcher)
{
    enum status status;

    *rules = (struct rules){.prefilter = searcher->prefilter};
    status = type_table_create(&rules->types, rules->prefilter);
    if (status != STATUS_OK)
        return status;
    hashing_table_make(&rules->hashes, rules->prefilter);
    rules_find_always(rules);
    rules->links = rules_want_links(rules->prefilter);
    return rules_try_made_names(rules, searcher) ? STATUS_OK : STATUS_NO_MEMORY;
}

void rules_fini(struct rules *rules)
{
    type_table_destroy(rules->types);
    rules->types = NULL;
}

uint32_t rules_always(const struct rules *rules, uint32_t domain)
{
    return rules->always[__builtin_ctz(domain)];
}

uint32_t rules_start(const struct rules *rules, uint32_t domain, const uint8_t *bytes,
                     size_t length)
{
    const struct prefilter *prefilter = rules->prefilter;

    if (length == 0 || (rules->starts[bytes[0]] & domain) == 0)
        return UINT32_MAX;
    for (uint64_t i = 0; i < prefilter->header->always.count; i++) {
        const struct prefilter_always *start = &prefilter->always[i];

        if (start->start_length > 0 && start->start_length <= length &&
            (start->domains & domain) != 0 &&
            memcmp(prefilter->strings + start->start, bytes, start->start_length) == 0)
            return start->signature;
    }
    return UINT32_MAX;
}
