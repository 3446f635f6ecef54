/* postern-dataplane: the program. What its main thread does is in main_thread.h. */
#include <stdio.h>

#include "dataplane/main/library_version.h"
#include "dataplane/main/main_thread.h"
#include "platform/exit.h"
#include "platform/program.h"
#include "platform/role.h"

/* So that what the prefilter settles need not wait for the first scanner. */
static void main_ask_library(struct main_thread *thread)
{
    enum status status;

    if (thread->start_config == NULL || !thread->start_config->prefilter.enabled)
        return;
    status = library_version(thread->library, sizeof(thread->library));
    if (status != STATUS_OK)
        notice("which libclamav is installed is not known until a scanner is ready: %s",
               status_text(status));
}

int main(int argc, char **argv)
{
    static struct main_thread thread = {.region = {.fd = -1}};
    struct config_error error;

    if (argc != 3 || !source_parse(&thread.source, argv[1], argv[2])) {
        fprintf(stderr, "usage: postern-dataplane " SOURCE_USAGE "\n");
        return EXIT_USAGE;
    }
    program_start();
    notice_open("postern-dataplane");
    (void)role_begin(ROLE_DATAPLANE);
    if (source_first(&thread.source, &thread.start_config, &error) != STATUS_OK) {
        fprintf(stderr, "%s\n", error.text);
        return EXIT_CONFIG;
    }
    if (main_first_settings(&thread) != STATUS_OK || main_open_log(&thread) != STATUS_OK) {
        notice("%s", status_text(STATUS_NO_MEMORY));
        return EXIT_FAILED;
    }
    main_ask_library(&thread);
    main_catch_signals();
    if (main_start(&thread) != STATUS_OK) {
        notice("%s", thread.why.text);
        main_stop(&thread);
        return EXIT_FAILED;
    }
    notice("serving, messages on %s pages", thread.region.header.hugepages ? "huge" : "normal");
    main_serve(&thread);
    main_stop(&thread);
    eal_stop();
    return EXIT_OK;
}
