#include "control/status/status_object.h"

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

/* Of all workers together. */
static json_t *status_histogram(const struct region *region, uint32_t worker_count,
                                enum histogram histogram)
{
    json_t *object = json_object();
    json_t *bounds = json_array();
    json_t *counts = json_array();
    double seconds = 0;
    uint64_t all = 0;

    for (uint32_t w = 0; w < worker_count; w++)
        seconds += (double)region_cell(&region_counters(region, w)->times[histogram].sum_ns) /
                   (double)CLOCK_NS_PER_SECOND;
    for (unsigned b = 0; b < HISTOGRAM_BUCKETS; b++) {
        uint64_t count = 0;

        for (uint32_t w = 0; w < worker_count; w++)
            count += region_cell(&region_counters(region, w)->times[histogram].count[b]);
        (void)json_array_append_new(counts, json_integer((json_int_t)count));
        if (b < HISTOGRAM_BUCKETS - 1)
            (void)json_array_append_new(
                bounds, json_real((double)histogram_bounds_ns[b] / (double)CLOCK_NS_PER_SECOND));
        all += count;
    }
    (void)json_object_set_new(object, "unit", json_string("seconds"));
    (void)json_object_set_new(object, "count", json_integer((json_int_t)all));
    (void)json_object_set_new(object, "sum", json_real(seconds));
    (void)json_object_set_new(object, "bounds", bounds);
    (void)json_object_set_new(object, "counts", counts);
    return object;
}

static json_t *status_histograms(const struct region *region, uint32_t worker_count)
{
    json_t *object = json_object();

    for (unsigned h = 0; h < HISTOGRAM_COUNT; h++)
        (void)json_object_set_new(object, histogram_about(h)->name,
                                  status_histogram(region, worker_count, h));
    return object;
}

static void status_add_counters(json_t *to, const struct region *region, uint32_t worker_count)
{
    json_t *counters = json_object();
    json_t *gauges = json_object();
    json_t *workers = json_array();
    json_t *sums = json_object();

    for (unsigned c = 0; c < COUNTER_COUNT; c++) {
        uint64_t all = 0;

        for (uint32_t w = 0; w < worker_count; w++) {
            uint64_t value = region_counter(region, w, c);

            all = w == 0 ? value : counter_over(c, all, value);
        }
        (void)json_object_set_new(counters, counter_name(c), json_integer((json_int_t)all));
        if (counter_about(c)->kind == COUNTER_KIND_GAUGE)
            (void)json_object_set_new(gauges, counter_name(c), json_integer((json_int_t)all));
    }
    for (uint32_t w = 0; w < worker_count; w++)
        (void)json_array_append_new(workers, status_worker(region, w));
    for (const struct counter_sum *sum = counter_sums; sum->what != NULL; sum++)
        (void)json_object_set_new(sums, sum->what, json_pack("[s, s]", sum->left, sum->right));
    (void)json_object_set_new(to, "counters", counters);
    (void)json_object_set_new(to, "gauges", gauges);
    (void)json_object_set_new(to, "histograms", status_histograms(region, worker_count));
    (void)json_object_set_new(to, "workers", workers);
    (void)json_object_set_new(to, "sums", sums);
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
        status_add_counters(object, &dataplane->hold->region, dataplane->worker_count);
    for (const struct route *r = relay->routes; r != NULL; r = r->next)
        (void)json_array_append_new(routes, status_route(r));
    (void)json_object_set_new(object, "routes", routes);
    if (view->number != 0)
        status_add_configuration(object, view);
    text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    return text;
}
