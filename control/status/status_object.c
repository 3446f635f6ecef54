#include "control/status/status_object.h"

#include <endian.h>
#include <jansson.h>
#include <stdio.h>

#include "platform/clock.h"

static json_t *status_worker(const struct region *region, uint32_t worker)
{
    json_t *object = json_object();

    (void)json_object_set_new(object, "worker", json_integer(worker));
    for (unsigned c = 0; c < COUNTER_COUNT; c++)
        (void)json_object_set_new(object, counter_name(c),
                                  json_integer((json_int_t)region_counter(region, worker, c)));
    return object;
}

/* Joins one more row's times to `all`. */
static void status_add_times(struct histogram_row *all, const struct histogram_row *row)
{
    for (unsigned b = 0; b < HISTOGRAM_BUCKETS; b++)
        all->count[b] += region_cell(&row->count[b]);
    all->sum_ns += region_cell(&row->sum_ns);
}

static json_t *status_histogram(const struct histogram_row *times)
{
    json_t *object = json_object();
    json_t *bounds = json_array();
    json_t *counts = json_array();
    uint64_t all = 0;

    for (unsigned b = 0; b < HISTOGRAM_BUCKETS; b++) {
        (void)json_array_append_new(counts, json_integer((json_int_t)times->count[b]));
        if (b < HISTOGRAM_BUCKETS - 1)
            (void)json_array_append_new(
                bounds, json_real((double)histogram_bounds_ns[b] / (double)CLOCK_NS_PER_SECOND));
        all += times->count[b];
    }
    (void)json_object_set_new(object, "unit", json_string("seconds"));
    (void)json_object_set_new(object, "count", json_integer((json_int_t)all));
    (void)json_object_set_new(object, "sum",
                              json_real((double)times->sum_ns / (double)CLOCK_NS_PER_SECOND));
    (void)json_object_set_new(object, "bounds", bounds);
    (void)json_object_set_new(object, "counts", counts);
    return object;
}

static void status_add_workers_times(json_t *histograms, const struct region *region)
{
    const struct counter_set *set = counter_set(ROW_WORKER);

    for (unsigned h = 0; h < set->time_count; h++) {
        struct histogram_row all = {0};

        for (uint32_t w = 0; w < region->header.worker_count; w++)
            status_add_times(&all, &region_counters(region, w)->times[h]);
        (void)json_object_set_new(histograms, set->times[h].name, status_histogram(&all));
    }
}

static json_t *status_sums(enum row_kind kind)
{
    json_t *object = json_object();

    for (const struct counter_sum *sum = counter_set(kind)->sums; sum->what != NULL; sum++)
        (void)json_object_set_new(object, sum->what, json_pack("[s, s]", sum->left, sum->right));
    return object;
}

static void status_add_counters(json_t *to, const struct region *region)
{
    const struct counter_set *set = counter_set(ROW_WORKER);
    json_t *counters = json_object();
    json_t *gauges = json_object();
    json_t *workers = json_array();

    for (unsigned c = 0; c < set->count; c++) {
        uint64_t all = region_counter(region, 0, c);

        for (uint32_t w = 1; w < region->header.worker_count; w++)
            all = counter_join(&set->abouts[c], all, region_counter(region, w, c));
        (void)json_object_set_new(counters, counter_name(c), json_integer((json_int_t)all));
        if (counter_about(c)->kind == COUNTER_KIND_GAUGE)
            (void)json_object_set_new(gauges, counter_name(c), json_integer((json_int_t)all));
    }
    for (uint32_t w = 0; w < region->header.worker_count; w++)
        (void)json_array_append_new(workers, status_worker(region, w));
    (void)json_object_set_new(to, "counters", counters);
    (void)json_object_set_new(to, "gauges", gauges);
    (void)json_object_set_new(to, "workers", workers);
    (void)json_object_set_new(to, "sums", status_sums(ROW_WORKER));
}

