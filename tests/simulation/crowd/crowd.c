/* A run: set-up, events, what always has to hold. */
#include "crowd.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/check.h"

#define CROWD_START_NS   (1000 * CROWD_SECOND)
#define CROWD_TICK_NS    CROWD_MS
#define CROWD_LOOK_TICKS 100u /* at all senders */
#define CROWD_SLACK_NS   (2 * CROWD_SECOND)
#define CROWD_LAST_NS    (700 * CROWD_SECOND) /* after the end, for everything to be back */
#define CROWD_WINDOW     131072u

static char crowd_domains[CROWD_CUSTOMERS_MAX][1][CONFIG_NAME_BYTES];

void crowd_fail(struct crowd *crowd, const char *format, ...)
{
    va_list arguments;

    if (crowd->failed)
        return;
    crowd->failed = true;
    printf("FAILED seed %" PRIu64 " (%s) at %.6f s: ", crowd->seed, crowd->what,
           (double)(crowd->now_ns - CROWD_START_NS) / 1e9);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
}

void crowd_trace(const struct crowd *crowd, const char *format, ...)
{
    va_list arguments;

    if (!crowd->trace)
        return;
    printf("%10.6f ", (double)(crowd->now_ns - CROWD_START_NS) / 1e9);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
}

/* -- set-up ------------------------------------------------------------------------------------ */

/* As at the defaults (platform/config/schema.c), but for what the plan says. */
static void crowd_configure(struct crowd *crowd)
{
    struct config *config = &crowd->config;
    const struct crowd_plan *plan = &crowd->plan;
    enum status status;

    memset(config, 0, sizeof(*config));
    (void)snprintf(config->hostname, sizeof(config->hostname), "mx.example.com");
    (void)snprintf(config->postmaster, sizeof(config->postmaster), "postmaster@customer0.example");
    config->limits.message_bytes = plan->message_bytes;
    config->limits.recipients = 1000;
    config->limits.connections = 10000;
    config->limits.connections_a_client = 1000;
    config->limits.connections_a_prefix = 5000;
    config->limits.connection_rate = 2000;
    config->limits.data_rate = 128;
    config->limits.messages_in_progress = plan->slots * plan->workers;
    config->limits.bad_commands = 20;
    config->limits.received_fields = 100;
    config->limits.window_bytes = CROWD_WINDOW;
    config->limits.admission_wait_ns = plan->admission_wait_ns;
    config->limits.command_timeout_ns = 300 * CROWD_SECOND;
    config->limits.data_timeout_ns = 180 * CROWD_SECOND;
    config->limits.verdict_timeout_ns = plan->verdict_timeout_ns;
    config->scanner.time_limit_ns = 30 * CROWD_SECOND;
    for (uint32_t i = 0; i < plan->customers; i++) {
        struct config_customer *customer = &crowd->customers[i];

        (void)snprintf(crowd_domains[i][0], sizeof(crowd_domains[i][0]), "customer%u.example", i);
        *customer = (struct config_customer){
            .domain_count = 1, .domains = crowd_domains[i], .any_recipient = true};
        (void)snprintf(customer->name, sizeof(customer->name), "customer%u", i);
    }
    config->customer_count = plan->customers;
    config->customers = crowd->customers;
    status = smtp_customers_create(config, &crowd->served);
    CHECK(status == STATUS_OK);
}

void crowd_init(struct crowd *crowd)
{
    struct region_plan plan = {crowd->plan.workers, crowd->plan.workers * crowd->plan.slots,
                               crowd->plan.workers * crowd->plan.blocks};
    enum status status = region_create(&crowd->region, &plan, REGION_PAGES_NORMAL);

    CHECK(status == STATUS_OK);
    crowd->now_ns = CROWD_START_NS;
    crowd->plan.end_ns += CROWD_START_NS;
    crowd_configure(crowd);
    status = peers_init(&crowd->peers, crowd->plan.workers, crowd->plan.scanners);
    CHECK(status == STATUS_OK);
    for (uint32_t i = 0; i < crowd->plan.workers; i++)
        worker_init(crowd, i);
    peers_begin(crowd);
    crowd->last_port = 1023;
    events_add(&crowd->events, crowd->now_ns + CROWD_TICK_NS, EVENT_TICK, 0, NULL);
}

struct client *crowd_client(struct crowd *crowd, const struct client_plan *plan)
{
    struct client *client;

    if (crowd->client_count == crowd->client_capacity) {
        crowd->client_capacity = crowd->client_capacity > 0 ? 2 * crowd->client_capacity : 256;
        crowd->clients = realloc(crowd->clients, crowd->client_capacity * sizeof(*crowd->clients));
        CHECK(crowd->clients != NULL);
    }
    client = &crowd->clients[crowd->client_count];
    *client = (struct client){.plan = *plan, .crowd = crowd, .index = crowd->client_count};
    client->worker = crowd->client_count++ % crowd->plan.workers;
    client->plan.start_ns += CROWD_START_NS;
    crowd->clients_left++;
    events_add(&crowd->events, client->plan.start_ns, EVENT_START, client->index, NULL);
    return client;
}

void crowd_fini(struct crowd *crowd)
{
    for (uint32_t i = 0; i < crowd->plan.workers; i++)
        worker_fini(&crowd->workers[i]);
    peers_end(crowd);
    peers_fini(&crowd->peers);
    smtp_customers_free(crowd->served);
    region_close(&crowd->region);
    events_fini(&crowd->events);
    free(crowd->clients);
}

/* -- what has to hold all the time ------------------------------------------------------------- */

