#include "dataplane/handover/routes.h"

#include "platform/check.h"

/* FNV-1a. Two customers of one hash would be told 451 together, for as long as one is away. */
static uint64_t routes_hash(const char *name)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (; *name != '\0'; name++)
        hash = (hash ^ (unsigned char)*name) * UINT64_C(1099511628211);
    return hash;
}

/* Its place, or `count`. */
static uint32_t routes_find(const struct routes *routes, uint64_t hash)
{
    uint32_t i = 0;

    CHECK(routes->count <= ROUTES_DOWN_MAX);
    while (i < routes->count && routes->down[i] != hash)
        i++;
    return i;
}

void routes_clear(struct routes *routes)
{
    routes->count = 0;
}

void routes_set(struct routes *routes, const char *customer, bool down)
{
    uint64_t hash = routes_hash(customer);
    uint32_t at = routes_find(routes, hash);

    if (!down && at < routes->count)
        routes->down[at] = routes->down[--routes->count];
    else if (down && at == routes->count && at < ROUTES_DOWN_MAX)
        routes->down[routes->count++] = hash;
}

bool routes_down(const struct routes *routes, const char *customer)
{
    return routes->count > 0 && routes_find(routes, routes_hash(customer)) < routes->count;
}
