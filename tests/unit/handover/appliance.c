#include "tests/unit/handover/appliance.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "platform/log/notice.h"

static unsigned open_descriptors(void)
{
    DIR *entries = opendir("/proc/self/fd");
    unsigned count = 0;

    assert_non_null(entries);
    while (readdir(entries) != NULL)
        count++;
    (void)closedir(entries);
    return count;
}

static void configure(struct appliance *appliance)
{
    static char domains[APPLIANCE_CUSTOMERS][CONFIG_NAME_BYTES] = {
        "defer.example", "reject.example", "deliver.example"};
    static const enum config_policy policies[APPLIANCE_CUSTOMERS] = {
        CONFIG_POLICY_DEFER, CONFIG_POLICY_REJECT, CONFIG_POLICY_DELIVER};
    struct config *config = &appliance->config;

    (void)snprintf(config->hostname, sizeof(config->hostname), "mx.example.com");
    (void)snprintf(config->postmaster, sizeof(config->postmaster), "postmaster@defer.example");
    config->limits.message_bytes = 10000;
    config->limits.recipients = 10;
    config->limits.bad_commands = 5;
    config->limits.received_fields = 4;
    config->limits.command_timeout_ns = 300 * INT64_C(1000000000);
    config->limits.data_timeout_ns = 180 * INT64_C(1000000000);
    config->limits.data_rate = 128;
    config->limits.verdict_timeout_ns = VERDICT_LIMIT_NS;
    config->scanner.time_limit_ns = SCAN_LIMIT_NS;
    for (unsigned i = 0; i < APPLIANCE_CUSTOMERS; i++) {
        struct config_customer *customer = &appliance->customers[i];

        (void)snprintf(customer->name, sizeof(customer->name), "customer%u", i);
        if (i >= 3)
            (void)snprintf(domains[i], sizeof(domains[i]), "other%u.example", i);
        customer->domain_count = 1;
        customer->domains = &domains[i];
        customer->any_recipient = true;
        for (unsigned reason = 0; reason < CONFIG_REASONS; reason++)
            customer->unscannable[reason] = policies[i];
    }
    config->customer_count = APPLIANCE_CUSTOMERS;
    config->customers = appliance->customers;
}

static void worker_init(struct appliance *appliance, uint32_t number)
{
    struct appliance_worker *worker = &appliance->workers[number];

    assert_int_equal(store_init(&worker->store, &appliance->region, number,
                                number * APPLIANCE_BLOCKS, APPLIANCE_BLOCKS,
                                number * APPLIANCE_SLOTS, APPLIANCE_SLOTS),
                     STATUS_OK);
    worker->log_memory = aligned_alloc(RING_ALIGNMENT, log_rings_bytes());
    assert_non_null(worker->log_memory);
    log_rings_attach(&worker->log_producer, worker->log_memory);
    log_rings_attach(&worker->log_consumer, worker->log_memory);
    worker->endpoint.store = &worker->store;
    worker->endpoint.now_ns = &appliance->now_ns;
    worker->smtp = (struct smtp_server){
        .store = &worker->store,
        .endpoint = &worker->endpoint,
        .counters = region_counters(&appliance->region, number),
        .customers = appliance->table,
        .worker = number,
        .id_prefix = "7A001B",
    };
    assert_int_equal(handover_init(&worker->handover, &worker->store, &worker->smtp,
                                   &worker->endpoint, worker->smtp.counters, &appliance->peers,
                                   &worker->log_producer, number, &appliance->config),
                     STATUS_OK);
    smtp_server_application(&worker->smtp, &worker->mail.application);
    stream_listener_init(&worker->mail);
    worker->endpoint.application = &worker->mail.below;
}

