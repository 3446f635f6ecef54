/* postern-dataplane: start-up, the main thread's housekeeping, and the end.
 *
 * The main thread never touches a packet. Every few milliseconds it looks after the links to
 * scanners and control, writes the log, and acts on signals: HUP loads the configuration anew, TERM
 * and INT drain and end, a second TERM ends at once. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_ring.h>

#include "dataplane/log/format.h"
#include "dataplane/main/peers_server.h"
#include "dataplane/main/prefilter.h"
#include "dataplane/main/spread.h"
#include "dataplane/worker/worker.h"
#include "platform/check.h"
#include "platform/clock.h"
#include "platform/sandbox.h"

#define MAIN_TICK_NS        (2 * CLOCK_NS_PER_MS)
#define MAIN_DRAIN_LIMIT_NS (30 * CLOCK_NS_PER_SECOND)
#define MAIN_WHY_BYTES      512u
#define MAIN_LOG_BYTES      65536u
#define MAIN_MBUFS_MAX      8191u
#define MAIN_MBUFS_MIN      1023u

enum exit_code { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_CONFIG = 78 };

struct dataplane {
    struct config *start_config; /* ports, cores and memory are as they were at the start */
    struct core_map cores;
    struct eal_choice eal;
    struct region region;
    struct peers peers;
    struct peers_server *server;
    struct port ports[CONFIG_PORTS_MAX];
    unsigned ports_open;
    struct rte_mempool *pools[REGION_WORKERS_MAX];
    struct rte_ring *inboxes[REGION_WORKERS_MAX];
    struct rte_ring *outboxes[REGION_WORKERS_MAX];
    void *log_memory[REGION_WORKERS_MAX];
    struct ring logs[REGION_WORKERS_MAX]; /* consumer side */
    struct worker *workers;
    unsigned workers_made;
    struct worker_orders orders;
    struct spread_watch spread;
    struct worker_policy *retired; /* waits until no worker needs it */
    struct prefilter_watch prefilter;
    char why[MAIN_WHY_BYTES];
};

static volatile sig_atomic_t main_signal_hup;
static volatile sig_atomic_t main_signal_term;

static void main_on_signal(int number)
{
    if (number == SIGHUP)
        main_signal_hup = 1;
    else if (main_signal_term < 2)
        main_signal_term++;
}