static void status_add_values(json_t *to, const struct counter_set *set, const uint64_t *values)
{
    for (unsigned c = 0; c < set->count; c++)
        (void)json_object_set_new(to, set->abouts[c].name, json_integer((json_int_t)values[c]));
}

/* A scanner's place, what is there, and what it has counted. The texts are shared memory's. */
static json_t *status_scanner(const struct region_peer *peer, uint32_t slot,
                              const struct peer_row *row)
{
    char state[REGION_STATE_BYTES];
    char engine[REGION_ENGINE_BYTES];
    char signatures[20] = "";
    json_t *object;

    (void)snprintf(state, sizeof(state), "%.*s", (int)sizeof(peer->state) - 1, peer->state);
    (void)snprintf(engine, sizeof(engine), "%.*s", (int)sizeof(peer->engine) - 1, peer->engine);
    if (peer->signatures != 0)
        (void)snprintf(signatures, sizeof(signatures), "%016llx",
                       (unsigned long long)be64toh(peer->signatures));
    object = json_pack("{s:I, s:s, s:s, s:s}", "scanner", (json_int_t)slot, "state", state,
                       "engine", engine, "database", signatures);
    status_add_values(object, counter_set(ROW_SCANNER), row->value);
    return object;
}

/* The rows of one kind together: slots first..first + count - 1; each by itself into `rows`, if
 * that is not null. */
static void status_add_peers(json_t *totals, json_t *rows, json_t *histograms,
                             const struct region *region, enum row_kind kind, uint32_t first,
                             uint32_t count)
{
    const struct counter_set *set = counter_set(kind);
    struct peer_row all = {0};

    for (uint32_t slot = first; slot < first + count; slot++) {
        const struct region_peer *peer = region_peer(region, slot);
        struct peer_row row;

        if (__atomic_load_n(&peer->lives, __ATOMIC_ACQUIRE) == 0)
            continue;
        row_read(&row, &peer->row);
        row_join(&all, &row);
        if (rows != NULL)
            (void)json_array_append_new(rows, status_scanner(peer, slot, &row));
    }
    status_add_values(totals, set, all.value);
    (void)json_object_set_new(histograms, set->times[0].name, status_histogram(&all.time));
}

/* What is to be equal, for whoever checks: {"what": ["workers' names", "whose", "names"]}. */
static json_t *status_books(void)
{
    json_t *object = json_object();

    for (const struct counter_book *book = counter_books; book->what != NULL; book++)
        (void)json_object_set_new(
            object, book->what,
            json_pack("[s, s, s]", book->workers, counter_set(book->kind)->name, book->others));
    return object;
}

static void status_add_rows(json_t *to, const struct region *region)
{
    uint32_t peers = region->header.peer_count;
    json_t *histograms = json_object();

    status_add_counters(to, region);
    status_add_workers_times(histograms, region);
    if (peers > 0) {
        json_t *scanners = json_array();
        json_t *of_scanners = json_object();
        json_t *of_control = json_object();

        status_add_peers(of_scanners, scanners, histograms, region, ROW_SCANNER, 0, peers - 1);
        status_add_peers(of_control, NULL, histograms, region, ROW_CONTROL, peers - 1, 1);
        (void)json_object_set_new(to, "scanners", scanners);
        (void)json_object_set_new(to, "scanner_counters", of_scanners);
        (void)json_object_set_new(to, "scanner_sums", status_sums(ROW_SCANNER));
        (void)json_object_set_new(to, "control_counters", of_control);
        (void)json_object_set_new(to, "control_sums", status_sums(ROW_CONTROL));
        (void)json_object_set_new(to, "books", status_books());
    }
    (void)json_object_set_new(to, "histograms", histograms);
}