int appliance_set_up(void **state)
{
    static struct appliance appliance;
    struct region_plan plan = {APPLIANCE_WORKERS, APPLIANCE_WORKERS * APPLIANCE_SLOTS,
                               APPLIANCE_WORKERS * APPLIANCE_BLOCKS, APPLIANCE_SCANNERS + 1};

    memset(&appliance, 0, sizeof(appliance));
    notice_open("appliance"); /* holds a descriptor from its first line on */
    appliance.descriptors = open_descriptors();
    appliance.now_ns = 1000 * INT64_C(1000000000);
    (void)snprintf(appliance.directory, sizeof(appliance.directory), "/tmp/postern-XXXXXX");
    assert_non_null(mkdtemp(appliance.directory));
    assert_int_equal(chmod(appliance.directory, 0755), 0);
    (void)snprintf(appliance.path, sizeof(appliance.path), "%s/dataplane.sock",
                   appliance.directory);
    configure(&appliance);
    assert_int_equal(region_create(&appliance.region, &plan, REGION_PAGES_NORMAL), STATUS_OK);
    assert_int_equal(smtp_customers_create(&appliance.config, &appliance.table), STATUS_OK);
    assert_int_equal(peers_init(&appliance.peers, APPLIANCE_WORKERS, APPLIANCE_SCANNERS),
                     STATUS_OK);
    for (uint32_t i = 0; i < APPLIANCE_WORKERS; i++)
        worker_init(&appliance, i);
    assert_int_equal(peers_server_create(&appliance.server, &appliance.peers, &appliance.region,
                                         appliance.path, 65534, 65534),
                     STATUS_OK);
    *state = &appliance;
    return 0;
}

static void read_log(struct appliance_worker *worker)
{
    struct log_record record;

    while (ring_pop(&worker->log_consumer.mail, &record) == STATUS_OK) {
        if (record.kind != LOG_MESSAGE)
            continue;
        worker->last = record;
        worker->concluded++;
    }
}

static void worker_balance(struct appliance *appliance, uint32_t number)
{
    struct appliance_worker *worker = &appliance->workers[number];
    struct region_counters *counters = region_counters(&appliance->region, number);
    uint64_t outcomes = 0;

    assert_int_equal(handover_pending(&worker->handover), 0);
    assert_int_equal(worker->store.free_count, APPLIANCE_BLOCKS);
    assert_int_equal(worker->store.free_slot_count, APPLIANCE_SLOTS);
    for (int i = COUNTER_MESSAGE_DELIVERED; i <= COUNTER_MESSAGE_ABANDONED; i++)
        outcomes += region_cell(&counters->value[i]);
    assert_int_equal(region_cell(&counters->value[COUNTER_MESSAGE_STARTED]), outcomes);
    read_log(worker);
    assert_int_equal(worker->concluded + region_cell(&counters->value[COUNTER_LOG_LOST]), outcomes);
    for (uint32_t i = 0; i < appliance->peers.slot_count; i++)
        assert_int_equal(worker->handover.slots[i].outstanding, 0);
}

int appliance_tear_down(void **state)
{
    struct appliance *appliance = *state;

    for (unsigned i = 0; i < APPLIANCE_PEERS; i++) {
        if (appliance->attached[i] != NULL)
            appliance_lose(appliance, appliance->attached[i]);
    }
    for (uint32_t i = 0; i < APPLIANCE_WORKERS; i++) {
        struct tcp_endpoint *endpoint = &appliance->workers[i].endpoint;

        appliance->workers[i].asleep = false;
        for (uint32_t j = 0; j < SENDERS_MAX; j++) {
            if (endpoint->connections[j].generation != 0)
                sender_close(&endpoint->connections[j]);
        }
    }
    appliance_settle(appliance);
    for (uint32_t i = 0; i < APPLIANCE_WORKERS; i++)
        worker_balance(appliance, i);
    for (uint32_t slot = 0; slot < appliance->peers.slot_count; slot++) {
        assert_int_equal(appliance_state(appliance, slot), PEER_ABSENT);
        assert_null(appliance->peers.slots[slot].memory.base);
    }
    peers_server_free(appliance->server);
    for (uint32_t i = 0; i < APPLIANCE_WORKERS; i++) {
        handover_fini(&appliance->workers[i].handover);
        store_fini(&appliance->workers[i].store);
        free(appliance->workers[i].log_memory);
    }
    peers_fini(&appliance->peers);
    smtp_customers_free(appliance->table);
    region_close(&appliance->region);
    assert_int_equal(open_descriptors(), appliance->descriptors);
    assert_int_equal(unlink(appliance->path), 0);
    assert_int_equal(rmdir(appliance->directory), 0);
    return 0;
}

static void attach(struct appliance *appliance, struct peer *peer)
{
    for (unsigned i = 0; i < APPLIANCE_PEERS; i++) {
        if (appliance->attached[i] == NULL) {
            appliance->attached[i] = peer;
            appliance_settle(appliance);
            return;
        }
    }
    fail_msg("too many peers");
}

