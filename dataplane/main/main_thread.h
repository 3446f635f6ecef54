/* main_thread.h: what the dataplane's main thread holds, and the verbs of its life.
 *
 *   main_start() -> main_serve() -> main_stop()
 *                       |
 *                       every MAIN_TICK_NS: the link socket, the log, a reload that was asked for,
 *                       settings no longer in use, the prefilter's file, how connections spread
 *
 * It never touches a packet or a message. Workers hear of it by `orders` and answer by the atomic
 * words of struct worker; nothing here waits for a worker except main_stop().
 *
 * Signals: HUP reloads the configuration (from a file; by `postern run` it comes by itself), TERM
 * and INT drain and end, a second one ends at once.
 *
 * Threads: main only. Memory: everything the workers are made from lives here, and goes in
 * main_stop(), after they have ended.
 */
#ifndef DATAPLANE_MAIN_MAIN_THREAD_H
#define DATAPLANE_MAIN_MAIN_THREAD_H

#include "dataplane/main/peers_server.h"
#include "dataplane/main/prefilter_watch.h"
#include "dataplane/main/spread.h"
#include "dataplane/worker/worker.h"
#include "platform/clock.h"
#include "platform/config/source.h"
#include "platform/log/notice.h"
#include "platform/log/writer.h"
#include "platform/why.h"

#define MAIN_TICK_NS        (2 * CLOCK_NS_PER_MS)
#define MAIN_DRAIN_LIMIT_NS (30 * CLOCK_NS_PER_SECOND)
#define MAIN_SETTINGS_MAX   8u /* configurations in memory at once */

struct main_thread {
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
    struct log_rings logs[REGION_WORKERS_MAX]; /* consumer side */
    struct log_writer log;                     /* standard output */
    struct worker *workers;
    unsigned workers_made;
    struct worker_orders orders;
    struct spread_watch spread;
    struct config_source source;
    /* Those that something still goes by, oldest first; the last one is in force. One more than may
     * stay, until the workers have left the oldest. */
    struct worker_settings *settings[MAIN_SETTINGS_MAX + 1];
    unsigned settings_count;
    struct prefilter_watch prefilter;
    char library[LINK_LIBRARY_BYTES]; /* libclamav as installed; empty: not known */
    int64_t drain_end_ns;             /* 0: not draining */
    struct why why;
};

/* start.c. Everything up to running workers, from start_config and orders.settings. Otherwise `why`
 * is one line for the operator; main_stop() takes down what was up. */
enum status main_start(struct main_thread *thread) STATUS_CHECKED;

/* reload.c. The settings of the start; start_config stays the caller's. STATUS_NO_MEMORY. */
enum status main_first_settings(struct main_thread *thread) STATUS_CHECKED;

/* Takes what the source has (with a file: what stands in it now) and hands it to the workers; one
 * that cannot be used is said so, and the settings in force stay. Messages keep the settings they
 * began under, up to MAIN_SETTINGS_MAX at once; past that those of the oldest go on by the newest.
 * False: the workers have not left the oldest yet; ask again soon. */
bool main_reload(struct main_thread *thread);

/* Frees the settings that no worker needs any more, and says which are left. */
void main_retire(struct main_thread *thread);

/* After the workers have ended. */
void main_free_settings(struct main_thread *thread);

/* log.c. Standard output, which may be a pipe that nobody reads. STATUS_NO_MEMORY. */
enum status main_open_log(struct main_thread *thread) STATUS_CHECKED;

/* What is not written by now is lost. */
void main_close_log(struct main_thread *thread);

/* Writes what the workers have recorded, a bounded batch, and what the log would not take before.
 */
void main_write_log(struct main_thread *thread);

/* drain.c. What `terms` signals to end ask for; true when it is time to end: everything is
 * answered, MAIN_DRAIN_LIMIT_NS are over, or it was asked twice. */
bool main_drain(struct main_thread *thread, unsigned terms, int64_t now_ns);

/* serve.c. From now on HUP is remembered, and TERM or INT end the process at once; in main_serve()
 * they are counted. */
void main_catch_signals(void);

/* Until it is time to end. */
void main_serve(struct main_thread *thread);

/* stop.c. Whatever of it was made. */
void main_stop(struct main_thread *thread);

#endif