static void main_catch_signals(void)
{
    struct sigaction action = {.sa_handler = main_on_signal, .sa_flags = SA_RESTART};

    sigaction(SIGHUP, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static void main_say(const char *format, const char *detail)
{
    fprintf(stderr, "postern-dataplane: ");
    fprintf(stderr, format, detail); // NOLINT: formats are literals of this file
    fprintf(stderr, "\n");
}

static struct worker_policy *policy_make(struct config *config, uint32_t generation)
{
    struct worker_policy *policy = calloc(1, sizeof(*policy));

    if (policy == NULL)
        return NULL;
    policy->generation = generation;
    policy->config = config;
    if (smtp_policy_create(config, &policy->policy) == STATUS_OK)
        return policy;
    free(policy);
    return NULL;
}

static void policy_free(const struct dataplane *dataplane, struct worker_policy *policy)
{
    if (policy == NULL)
        return;
    smtp_policy_free(policy->policy);
    if (policy->config != dataplane->start_config)
        config_free(policy->config);
    free(policy);
}

static enum status start_region(struct dataplane *dataplane)
{
    const struct config *config = dataplane->start_config;
    struct region_plan plan = {
        .worker_count = dataplane->cores.worker_count,
        .message_count = config->limits.messages_in_progress,
        .block_count = (uint32_t)(config->memory.messages_bytes / MESSAGE_BLOCK_BYTES),
    };
    enum region_pages pages = dataplane->eal.hugepages ? REGION_PAGES_HUGE : REGION_PAGES_NORMAL;
    enum status status;

    if (plan.message_count < plan.worker_count)
        plan.message_count = plan.worker_count;
    status = region_create(&dataplane->region, &plan, pages);
    if (status != STATUS_OK && pages == REGION_PAGES_HUGE &&
        config->memory.hugepages != CONFIG_HUGEPAGES_REQUIRED) {
        main_say("no hugepages left for %s: using normal pages", "messages");
        status = region_create(&dataplane->region, &plan, REGION_PAGES_NORMAL);
    }
    if (status != STATUS_OK)
        snprintf(dataplane->why, sizeof(dataplane->why),
                 "cannot have %llu MiB of memory for messages: %s; lower memory.messages",
                 (unsigned long long)(region_bytes(&plan) >> 20), status_text(status));
    return status;
}

static unsigned start_largest_mtu(const struct config *config)
{
    unsigned mtu = 0;

    for (unsigned i = 0; i < config->port_count; i++)
        mtu = config->ports[i].mtu > mtu ? config->ports[i].mtu : mtu;
    return mtu;
}

static enum status start_pools(struct dataplane *dataplane)
{
    const struct config *config = dataplane->start_config;
    unsigned workers = dataplane->cores.worker_count;
    unsigned mtu = start_largest_mtu(config);
    unsigned mbufs = MAIN_MBUFS_MAX;

    /* A quarter is left for queues, rings and DPDK's own. */
    while (mbufs > MAIN_MBUFS_MIN &&
           port_pool_bytes(mbufs, mtu) * workers > config->memory.packets_bytes / 4 * 3)
        mbufs /= 2;
    for (unsigned i = 0; i < workers; i++) {
        int node = (int)rte_lcore_to_socket_id(rte_lcore_id());

        dataplane->pools[i] =
            port_make_pool(i, mbufs, mtu, node, dataplane->why, sizeof(dataplane->why));
        if (dataplane->pools[i] == NULL)
            return STATUS_NO_MEMORY;
    }
    return STATUS_OK;
}

static enum status start_ports(struct dataplane *dataplane)
{
    for (unsigned i = 0; i < dataplane->start_config->port_count; i++) {
        enum status status = port_open(&dataplane->ports[i], dataplane->start_config, i,
                                       dataplane->cores.worker_count, dataplane->pools,
                                       dataplane->why, sizeof(dataplane->why));

        if (status != STATUS_OK)
            return status;
        dataplane->ports_open++;
    }
    return STATUS_OK;
}

static struct rte_ring *start_pass_ring(const char *kind, unsigned worker)
{
    char name[RTE_RING_NAMESIZE];

    snprintf(name, sizeof(name), "%s%u", kind, worker);
    return rte_ring_create(name, WORKER_PASS_RING, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
}

static enum status start_workers(struct dataplane *dataplane)
{
    struct worker_setup setup = {
        .config = dataplane->start_config,
        .region = &dataplane->region,
        .worker_count = dataplane->cores.worker_count,
        .ports = dataplane->ports,
        .pools = dataplane->pools,
        .inboxes = dataplane->inboxes,
        .outboxes = dataplane->outboxes,
        .peers = &dataplane->peers,
        .log_rings = dataplane->log_memory,
        .orders = &dataplane->orders,
    };
    size_t log_bytes = ring_bytes(LOG_RECORDS_A_RING, sizeof(struct log_record));

    snprintf(dataplane->why, sizeof(dataplane->why), "not enough memory for the workers");
    if (getrandom(&setup.secret, sizeof(setup.secret), 0) != (ssize_t)sizeof(setup.secret))
        return STATUS_SYSTEM;
    dataplane->workers = calloc(setup.worker_count, sizeof(*dataplane->workers));
    if (dataplane->workers == NULL ||
        prefilter_watch_init(&dataplane->prefilter, dataplane->start_config, &dataplane->orders,
                             dataplane->workers, setup.worker_count) != STATUS_OK)
        return STATUS_NO_MEMORY;
    for (unsigned i = 0; i < setup.worker_count; i++) {
        dataplane->inboxes[i] = start_pass_ring("inbox", i);
        dataplane->outboxes[i] = start_pass_ring("outbox", i);
        dataplane->log_memory[i] = aligned_alloc(RING_ALIGNMENT, log_bytes);
        if (dataplane->inboxes[i] == NULL || dataplane->outboxes[i] == NULL ||
            dataplane->log_memory[i] == NULL)
            return STATUS_NO_MEMORY;
        memset(dataplane->log_memory[i], 0, log_bytes);
        ring_attach(&dataplane->logs[i], dataplane->log_memory[i], LOG_RECORDS_A_RING,
                    sizeof(struct log_record));
    }
    for (unsigned i = 0; i < setup.worker_count; i++) {
        enum status status = worker_init(&dataplane->workers[i], &setup, i);

        if (status != STATUS_OK)
            return status;
        dataplane->workers_made++;
    }
    return STATUS_OK;
}

static enum status start_links(struct dataplane *dataplane)
{
    const struct config *config = dataplane->start_config;
    char path[sizeof(config->runtime_directory) + 32];
    uint32_t uid = UINT32_MAX;
    uint32_t gid = UINT32_MAX;
    enum status status;

    if (geteuid() == 0 && sandbox_user(config->control_user, &uid, &gid) != STATUS_OK) {
        snprintf(dataplane->why, sizeof(dataplane->why),
                 "user %s (control.user) does not exist; make it with: adduser --system --group %s",
                 config->control_user, config->control_user);
        return STATUS_NOT_FOUND;
    }
    snprintf(path, sizeof(path), "%s/dataplane.sock", config->runtime_directory);
    peers_init(&dataplane->peers, dataplane->cores.worker_count);
    status = peers_server_create(&dataplane->server, &dataplane->peers, &dataplane->region, path,
                                 uid, gid);
    if (status == STATUS_IN_USE)
        snprintf(dataplane->why, sizeof(dataplane->why),
                 "%s is in use: another postern-dataplane runs with this runtime_directory", path);
    else if (status != STATUS_OK)
        snprintf(dataplane->why, sizeof(dataplane->why), "cannot listen at %s: %s", path,
                 errno != 0 ? strerror(errno) : status_text(status));
    return status;
}

static enum status start_all(struct dataplane *dataplane)
{
    const struct config *config = dataplane->start_config;
    int node = -1;
    enum status status;

    if (config->ports[0].kind == CONFIG_PORT_PCI)
        node = cores_numa_of_pci(config->ports[0].pci_address);
    status = cores_plan(config, node, &dataplane->cores, dataplane->why, sizeof(dataplane->why));
    if (status != STATUS_OK)
        return status;
    status = eal_start(config, &dataplane->cores, &dataplane->eal, dataplane->why,
                       sizeof(dataplane->why));
    if (status != STATUS_OK)
        return status;
    status = start_region(dataplane);
    if (status == STATUS_OK)
        status = start_links(dataplane);
    if (status == STATUS_OK)
        status = start_pools(dataplane);
    if (status == STATUS_OK)
        status = start_ports(dataplane);
    if (status == STATUS_OK)
        status = start_workers(dataplane);
    for (unsigned i = 0; status == STATUS_OK && i < dataplane->cores.worker_count; i++)
        status = eal_launch(&dataplane->cores, i, worker_run, &dataplane->workers[i]);
    return status;
}

static void main_write(const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t wrote = write(STDOUT_FILENO, bytes, length);

        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return; /* nobody reads the log any more: mail goes on */
        bytes += wrote;
        length -= (size_t)wrote;
    }
}

/* Formats what the workers have recorded; a bounded batch for each tick. */
static void main_write_log(struct dataplane *dataplane)
{
    static char text[MAIN_LOG_BYTES];
    const struct config *config = atomic_load(&dataplane->orders.policy)->config;
    size_t length = 0;

    for (unsigned i = 0; i < dataplane->workers_made; i++) {
        struct log_record record;

        while (length + LOG_LINE_BYTES <= sizeof(text) &&
               ring_pop(&dataplane->logs[i], &record) == STATUS_OK)
            length += log_format(&record, config->hostname, config->log_format, text + length,
                                 LOG_LINE_BYTES);
    }
    main_write(text, length);
}

/* Frees the configuration before last once every worker is clear of it. */
static void main_retire_policy(struct dataplane *dataplane)
{
    uint32_t current = atomic_load(&dataplane->orders.policy)->generation;

    if (dataplane->retired == NULL)
        return;
    for (unsigned i = 0; i < dataplane->workers_made; i++) {
        if (atomic_load_explicit(&dataplane->workers[i].policy_clear, memory_order_acquire) !=
            current)
            return;
    }
    policy_free(dataplane, dataplane->retired);
    dataplane->retired = NULL;
}

static void main_reload(struct dataplane *dataplane)
{
    struct worker_policy *old = atomic_load(&dataplane->orders.policy);
    struct worker_policy *next;
    struct config *config;
    struct config_error error;

    if (!main_signal_hup || dataplane->retired != NULL)
        return; /* one reload at a time; the next waits for the last to be complete */
    main_signal_hup = 0;
    if (config_load(dataplane->start_config->file, &config, &error) != STATUS_OK) {
        main_say("configuration not reloaded: %s", error.text);
        return;
    }
    next = policy_make(config, old->generation + 1);
    if (next == NULL) {
        config_free(config);
        main_say("configuration not reloaded: %s", status_text(STATUS_NO_MEMORY));
        return;
    }
    atomic_store_explicit(&dataplane->orders.policy, next, memory_order_release);
    dataplane->retired = old;
    main_say("configuration reloaded from %s", config->file);
}

static void main_watch_spread(struct dataplane *dataplane)
{
    unsigned worker = 0;
    unsigned percent = 0;

    switch (spread_look(&dataplane->spread, &dataplane->region, clock_monotonic_ns(), &worker,
                        &percent)) {
    case SPREAD_LOPSIDED:
        fprintf(stderr,
                "postern-dataplane: connections do not spread: worker %u had %u %% of the last "
                "ones; check the port's RSS, or set spreading: software\n",
                worker, percent);
        break;
    case SPREAD_EVEN_AGAIN:
        main_say("%s", "connections spread evenly again");
        break;
    case SPREAD_NOTHING:
        break;
    }
}

static bool main_all_drained(const struct dataplane *dataplane)
{
    for (unsigned i = 0; i < dataplane->workers_made; i++) {
        if (!atomic_load_explicit(&dataplane->workers[i].drained, memory_order_relaxed))
            return false;
    }
    return true;
}

/* True when it is time to end. */
static bool main_drain(struct dataplane *dataplane, int64_t now_ns)
{
    static int64_t deadline_ns;

    if (main_signal_term == 0)
        return false;
    if (deadline_ns == 0) {
        deadline_ns = now_ns + MAIN_DRAIN_LIMIT_NS;
        atomic_store(&dataplane->orders.drain, true);
        main_say("%s", "draining: no new mail, finishing what is in progress");
    }
    return main_signal_term > 1 || now_ns >= deadline_ns || main_all_drained(dataplane);
}

static void main_loop(struct dataplane *dataplane)
{
    struct timespec wake;
    int64_t next_ns;

    do {
        peers_server_poll(dataplane->server);
        main_write_log(dataplane);
        main_reload(dataplane);
        main_retire_policy(dataplane);
        prefilter_watch_poll(&dataplane->prefilter, clock_monotonic_ns());
        main_watch_spread(dataplane);
        /* An absolute deadline: some port drivers interrupt sleeps with signals of their own. */
        next_ns = clock_monotonic_ns() + MAIN_TICK_NS;
        wake = (struct timespec){next_ns / CLOCK_NS_PER_SECOND, next_ns % CLOCK_NS_PER_SECOND};
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &wake, NULL) == EINTR &&
               main_signal_term == 0)
            continue;
    } while (!main_drain(dataplane, clock_monotonic_ns()));
}

