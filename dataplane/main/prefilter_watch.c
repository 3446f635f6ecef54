#include "dataplane/main/prefilter_watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/log/notice.h"
#include "platform/why.h"
#include "signatures/prefilter/digest.h"

/* A file limit below which a message's parts are never many for the engine: it counts more than the
 * parts (the forms of HTML, forced decodings). */
#define PREFILTER_FILES_PER_PART 16u

enum status prefilter_watch_init(struct prefilter_watch *watch, const struct config *config,
                                 struct worker_orders *orders, const struct peers *peers,
                                 const struct worker *workers, unsigned worker_count)
{
    *watch = (struct prefilter_watch){.config = config,
                                      .orders = orders,
                                      .peers = peers,
                                      .workers = workers,
                                      .worker_count = worker_count};
    return config->prefilter.enabled ? cache_create(&orders->cache, config->prefilter.cache_bytes)
                                     : STATUS_OK;
}

static void prefilter_free(const struct prefilter_watch *watch, struct worker_prefilter *made)
{
    if (made == NULL)
        return;
    for (unsigned i = 0; i < watch->worker_count; i++)
        inspector_destroy(made->inspectors[i]);
    prefilter_close(&made->prefilter);
    free(made);
}

/* Verdicts of another database, or under other limits, are none of this generation's. */
static uint64_t prefilter_generation(const struct prefilter_header *header,
                                     const struct config_scanner *scanner)
{
    uint64_t generation = UINT64_C(14695981039346656037);
    const uint64_t limits[] = {scanner->scan_bytes_max, scanner->files_max, scanner->recursion_max,
                               header->profile};

    for (size_t i = 0; i < sizeof(header->contents); i++)
        generation = (generation ^ header->contents[i]) * UINT64_C(1099511628211);
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
        generation = (generation ^ limits[i]) * UINT64_C(1099511628211);
    return generation;
}

static enum status prefilter_make(const struct prefilter_watch *watch,
                                  struct worker_prefilter *made)
{
    const struct config *config = watch->config;
    struct inspect_settings settings = {
        .prefilter = &made->prefilter,
        .cache = watch->orders->cache,
        .generation = prefilter_generation(made->prefilter.header, &config->scanner),
        .inspection_count = config->prefilter.inspections,
        .message_bytes_max = config->prefilter.message_bytes_max,
        .parts_max = config->scanner.files_max / PREFILTER_FILES_PER_PART,
    };
    enum status status = STATUS_OK;

    /* What the engine would say is over its limit is not for us to settle. */
    if (settings.message_bytes_max > config->scanner.scan_bytes_max / PREFILTER_FILES_PER_PART)
        settings.message_bytes_max = config->scanner.scan_bytes_max / PREFILTER_FILES_PER_PART;
    for (unsigned i = 0; i < watch->worker_count && status == STATUS_OK; i++)
        status = inspector_create(&made->inspectors[i], &settings);
    return status;
}

/* Hands the workers `next` (which may be null) and lets go of what they had. */
static void prefilter_publish(struct prefilter_watch *watch, struct worker_prefilter *next)
{
    watch->retired = atomic_load(&watch->orders->prefilter);
    atomic_store_explicit(&watch->orders->prefilter, next, memory_order_release);
}

static void prefilter_say(const char *file, const struct prefilter_header *header)
{
    if (strncmp(header->library, PREFILTER_LIBRARY, sizeof(header->library)) != 0)
        notice("prefilter %s is for libclamav %.*s, but its rules are proven "
               "for " PREFILTER_LIBRARY " only: every message is scanned",
               file, (int)sizeof(header->library), header->library);
    else
        notice("prefilter %s in use: %llu groups", file, (unsigned long long)header->groups.count);
}

/* Whether it is for what every scanner that serves has loaded; `nobody`, when there is none. */
static bool prefilter_speaks(const struct prefilter_watch *watch,
                             const struct worker_prefilter *prefilter, bool nobody)
{
    bool any = false;

    for (uint32_t slot = 0; slot < watch->peers->scanner_slots; slot++) {
        const struct peer_slot *scanner = &watch->peers->slots[slot];

        if (peer_state_of(atomic_load_explicit(&scanner->life, memory_order_relaxed)) != PEER_READY)
            continue;
        if (!inspector_speaks_for(prefilter->inspectors[0], &scanner->identity))
            return false;
        any = true;
    }
    return any || nobody;
}

/* Before any scanner is ready: what the first ones will have loaded, the installed library and that
 * database, if it is the one that the prefilter was made from. Reads the whole database, a second
 * or so: nobody is served meanwhile who would not wait for scanners anyway. */