static json_t *status_dataplane(const struct dataplane *dataplane)
{
    bool linked = dataplane->state == DATAPLANE_LINKED;
    json_t *object = json_object();

    (void)json_object_set_new(object, "linked", json_boolean(linked));
    if (linked) {
        const struct region_header *header = &dataplane->hold->region.header;

        (void)json_object_set_new(
            object, "started",
            json_integer((json_int_t)(header->started_wall_ns / CLOCK_NS_PER_SECOND)));
        (void)json_object_set_new(object, "hugepages", json_boolean(header->hugepages == 1));
        (void)json_object_set_new(object, "jobs_refused",
                                  json_integer((json_int_t)dataplane->refused));
        (void)json_object_set_new(object, "workers", json_integer(header->worker_count));
    }
    return object;
}

static json_t *status_servers(const struct route *route)
{
    json_t *servers = json_array();

    for (unsigned i = 0; i < route->server_count; i++) {
        const struct server *server = &route->servers[i];

        (void)json_array_append_new(servers,
                                    json_pack("{s:s, s:i, s:b, s:i}", "host", server->host, "port",
                                              (int)server->port, "down", (int)server->down,
                                              "failures", (int)server->failures));
    }
    return servers;
}

static json_t *status_route(const struct route *route)
{
    const struct server *first = &route->servers[0];
    const struct route_counts *counts = &route->counts;
    json_t *object = json_pack("{s:s, s:s, s:i, s:i, s:i, s:i, s:b, s:s}", "customer",
                               route->customer, "host", first->host, "port", (int)first->port,
                               "connections_open", (int)route->connection_count, "in_flight",
                               (int)route_in_flight(route), "waiting", (int)route->waiting.count,
                               "down", (int)route_down(route), "last_error", route->last_error);
    const struct {
        const char *name;
        uint64_t value;
    } values[] = {
        {"delivered", counts->delivered}, {"temporary", counts->temporary},
        {"permanent", counts->permanent}, {"unreachable", counts->unreachable},
        {"refused", counts->refused},     {"in_doubt", counts->in_doubt},
        {"about_us", counts->about_us},
    };

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        (void)json_object_set_new(object, values[i].name,
                                  json_integer((json_int_t)values[i].value));
    (void)json_object_set_new(object, "servers", status_servers(route));
    return object;
}

static void status_add_configuration(json_t *to, const struct feed_view *view)
{
    json_t *programs = json_array();
    char digest[20];

    (void)snprintf(digest, sizeof(digest), "%016llx", (unsigned long long)view->digest);
    for (uint32_t i = 0; i < view->count; i++) {
        const struct feed_line *line = &view->lines[i];

        (void)json_array_append_new(
            programs, json_pack("{s:s, s:I, s:I, s:I, s:s}", "program", line->name, "configuration",
                                (json_int_t)line->answer.number, "oldest_in_use",
                                (json_int_t)line->answer.oldest, "refused",
                                (json_int_t)line->answer.refused, "why", line->answer.why));
    }
    (void)json_object_set_new(
        to, "configuration",
        json_pack("{s:I, s:s}", "number", (json_int_t)view->number, "digest", digest));
    (void)json_object_set_new(to, "programs", programs);
}

char *status_object_text(const struct dataplane *dataplane, const struct relay *relay,
                         const struct feed_view *view, double uptime_seconds)
{
    json_t *object = json_object();
    json_t *routes = json_array();
    char *text;

    (void)json_object_set_new(object, "version", json_string(POSTERN_VERSION));
    (void)json_object_set_new(object, "uptime", json_real(uptime_seconds));
    (void)json_object_set_new(object, "dataplane", status_dataplane(dataplane));
    if (dataplane->state == DATAPLANE_LINKED)
        status_add_rows(object, &dataplane->hold->region);
    for (const struct route *r = relay->routes; r != NULL; r = r->next)
        (void)json_array_append_new(routes, status_route(r));
    (void)json_object_set_new(object, "routes", routes);
    if (view->number != 0)
        status_add_configuration(object, view);
    text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    return text;
}