static void main_stop(struct dataplane *dataplane)
{
    atomic_store(&dataplane->orders.stop, true);
    if (dataplane->workers_made > 0)
        eal_join();
    if (dataplane->server != NULL)
        main_write_log(dataplane);
    for (unsigned i = 0; i < dataplane->ports_open; i++)
        port_close(&dataplane->ports[i]);
    for (unsigned i = 0; i < dataplane->workers_made; i++)
        worker_fini(&dataplane->workers[i]);
    peers_server_free(dataplane->server);
    prefilter_watch_fini(&dataplane->prefilter);
    free(dataplane->workers);
    for (unsigned i = 0; i < REGION_WORKERS_MAX; i++)
        free(dataplane->log_memory[i]);
    if (dataplane->region.base != NULL)
        region_close(&dataplane->region);
    policy_free(dataplane, dataplane->retired);
    policy_free(dataplane, atomic_load(&dataplane->orders.policy));
    config_free(dataplane->start_config);
}

int main(int argc, char **argv)
{
    static struct dataplane dataplane = {.region = {.fd = -1}};
    struct config_error error;
    struct worker_policy *policy;

    if (argc != 3 || strcmp(argv[1], "-c") != 0) {
        fprintf(stderr, "usage: postern-dataplane -c FILE\n");
        return EXIT_USAGE;
    }
    if (config_load(argv[2], &dataplane.start_config, &error) != STATUS_OK) {
        fprintf(stderr, "%s\n", error.text);
        return EXIT_CONFIG;
    }
    policy = policy_make(dataplane.start_config, 1);
    if (policy == NULL) {
        main_say("%s", status_text(STATUS_NO_MEMORY));
        return EXIT_FAILED;
    }
    atomic_store(&dataplane.orders.policy, policy);
    main_catch_signals();
    if (start_all(&dataplane) != STATUS_OK) {
        main_say("%s", dataplane.why);
        main_stop(&dataplane);
        return EXIT_FAILED;
    }
    main_say("serving, messages on %s pages",
             dataplane.region.header.hugepages ? "huge" : "normal");
    main_loop(&dataplane);
    main_stop(&dataplane);
    eal_stop();
    return EXIT_OK;
}