static void prefilter_expect(const struct prefilter_watch *watch, struct worker_prefilter *made)
{
    const struct prefilter_header *header = made->prefilter.header;
    const struct config_scanner *scanner = &watch->config->scanner;
    uint8_t digest[PREFILTER_DIGEST_BYTES];

    if (watch->library[0] == '\0' || prefilter_speaks(watch, made, false) ||
        !prefilter_speaks(watch, made, true) ||
        database_digest(scanner->database, digest) != STATUS_OK ||
        memcmp(digest, header->database, sizeof(digest)) != 0)
        return;
    made->expected = (struct link_identity){.profile = header->profile,
                                            .recursion_max = scanner->recursion_max,
                                            .files_max = scanner->files_max,
                                            .scan_bytes = scanner->scan_bytes_max};
    memcpy(made->expected.database, digest, sizeof(digest));
    memcpy(made->expected.library, watch->library, sizeof(made->expected.library));
}

/* Nothing is lost by waiting only while the one in force is of use. */
static bool prefilter_too_early(const struct prefilter_watch *watch,
                                const struct worker_prefilter *next)
{
    const struct worker_prefilter *current = atomic_load(&watch->orders->prefilter);

    return current != NULL && prefilter_speaks(watch, current, true) &&
           !prefilter_speaks(watch, next, false);
}

static void prefilter_use(struct prefilter_watch *watch, struct worker_prefilter *made)
{
    prefilter_publish(watch, made);
    prefilter_say(watch->config->prefilter.file, made->prefilter.header);
}

static void prefilter_load(struct prefilter_watch *watch)
{
    const char *file = watch->config->prefilter.file;
    struct worker_prefilter *made = calloc(1, sizeof(*made));
    struct why why = {""};
    enum status status = STATUS_NO_MEMORY;

    if (made != NULL)
        status = prefilter_open(&made->prefilter, file, &why);
    if (status == STATUS_OK) {
        made->generation = ++watch->generation;
        status = prefilter_make(watch, made);
        if (status == STATUS_OK) {
            prefilter_expect(watch, made);
            if (prefilter_too_early(watch, made)) {
                watch->held = made;
                fprintf(stderr,
                        "postern-dataplane: prefilter %s is for signatures that the scanners do "
                        "not have yet: the one in force stays until they do\n",
                        file);
            } else {
                prefilter_use(watch, made);
            }
            return;
        }
        prefilter_free(watch, made);
    } else {
        free(made);
    }
    notice("prefilter %s not used: %s%s%s", file, status_text(status), !why_empty(&why) ? ": " : "",
           why.text);
}

/* True when all workers have switched. */
static bool prefilter_switched(const struct prefilter_watch *watch)
{
    const struct worker_prefilter *current = atomic_load(&watch->orders->prefilter);
    uint32_t generation = current == NULL ? 0 : current->generation;

    for (unsigned i = 0; i < watch->worker_count; i++) {
        if (atomic_load_explicit(&watch->workers[i].prefilter_seen, memory_order_acquire) !=
            generation)
            return false;
    }
    return true;
}

void prefilter_watch_poll(struct prefilter_watch *watch, int64_t now_ns)
{
    struct stat file;

    if (now_ns < watch->look_ns || !watch->config->prefilter.enabled)
        return;
    watch->look_ns = now_ns + PREFILTER_LOOK_NS;
    if (watch->retired != NULL) {
        if (!prefilter_switched(watch))
            return; /* one change at a time */
        prefilter_free(watch, watch->retired);
        watch->retired = NULL;
    }
    if (watch->held != NULL && !prefilter_too_early(watch, watch->held)) {
        prefilter_use(watch, watch->held);
        watch->held = NULL;
        return;
    }
    if (stat(watch->config->prefilter.file, &file) != 0) {
        if (atomic_load(&watch->orders->prefilter) != NULL) {
            notice("prefilter %s has gone: every message is scanned",
                   watch->config->prefilter.file);
            prefilter_publish(watch, NULL);
        }
        prefilter_free(watch, watch->held);
        watch->held = NULL;
        watch->number = 0;
        return;
    }
    if (file.st_ino == watch->number && file.st_mtim.tv_sec == watch->modified.tv_sec &&
        file.st_mtim.tv_nsec == watch->modified.tv_nsec)
        return;
    watch->number = file.st_ino;
    watch->modified = file.st_mtim;
    prefilter_free(watch, watch->held);
    watch->held = NULL;
    prefilter_load(watch);
}

void prefilter_watch_fini(struct prefilter_watch *watch)
{
    prefilter_free(watch, watch->retired);
    prefilter_free(watch, watch->held);
    if (watch->orders != NULL) {
        prefilter_free(watch, atomic_load(&watch->orders->prefilter));
        cache_destroy(watch->orders->cache);
    }
}
