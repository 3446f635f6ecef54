/* The end of everything that main_start() made, in the order it can go. */
#include <stdlib.h>

#include "dataplane/main/main_thread.h"

void main_stop(struct main_thread *thread)
{
    atomic_store(&thread->orders.stop, true);
    if (thread->workers_made > 0)
        eal_join();
    if (thread->server != NULL)
        main_write_log(thread);
    main_close_log(thread);
    for (unsigned i = 0; i < thread->ports_open; i++)
        port_close(&thread->ports[i]);
    for (unsigned i = 0; i < thread->workers_made; i++)
        worker_fini(&thread->workers[i]);
    peers_server_free(thread->server);
    peers_fini(&thread->peers);
    prefilter_watch_fini(&thread->prefilter);
    free(thread->workers);
    for (unsigned i = 0; i < REGION_WORKERS_MAX; i++)
        free(thread->log_memory[i]);
    if (thread->region.base != NULL)
        region_close(&thread->region);
    main_free_settings(thread);
    config_free(thread->start_config);
    source_close(&thread->source);
}