void appliance_scanners(struct appliance *appliance, struct peer *peer, uint32_t slots)
{
    peer_connect(peer, appliance->path, LINK_KIND_SCANNER, slots, 0);
    attach(appliance, peer);
}

void appliance_candidates(struct appliance *appliance, struct peer *peer, uint32_t slots)
{
    peer_connect(peer, appliance->path, LINK_KIND_SCANNER, slots, LINK_FLAG_CANDIDATE);
    attach(appliance, peer);
}

void appliance_supervisor(struct appliance *appliance, struct peer *peer)
{
    peer_connect(peer, appliance->path, LINK_KIND_SUPERVISOR, 0, 0);
    attach(appliance, peer);
}

void appliance_control(struct appliance *appliance, struct peer *peer)
{
    peer_connect(peer, appliance->path, LINK_KIND_CONTROL, 1, 0);
    attach(appliance, peer);
}

void appliance_lose(struct appliance *appliance, struct peer *peer)
{
    for (unsigned i = 0; i < APPLIANCE_PEERS; i++) {
        if (appliance->attached[i] == peer)
            appliance->attached[i] = NULL;
    }
    peer_close(peer);
    appliance_settle(appliance);
}

void appliance_settle(struct appliance *appliance)
{
    for (unsigned turn = 0; turn < 8; turn++) {
        peers_server_poll(appliance->server, appliance->now_ns);
        for (unsigned i = 0; i < APPLIANCE_PEERS; i++) {
            if (appliance->attached[i] != NULL)
                peer_hear(appliance->attached[i]);
        }
        for (uint32_t i = 0; i < APPLIANCE_WORKERS; i++) {
            if (appliance->workers[i].asleep)
                continue;
            (void)handover_poll(&appliance->workers[i].handover, appliance->now_ns);
            (void)handover_sound(&appliance->workers[i].handover);
            (void)store_sound(&appliance->workers[i].store, NULL);
        }
    }
}

void appliance_advance(struct appliance *appliance, int64_t ns)
{
    appliance->now_ns += ns;
    appliance_settle(appliance);
}

const char *appliance_text(const char *domain)
{
    static char text[512];

    (void)snprintf(text, sizeof(text),
                   "MAIL FROM:<ann@client.example>\r\nRCPT TO:<bob@%s>\r\nDATA\r\n"
                   "Subject: a test\r\n\r\nThe body.\r\n.\r\n",
                   domain);
    return text;
}

struct tcp_connection *appliance_mail(struct appliance *appliance, uint32_t worker,
                                      const char *domain)
{
    struct tcp_connection *sender = sender_open(&appliance->workers[worker].endpoint);
    const char *heard;

    sender_say(sender, appliance_text(domain));
    heard = sender_heard(sender);
    assert_non_null(strstr(heard, "\r\n354 "));
    appliance_settle(appliance);
    return sender;
}

void appliance_expect(struct tcp_connection *sender, const char *start)
{
    const char *heard = sender_heard(sender);

    if (strncmp(heard, start, strlen(start)) != 0)
        fail_msg("heard \"%s\" where \"%s\" was expected", heard, start);
    assert_int_equal(strlen(heard), strcspn(heard, "\n") + 1);
}

void appliance_silent(struct tcp_connection *sender)
{
    assert_string_equal(sender_heard(sender), "");
}

uint64_t appliance_count(const struct appliance *appliance, enum counter counter)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < APPLIANCE_WORKERS; i++)
        sum += region_cell(&region_counters(&appliance->region, i)->value[counter]);
    return sum;
}

uint32_t appliance_messages_held(const struct appliance *appliance)
{
    uint32_t held = 0;

    for (uint32_t i = 0; i < APPLIANCE_WORKERS; i++)
        held += APPLIANCE_SLOTS - appliance->workers[i].store.free_slot_count;
    return held;
}

enum peer_state appliance_state(const struct appliance *appliance, uint32_t slot)
{
    return peer_state_of(atomic_load(&appliance->peers.slots[slot].life));
}

void appliance_read_logs(struct appliance *appliance)
{
    for (uint32_t i = 0; i < APPLIANCE_WORKERS; i++)
        read_log(&appliance->workers[i]);
}

const struct log_record *appliance_record(struct appliance *appliance)
{
    read_log(&appliance->workers[0]);
    return &appliance->workers[0].last;
}