void crowd_live(struct crowd *crowd, const struct client *client, bool begins, bool completed)
{
    struct crowd_worker *worker = &crowd->workers[client->worker];

    if (client->data_ns == 0 || client->plan.holds || client->plan.mute ||
        crowd->plan.customer[client->plan.customer].hangs)
        return;
    if (begins && worker->live++ == 0)
        worker->progress_ns = crowd->now_ns;
    if (!begins)
        worker->live--;
    if (completed)
        worker->progress_ns = crowd->now_ns;
}

/* As long as a message is being sent by somebody alive, some message completes in time, at each
 * worker: no other's memory helps it. */
static void crowd_look_progress(struct crowd *crowd, struct crowd_worker *worker)
{
    int64_t since_ns;

    /* Whoever still sends when there is no message has been refused, and hears it at its dot. */
    if (worker->live == 0 || worker->store.free_slot_count == worker->store.slot_count)
        worker->progress_ns = crowd->now_ns;
    if (crowd->ending)
        return;
    since_ns = crowd->now_ns - worker->progress_ns;
    if (since_ns > crowd->longest_ns)
        crowd->longest_ns = since_ns;
    if (crowd->patience_ns > 0 && since_ns > crowd->patience_ns)
        crowd_fail(crowd, "worker %u: %u are sending, and no message has completed for %.3f s",
                   worker->number, worker->live, (double)since_ns / 1e9);
}

/* Nobody waits for longer than it was promised: for room, and for the verdict. */
static void crowd_look_late(struct crowd *crowd, const struct client *client)
{
    const struct config *config = &crowd->config;
    int64_t room_ns = config->limits.admission_wait_ns + CROWD_SLACK_NS;
    int64_t verdict_ns =
        config->limits.verdict_timeout_ns + config->scanner.time_limit_ns * 3 / 2 + CROWD_SLACK_NS;

    if (client->state != CLIENT_OPEN || client->data_ns == 0)
        return;
    if (client->go_ns == 0 && client->taken_ns != 0 && crowd->now_ns - client->taken_ns > room_ns)
        crowd_fail(crowd, "client %u has waited for 354 for %.3f s", client->index,
                   (double)(crowd->now_ns - client->taken_ns) / 1e9);
    if (client->dot_ns != 0 && !client->plan.mute && crowd->now_ns - client->dot_ns > verdict_ns)
        crowd_fail(crowd, "client %u has waited for its verdict for %.3f s", client->index,
                   (double)(crowd->now_ns - client->dot_ns) / 1e9);
}

/* -- events ------------------------------------------------------------------------------------ */

/* Who holds out for ever is sent home at the end. */
static void crowd_end(struct crowd *crowd)
{
    crowd->ending = true;
    for (uint32_t i = 0; i < crowd->client_count; i++)
        client_leave(&crowd->clients[i]);
}

static void crowd_tick(struct crowd *crowd, uint32_t number)
{
    for (uint32_t i = 0; i < crowd->plan.workers; i++)
        worker_tick(&crowd->workers[i]);
    peers_act(crowd);
    if (number % CROWD_LOOK_TICKS == 0) {
        for (uint32_t i = 0; i < crowd->plan.workers; i++)
            crowd_look_progress(crowd, &crowd->workers[i]);
        for (uint32_t i = 0; i < crowd->client_count && !crowd->failed; i++)
            crowd_look_late(crowd, &crowd->clients[i]);
    }
    if (!crowd->ending && crowd->now_ns >= crowd->plan.end_ns)
        crowd_end(crowd);
    events_add(&crowd->events, crowd->now_ns + CROWD_TICK_NS, EVENT_TICK, number + 1, NULL);
}

static void crowd_event(struct crowd *crowd, const struct event *event)
{
    switch (event->kind) {
    case EVENT_START:
        if (!crowd->ending)
            client_start(&crowd->clients[event->subject]);
        break;
    case EVENT_AT_SERVER:
        worker_receive(&crowd->workers[crowd->clients[event->subject].worker], event->frame);
        break;
    case EVENT_AT_PEER:
        client_input(&crowd->clients[event->subject], event->frame);
        free(event->frame);
        break;
    case EVENT_POLL:
        worker_poll(&crowd->workers[event->subject]);
        break;
    case EVENT_TICK:
        crowd_tick(crowd, event->subject);
        break;
    case EVENT_PEER:
        client_timer(&crowd->clients[event->subject]);
        break;
    default:
        CHECK(false);
    }
}

static bool crowd_over(const struct crowd *crowd)
{
    if (crowd->clients_left > 0)
        return false;
    for (uint32_t i = 0; i < crowd->plan.workers; i++) {
        const struct crowd_worker *worker = &crowd->workers[i];

        if (worker->store.free_count != worker->store.block_count ||
            worker->store.free_slot_count != worker->store.slot_count ||
            worker->endpoint.connection_count > worker->endpoint.time_wait.count)
            return false;
    }
    return true;
}

void crowd_run(struct crowd *crowd)
{
    struct event event;

    while (!crowd->failed && !crowd_over(crowd) && events_take(&crowd->events, &event)) {
        CHECK(event.at_ns >= crowd->now_ns);
        crowd->now_ns = event.at_ns;
        crowd_event(crowd, &event);
        if (crowd->now_ns > crowd->plan.end_ns + CROWD_LAST_NS)
            break;
    }
    for (uint32_t i = 0; i < crowd->plan.workers && !crowd->failed; i++)
        worker_check_end(&crowd->workers[i]);
}
